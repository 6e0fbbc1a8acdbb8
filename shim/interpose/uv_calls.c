/* SPDX-License-Identifier: MIT */
/*
 * uv_run(), what follows a long callback, and the turn, which runs from one poll (epoll.c) to the
 * next.
 */
#include <string.h>

#include "uv_wrap.h"

/* The three dearest of the turn, the dearest first; the first with took == 0 ends the list. */
static void remember(aiodebug_uv_run_t *run, const aiodebug_uv_call_t *call, uint64_t ticks)
{
    int at = AIODEBUG_UV_DEAREST;
    int used = 0;
    while (used < AIODEBUG_UV_DEAREST && run->dearest[used].took) {
        used++;
    }
    while (at > 0 && (at > used || run->dearest[at - 1].took < ticks)) {
        at--;
    }
    if (at == AIODEBUG_UV_DEAREST) {
        return;
    }
    memmove(&run->dearest[at + 1], &run->dearest[at],
            (size_t)(AIODEBUG_UV_DEAREST - 1 - at) * sizeof run->dearest[0]);
    run->dearest[at] = (aiodebug_uv_dear_t){.took = ticks,
                                            .object = call->object,
                                            .cb = call->cb,
                                            .created = call->created,
                                            .type = call->type,
                                            .flags = call->flags,
                                            .slot = call->slot};
    if (used < AIODEBUG_UV_DEAREST - 1) {
        run->dearest[used + 1].took = 0;
    }
}

/* What was reported, with the time of reporting, counts neither for the callback around this one
 * nor for the turn. */
void aiodebug_uv_call_was_long(const aiodebug_uv_call_t *call, uint64_t ticks)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (call->flags & AIODEBUG_UV_INTERNAL) {
        return;
    }
    if ((int64_t)ticks >= aiodebug_uv_slow) {
        uint64_t before = self->last;
        int saved = errno;
        aiodebug_check_uv_slow(call, ticks);
        errno = saved;
        self->last = aiodebug_thread.last = aiodebug_ticks();
        self->excused += ticks + (self->last - before);
    } else if (self->run) {
        remember(self->run, call, ticks);
    }
}

/* Not beside a loop of libaiort's, whose steps are timed from where the callbacks end. */
void aiodebug_uv_call_many(uint64_t now)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (aiodebug_uv_stands == 0 || aiodebug_thread.loop || !self->run || self->run->internal) {
        self->exact = AIODEBUG_UV_EXACT;
        return;
    }
    self->stood = aiodebug_coarse();
    self->last = now + aiodebug_uv_stands;
}

/* A poll begins, or the run ends: was the turn long? */
static void end_turn(aiodebug_uv_thread_t *self, aiodebug_uv_run_t *run)
{
    uint64_t last = self->exact == 0 ? self->last - aiodebug_uv_stands : self->last;
    int64_t took = (int64_t)(last - run->turn_start - (self->excused - run->excused));
    if (__builtin_expect(took >= aiodebug_uv_slow_turn && run->callbacks > 0, 0) &&
        !run->internal) {
        int saved = errno;
        aiodebug_check_uv_turn(run, (uint64_t)took);
        aiodebug_uv_exactly_now(self);
        errno = saved;
    }
}

static void begin_turn(aiodebug_uv_thread_t *self, aiodebug_uv_run_t *run)
{
    run->turn_start = self->last;
    run->excused = self->excused;
    run->callbacks = 0;
    run->dearest[0].took = 0;
    if (run->internal) {
        aiodebug_runtime_turn(self->last);
    }
}

/* ---- uv_run ---- */

static void end_run(aiodebug_uv_run_t **run)
{
    if (*run) {
        end_turn(&aiodebug_uv_self, *run);
        if ((*run)->internal) {
            aiodebug_thread.steps += (*run)->callbacks;
        }
        aiodebug_uv_run_end(*run);
    }
}

AIODEBUG_INTERPOSE int uv_run(uv_loop_t *uv, uv_run_mode mode)
{
    if (!WATCHED()) {
        return REAL(uv_run)(uv, mode);
    }
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(uv);
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    aiodebug_uv_run_t *run __attribute__((cleanup(end_run))) = NULL;
    if (__builtin_expect(self->run != NULL, 0)) {
        aiodebug_uv_runs_left(frame);
    }
    if (loop) {
        const aiodebug_uv_thread_t *owner = loop->owner;
        if (__builtin_expect(owner != NULL && !FROM_RUNTIME(), 0)) {
            aiodebug_uv_run_t *outer = NULL;
            if (owner == self) {
                for (outer = self->run; outer && outer->loop != loop;) {
                    outer = outer > self->runs ? outer - 1 : NULL;
                }
            }
            if (outer || owner != self) {
                aiodebug_check_uv_reentered(loop, outer);
            }
        }
        run = aiodebug_uv_run_begin(loop, frame);
    }
    aiodebug_uv_exactly_now(self);
    if (run) {
        run->caller = __builtin_return_address(0);
        run->internal = FROM_RUNTIME();
        begin_turn(self, run);
    }
    INSIDE;
    return REAL(uv_run)(uv, mode);
}

/* ---- The poll ---- */

aiodebug_uv_run_t *aiodebug_uv_polling(uintptr_t frame)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    return self->run && frame < self->inside && self->run->frame >= self->inside ? self->run : NULL;
}

void aiodebug_uv_poll_begins(aiodebug_uv_run_t *run)
{
    end_turn(&aiodebug_uv_self, run);
}

/* After a poll that was not to wait the clock is not read: what it took is counted with the next
 * callback, which is less than a microsecond. */
void aiodebug_uv_poll_ended(aiodebug_uv_run_t *run, int timeout, int events)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (timeout != 0) {
        int saved = errno;
        uint64_t now = aiodebug_ticks();
        int64_t took = (int64_t)(now - self->last);
        self->last = now;
        self->exact = AIODEBUG_UV_EXACT;
        if (took >= aiodebug_uv_notable_poll && !run->internal) {
            aiodebug_check_uv_poll(run, timeout, (uint64_t)took, events < 0 ? 0 : events);
            self->last = aiodebug_ticks();
        }
        errno = saved;
    }
    begin_turn(self, run);
}
