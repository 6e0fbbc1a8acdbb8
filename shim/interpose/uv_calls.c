/* SPDX-License-Identifier: MIT */
/*
 * uv_run(), what follows a long callback, and the turn, which runs from one poll (epoll.c) to the
 * next.
 */
#include <string.h>

#include "uv_wrap.h"

/* The three dearest of the turn, the dearest first. */
static void remember(aiodebug_uv_run_t *run, const aiodebug_uv_call_t *call, uint64_t ticks)
{
    int at = run->dears;
    while (at > 0 && run->dearest[at - 1].took < ticks) {
        at--;
    }
    if (at == AIODEBUG_UV_DEAREST) {
        return;
    }
    if (run->dears < AIODEBUG_UV_DEAREST) {
        run->dears++;
    }
    memmove(&run->dearest[at + 1], &run->dearest[at],
            (size_t)(run->dears - 1 - at) * sizeof run->dearest[0]);
    run->dearest[at] = (aiodebug_uv_dear_t){.took = ticks,
                                            .object = call->object,
                                            .cb = call->cb,
                                            .created = call->created,
                                            .type = call->type,
                                            .flags = call->flags,
                                            .slot = call->slot};
}

/* A callback ended that is slow, or one of the turn's dearest. What was reported, with the time of
 * reporting, counts neither for the callback around this one nor for the turn. */
static void call_was_long(const aiodebug_uv_call_t *call, uint64_t ticks)
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
        aiodebug_uv_exactly_now(self);
        aiodebug_thread.last = self->last;
        self->excused += ticks + (self->last - before);
    } else if (self->run) {
        remember(self->run, call, ticks);
    }
}

/* `alone`: the counter was read when the callback began, not some callbacks before. */
static void end_exactly(aiodebug_uv_thread_t *self, const aiodebug_uv_call_t *call, bool alone)
{
    uint64_t now = aiodebug_ticks();
    int64_t took = (int64_t)(now - call->start - (self->excused - call->excused));

    if (aiodebug_uv_unread != 0 && !self->exact) {
        uint64_t turn_start = self->run ? self->run->turn_start : now;
        self->exact = aiodebug_uv_exact_from(now, turn_start, took, self->stood);
    }
    aiodebug_uv_exactly(self, now);
    aiodebug_thread.last = now;
    if (__builtin_expect(took >= aiodebug_uv_notable, 0) &&
        (alone || took >= aiodebug_uv_sure || took >= aiodebug_uv_slow)) {
        call_was_long(call, (uint64_t)took);
    }
}

/*
 * Reading the counter is most of what a callback's timing costs. While the coarse clock stands
 * still there was nothing slow since it was read, and what begins then is taken to have begun when
 * it was read: by some callbacks too early, which all together have taken less than that clock's
 * step. In a turn that takes long it becomes of interest which callbacks are dear: the further ones
 * are timed one by one.
 */
static void end_call(aiodebug_uv_thread_t *self, bool exactly)
{
    self->callbacks += !(self->now.call.flags & AIODEBUG_UV_INTERNAL);
    if (!exactly && self->unread != 0 && self->now.call.start == self->last &&
        aiodebug_coarse() == self->stood) {
        self->unread--;
    } else {
        end_exactly(self, &self->now.call, self->unread == aiodebug_uv_unread || self->exact);
    }
    self->now.call.cb = NULL;
}

void aiodebug_uv_call_end(aiodebug_uv_thread_t *self)
{
    end_call(self, false);
}

uint64_t aiodebug_uv_alone_starts(void)
{
    return aiodebug_ticks();
}

void aiodebug_uv_alone_ended(uint64_t start, uint64_t excused, const void *object,
                             aiodebug_uv_function_t cb, uint64_t what, const void *back)
{
    aiodebug_uv_call_t call = {.cb = cb,
                               .start = start,
                               .excused = excused,
                               .object = object,
                               .created = (uint32_t)what,
                               .type = (uint8_t)(what >> 32),
                               .flags = (uint8_t)(what >> 40),
                               .slot = (uint8_t)(what >> 48)};
    aiodebug_uv_self.now.back = back;
    end_exactly(&aiodebug_uv_self, &call, true);
}

/* A poll begins, or the run ends: was the turn long? */
static void end_turn(aiodebug_uv_thread_t *self, aiodebug_uv_run_t *run)
{
    int64_t took = (int64_t)(self->last - run->turn_start - (self->excused - run->excused));
    if (__builtin_expect(took >= aiodebug_uv_slow_turn && self->callbacks > 0, 0) &&
        !run->internal) {
        int saved = errno;
        run->callbacks = self->callbacks;
        aiodebug_check_uv_turn(run, (uint64_t)took);
        aiodebug_uv_exactly_now(self);
        errno = saved;
    }
}

static void begin_turn(aiodebug_uv_thread_t *self, aiodebug_uv_run_t *run)
{
    run->turn_start = self->last;
    run->excused = self->excused;
    self->callbacks = 0;
    run->dears = 0;
    if (self->exact) {
        self->exact = false;
        aiodebug_uv_exactly(self, self->last);
    }
    if (run->internal) {
        aiodebug_runtime_turn(self->last);
    }
}

/* ---- Who called ---- */

/* Where the code of TRAMPOLINE_CODE begins and ends; nowhere in a unit test that links none of it.
 */
extern const char trampolines[] __asm__("__start_aiodebug_callbacks")
    __attribute__((weak, visibility("hidden")));
extern const char trampolines_end[] __asm__("__stop_aiodebug_callbacks")
    __attribute__((weak, visibility("hidden")));

bool aiodebug_uv_jumped(const void *return_address)
{
    uintptr_t at = (uintptr_t)return_address;
    return return_address == aiodebug_uv_self.now.back ||
           at - (uintptr_t)trampolines < (uintptr_t)trampolines_end - (uintptr_t)trampolines;
}

/* ---- uv_run ---- */

static void end_run(aiodebug_uv_run_t *run)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    aiodebug_uv_call_ended(self);
    end_turn(self, run);
    if (run->internal) {
        aiodebug_thread.steps += self->callbacks;
    }
    aiodebug_uv_run_end(run);
}

/*
 * An exception, or a thread's end, passes run_watched(). This is its personality routine: what is
 * to be done is done on the way, without a landing pad, to which the unwinder would have to go and
 * from which it would have to begin anew: that took as long as all the rest of a throw. The same on
 * every processor and with every unwinder (_URC_CONTINUE_UNWIND is 8, _UA_CLEANUP_PHASE 2).
 */
static __attribute__((used)) int run_passed(int version, int actions, uint64_t class,
                                            void *exception, void *context)
{
    (void)version, (void)class, (void)exception, (void)context;
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (actions & 2 && self->run) {
        if (self->run > self->runs) {
            aiodebug_uv_runs_left(0); /* whom longjmp() left behind, this one passes by */
        }
        end_run(self->run);
    }
    return 8;
}

static __attribute__((noinline, no_sanitize("thread"))) int run_watched(aiodebug_uv_run_t *run,
                                                                        uv_loop_t *uv,
                                                                        uv_run_mode mode)
{
    __asm__ volatile(".cfi_personality 0x1b, run_passed");
    int alive = REAL(uv_run)(uv, mode);
    end_run(run);
    return alive;
}

AIODEBUG_INTERPOSE int uv_run(uv_loop_t *uv, uv_run_mode mode)
{
    if (!WATCHED()) {
        return REAL(uv_run)(uv, mode);
    }
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(uv);
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    aiodebug_uv_run_t *run = NULL;
    bool internal = FROM_RUNTIME();
    if (__builtin_expect(self->run != NULL, 0)) {
        aiodebug_uv_runs_left(frame);
    }
    if (loop) {
        const aiodebug_uv_thread_t *owner = loop->owner;
        if (__builtin_expect(owner != NULL && !internal, 0)) {
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
        run = aiodebug_uv_run_begin(loop, frame, __builtin_return_address(0));
    }
    if (internal && aiodebug_thread.polling) {
        aiodebug_uv_exactly(self, aiodebug_thread.last); /* it was read right before */
    } else {
        aiodebug_uv_exactly_now(self);
    }
    if (!run) {
        return REAL(uv_run)(uv, mode);
    }
    run->internal = internal;
    begin_turn(self, run);
    return run_watched(run, uv, mode);
}

/* ---- The poll ---- */

void aiodebug_uv_poll_begins(aiodebug_uv_run_t *run, int timeout)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (self->now.call.cb) {
        end_call(self, timeout != 0 && aiodebug_uv_exact_polls && !run->internal);
    }
    end_turn(self, run);
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
        aiodebug_uv_exactly(self, now);
        if (took >= aiodebug_uv_notable_poll && !run->internal) {
            aiodebug_check_uv_poll(run, timeout, (uint64_t)took, events < 0 ? 0 : events);
            aiodebug_uv_exactly_now(self);
        }
        errno = saved;
    }
    begin_turn(self, run);
}
