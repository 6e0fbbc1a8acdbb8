/* SPDX-License-Identifier: MIT */
/*
 * What the wrappers of libuv's functions share: the real functions, the mark "inside libuv", and the
 * start and the end of a callback.
 *
 * A wrapper that is called by libuv itself, or while the shim is off, calls the real function and
 * does nothing else. Otherwise it sets the mark around the real call, so that what libuv calls of
 * itself on the way (all of it goes through the PLT in Debian's build, none of it in others) is not
 * taken for the program's. A callback's trampoline takes the mark away for as long as the program's
 * function runs. Marks and calls are put back by cleanup functions: an exception may pass. What
 * longjmp() leaves behind is known by its address.
 */
#ifndef AIODEBUG_INTERPOSE_UV_WRAP_H
#define AIODEBUG_INTERPOSE_UV_WRAP_H

#include <errno.h>

#include "../check/uv.h"
#include "../init.h"
#include "../track/clock.h"
#include "../track/runtime.h"
#include "../track/stacks.h"
#include "../track/uv.h"
#include "interpose.h"
#include "uv_list.h"

/*
 * Cleanups under -fexceptions want two functions of the unwinder. Not to bring one into every
 * process, they are weak: where an exception can come through here it is the program's own unwinder
 * that is there, and elsewhere they are not called.
 */
__asm__(".weak __gcc_personality_v0\n\t.weak _Unwind_Resume");

/* ---- The real functions: uv_real.c ---- */

enum {
#define XX_NAME(name) AIODEBUG_REAL_##name,
#define XX_INIT(name, params, args, handle) AIODEBUG_REAL_##name,
#define XX_OP(result, name, use, params, args, handle) AIODEBUG_REAL_##name,
#define XX_FS(name, params, args) AIODEBUG_REAL_##name,
    AIODEBUG_UV_INITS(XX_INIT) AIODEBUG_UV_OPS(XX_OP) AIODEBUG_UV_FS(XX_FS)
        AIODEBUG_UV_OWN(XX_NAME) AIODEBUG_REAL_COUNT
#undef XX_NAME
#undef XX_INIT
#undef XX_OP
#undef XX_FS
};

extern aiodebug_uv_function_t aiodebug_uv_real[AIODEBUG_REAL_COUNT];

/* Looks all of them up, and returns this one. Any thread, any time; the first use of libuv comes
 * through here. */
aiodebug_uv_function_t aiodebug_uv_find_real(int index);

static inline aiodebug_uv_function_t aiodebug_uv_real_at(int index)
{
    aiodebug_uv_function_t function = __atomic_load_n(&aiodebug_uv_real[index], __ATOMIC_ACQUIRE);
    return __builtin_expect(function != NULL, 1) ? function : aiodebug_uv_find_real(index);
}

#define REAL(name) ((__typeof__(&(name)))aiodebug_uv_real_at(AIODEBUG_REAL_##name))

/* ---- Inside libuv ---- */

/* Whether this call is the program's, and the shim at work. `frame`: the wrapper's own. */
static inline bool aiodebug_uv_watched(const void *frame)
{
    return aiodebug_on() && !((uintptr_t)frame < aiodebug_uv_self.inside);
}

#define WATCHED() __builtin_expect(aiodebug_uv_watched(__builtin_frame_address(0)), 1)

static inline void aiodebug_uv_leave(const uintptr_t *before)
{
    aiodebug_uv_self.inside = *before;
}

/* To the end of the block the thread is inside libuv. */
#define INSIDE                                                                                     \
    uintptr_t inside_before __attribute__((unused, cleanup(aiodebug_uv_leave))) =                  \
        aiodebug_uv_self.inside;                                                                   \
    aiodebug_uv_self.inside = (uintptr_t)__builtin_frame_address(0)

/* The caller is libaiort: what it makes is the runtime's own. */
#define FROM_RUNTIME() aiodebug_uv_from_runtime(__builtin_return_address(0))

/* ---- Callbacks: uv_calls.c ---- */

/* A callback ended that is slow, or one of the turn's dearest. */
void aiodebug_uv_call_was_long(const aiodebug_uv_call_t *call, uint64_t ticks);

/* So many callbacks were timed one by one since the thread last waited. */
void aiodebug_uv_call_many(uint64_t now);

enum { AIODEBUG_UV_EXACT = 1024 };

/* Reading the counter is most of what a callback's timing costs. When very many come while the
 * coarse clock stands still, the others are only asked whether it has moved; `last` is then the
 * time by which it must have. */
static inline void aiodebug_uv_call_end(aiodebug_uv_call_t *call)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;

    self->inside = call->inside;
    self->call = call->outer;
    if (self->run) {
        self->run->callbacks += !(call->flags & AIODEBUG_UV_INTERNAL);
    }
    if (self->exact == 0 && aiodebug_coarse() == self->stood) {
        return;
    }
    uint64_t now = aiodebug_ticks();
    int64_t took = (int64_t)(now - call->start - (self->excused - call->excused));

    self->last = now;
    aiodebug_thread.last = now;
    if (__builtin_expect(took >= aiodebug_uv_notable, 0)) {
        self->exact = AIODEBUG_UV_EXACT;
        aiodebug_uv_call_was_long(call, (uint64_t)took);
    } else if (__builtin_expect(self->exact == 0, 0)) {
        self->exact = AIODEBUG_UV_EXACT;
    } else if (__builtin_expect(--self->exact == 0, 0)) {
        aiodebug_uv_call_many(now);
    }
}

/* The clock was read, or is to be: callbacks are timed one by one again. */
static inline void aiodebug_uv_exactly_now(aiodebug_uv_thread_t *self)
{
    self->last = aiodebug_ticks();
    self->exact = AIODEBUG_UV_EXACT;
}

/* The program's function is about to be called. What is needed when it has ended is copied: the
 * object may be gone by then. */
static inline void aiodebug_uv_call_begin(aiodebug_uv_call_t *call, const void *object,
                                          const aiodebug_uv_record_t *record,
                                          aiodebug_uv_function_t cb, unsigned slot)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    const aiodebug_uv_call_t *outer = self->call;

    if (__builtin_expect(outer && (uintptr_t)outer < (uintptr_t)call, 0)) {
        outer = NULL; /* longjmp() left it */
    }
    call->outer = outer;
    call->self = call;
    call->inside = self->inside;
    /* Without a run that was seen to start nothing is known of the thread's last callback. */
    call->start =
        __builtin_expect(outer != NULL || !self->run, 0) ? aiodebug_ticks() : self->last;
    call->excused = self->excused;
    call->object = object;
    call->cb = cb;
    call->created = record->created;
    call->type = record->type;
    call->flags = record->flags;
    call->slot = (uint8_t)slot;
    self->call = call;
    self->inside = 0;
}

#define CALLING(object, record, cb, slot)                                                          \
    aiodebug_uv_call_t call __attribute__((unused, cleanup(aiodebug_uv_call_end)));                \
    aiodebug_uv_call_begin(&call, object, record, (aiodebug_uv_function_t)(cb), slot)

/* ---- The poll, of epoll.c ---- */

/* The run whose poll a call by this frame is; NULL: not libuv's, or of a run that was not seen. */
aiodebug_uv_run_t *aiodebug_uv_polling(uintptr_t frame);
void aiodebug_uv_poll_begins(aiodebug_uv_run_t *run);
/* The timeout in milliseconds, and what epoll_wait() returned. Leaves errno as it was. */
void aiodebug_uv_poll_ended(aiodebug_uv_run_t *run, int timeout, int events);

/* ---- Threads ---- */

/* The loop is inside uv_run() in another thread. */
static inline bool aiodebug_uv_elsewhere(const aiodebug_uv_loop_t *loop)
{
    const aiodebug_uv_thread_t *owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);
    return __builtin_expect(owner != NULL && owner != &aiodebug_uv_self, 0);
}

/* A call on the loop. True: refuse it. */
static inline bool aiodebug_uv_loop_refused(const uv_loop_t *uv, const char *function)
{
    aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(uv);
    return loop && aiodebug_uv_elsewhere(loop) && aiodebug_check_uv_thread(loop, NULL, function);
}

/* What a refused call returns. */
#define AIODEBUG_UV_REFUSED UV_EPERM

typedef enum { AIODEBUG_UV_ASK, AIODEBUG_UV_SET, AIODEBUG_UV_USE } aiodebug_uv_use_t;

/* A call on the handle: threads, and use after close. True: refuse it. */
bool aiodebug_uv_handle_refused(const uv_handle_t *handle, aiodebug_uv_use_t use,
                                const char *function);

#endif
