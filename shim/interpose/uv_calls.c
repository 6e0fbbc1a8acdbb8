/* SPDX-License-Identifier: MIT */
/*
 * What follows a long callback, and the poll: libuv's turn runs from one poll to the next.
 *
 * epoll_wait() and epoll_pwait() are timed when libuv calls them for a loop that the shim saw start.
 * After a poll that was not to wait the clock is not read: what it took is counted with the next
 * callback, which is less than a microsecond.
 */
#include <dlfcn.h>
#include <string.h>
#include <sys/epoll.h>

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

/* A poll begins, or the run ends: was the turn long? */
static void end_turn(aiodebug_uv_thread_t *self, aiodebug_uv_run_t *run)
{
    int64_t took = (int64_t)(self->last - run->turn_start - (self->excused - run->excused));
    if (__builtin_expect(took >= aiodebug_uv_slow_turn && run->callbacks > 0, 0) && !run->internal) {
        int saved = errno;
        aiodebug_check_uv_turn(run, (uint64_t)took);
        self->last = aiodebug_ticks();
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
    if (loop) {
        const aiodebug_uv_thread_t *owner = loop->owner;
        if (__builtin_expect(owner != NULL && !FROM_RUNTIME(), 0)) {
            aiodebug_uv_run_t *outer = NULL;
            if (owner == self) {
                for (outer = self->run; outer && (outer->loop != loop || outer->frame <= frame);) {
                    outer = outer > self->runs ? outer - 1 : NULL;
                }
            }
            if (outer || owner != self) {
                aiodebug_check_uv_reentered(loop, outer);
            }
        }
        run = aiodebug_uv_run_begin(loop, frame);
    }
    self->last = aiodebug_ticks();
    if (run) {
        run->caller = __builtin_return_address(0);
        run->internal = FROM_RUNTIME();
        begin_turn(self, run);
    }
    INSIDE;
    return REAL(uv_run)(uv, mode);
}

/* ---- The poll ---- */

typedef int epoll_wait_t(int, struct epoll_event *, int, int);
typedef int epoll_pwait_t(int, struct epoll_event *, int, int, const sigset_t *);

static epoll_wait_t *real_epoll_wait;
static epoll_pwait_t *real_epoll_pwait;

__attribute__((constructor)) static void find_epoll(void)
{
    *(void **)&real_epoll_wait = dlsym(RTLD_NEXT, "epoll_wait");
    *(void **)&real_epoll_pwait = dlsym(RTLD_NEXT, "epoll_pwait");
}

/* The run whose poll this is; NULL: not libuv's, or none that was seen to start. */
static aiodebug_uv_run_t *polling(uintptr_t frame)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    return self->run && frame < self->inside && self->run->frame >= self->inside ? self->run : NULL;
}

static void after_poll(aiodebug_uv_run_t *run, int timeout, int events)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (timeout != 0) {
        int saved = errno;
        uint64_t now = aiodebug_ticks();
        int64_t took = (int64_t)(now - self->last);
        if (took >= aiodebug_uv_notable_poll && !run->internal) {
            aiodebug_check_uv_poll(run, timeout, took > 0 ? (uint64_t)took : 0,
                                   events < 0 ? 0 : events);
        }
        self->last = aiodebug_ticks();
        errno = saved;
    }
    begin_turn(self, run);
}

AIODEBUG_INTERPOSE int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
    if (!real_epoll_wait) {
        find_epoll();
    }
    aiodebug_uv_run_t *run = polling((uintptr_t)__builtin_frame_address(0));
    if (!run) {
        return real_epoll_wait(epfd, events, max, timeout);
    }
    end_turn(&aiodebug_uv_self, run);
    int n = real_epoll_wait(epfd, events, max, timeout);
    after_poll(run, timeout, n);
    return n;
}

AIODEBUG_INTERPOSE int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout,
                                   const sigset_t *mask)
{
    if (!real_epoll_pwait) {
        find_epoll();
    }
    aiodebug_uv_run_t *run = polling((uintptr_t)__builtin_frame_address(0));
    if (!run) {
        return real_epoll_pwait(epfd, events, max, timeout, mask);
    }
    end_turn(&aiodebug_uv_self, run);
    int n = real_epoll_pwait(epfd, events, max, timeout, mask);
    after_poll(run, timeout, n);
    return n;
}
