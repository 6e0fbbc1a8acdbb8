/* SPDX-License-Identifier: MIT */
/*
 * What the wrappers of libuv's functions share: the real functions, who called, and the start and
 * the end of a callback.
 *
 * A wrapper that is called by libuv itself, or while the shim is off, calls the real function and
 * does nothing else. Who called is told by the return address: what libuv calls of itself goes
 * through the PLT in Debian's build and comes from libuv's code, or, where libuv jumped, from the
 * wrapper that had called libuv.
 *
 * The trampoline of a callback notes what is about to run and jumps to the program's function, so
 * that there is no frame of ours: an exception, a debugger and a stack that is captured see the
 * program as it is without us. That the callback has ended is noticed at the next event of its
 * thread: the next callback, the poll, the end of uv_run() or uv_walk(). A program's function whose
 * last call is a jump has the return address that the trampoline had; that one is therefore known.
 */
#ifndef AIODEBUG_INTERPOSE_UV_WRAP_H
#define AIODEBUG_INTERPOSE_UV_WRAP_H

#include <errno.h>

#include "../check/uv.h"
#include "../init.h"
#include "../track/clock.h"
#include "../track/coarse.h"
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
    AIODEBUG_UV_INITS(XX_INIT) AIODEBUG_UV_OPS(XX_OP) AIODEBUG_UV_FS(XX_FS) AIODEBUG_UV_OWN(XX_NAME)
        AIODEBUG_REAL_COUNT
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

/* Its source was read, and Valgrind does not look on: what is true of it may be relied upon. */
extern bool aiodebug_uv_is_known;

#define REAL(name) ((__typeof__(&(name)))aiodebug_uv_real_at(AIODEBUG_REAL_##name))

/* ---- Who called ---- */

/* The code of the shim's trampolines, where those do not end with a jump (tests without
 * optimisation), and of no other function. */
#define TRAMPOLINE_CODE __attribute__((section("aiodebug_callbacks")))

/* A call from libuv's code or from ours: whether it is the program's nevertheless. */
bool aiodebug_uv_jumped(const void *return_address);

/* Whether the caller with this return address is libuv. */
static inline bool aiodebug_uv_from_libuv(const void *return_address)
{
    return (aiodebug_uv_in_code(return_address, &aiodebug_uv_code) ||
            aiodebug_uv_in_code(return_address, &aiodebug_uv_own_code)) &&
           !aiodebug_uv_jumped(return_address);
}

/* Whether this call is the program's, and the shim at work. */
#define WATCHED()                                                                                  \
    __builtin_expect(aiodebug_on() && !aiodebug_uv_from_libuv(__builtin_return_address(0)), 1)

/* Keeps the call before it from becoming a jump. libuv's function may end with a jump to another of
 * its own, and that one must be seen to come from here, not from the program. */
#define STAY() __asm__ volatile("")

/* The caller is libaiort: what it makes is the runtime's own. */
#define FROM_RUNTIME() aiodebug_uv_from_runtime(__builtin_return_address(0))

/* ---- Callbacks: uv_calls.c ---- */

/* The thread's callback, of which there is one, has ended. */
void aiodebug_uv_call_end(aiodebug_uv_thread_t *self);

static inline void aiodebug_uv_call_ended(aiodebug_uv_thread_t *self)
{
    if (self->now.call.cb) {
        aiodebug_uv_call_end(self);
    }
}

/* The counter was read. */
static inline void aiodebug_uv_exactly(aiodebug_uv_thread_t *self, uint64_t now)
{
    self->last = now;
    self->unread = self->exact ? 0 : aiodebug_uv_unread;
    if (self->unread) {
        self->stood = aiodebug_coarse();
    }
}

static inline void aiodebug_uv_exactly_now(aiodebug_uv_thread_t *self)
{
    aiodebug_uv_exactly(self, aiodebug_ticks());
}

/* A callback may begin here and now: none of the thread's runs, or it has ended without a reading
 * of the counter being due, and is counted. */
static inline bool aiodebug_uv_may_begin(aiodebug_uv_thread_t *self)
{
    const volatile uint64_t *coarse = aiodebug_coarse_word;
    if (!self->now.call.cb) {
        return true;
    }
    if (self->unread == 0 || self->now.call.start != self->last || !coarse ||
        *coarse != self->stood) {
        return false;
    }
    self->unread--;
    self->callbacks += !(self->now.call.flags & AIODEBUG_UV_INTERNAL);
    return true;
}

/* The program's function is about to be called, and none of the thread's runs. What is needed when
 * it has ended is copied: the object may be gone by then. */
static inline void aiodebug_uv_call_begin(const void *object, const aiodebug_uv_record_t *record,
                                          aiodebug_uv_function_t cb, unsigned slot,
                                          const void *back)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;

    self->now.back = back;
    self->now.call.start = self->last;
    self->now.call.excused = self->excused;
    self->now.call.object = object;
    self->now.call.cb = cb;
    self->now.call.created = record->created;
    self->now.call.type = record->type;
    self->now.call.flags = record->flags;
    self->now.call.slot = (uint8_t)slot;
}

/*
 * A callback of a loop whose uv_run() was not seen (it was found by dlsym() in libuv itself): there
 * is nobody to notice its end, so its trampoline does not end with a jump. All that is known of it
 * is kept in scalars: a variable in memory would keep the other branch from ending with one.
 */
uint64_t aiodebug_uv_alone_starts(void); /* now, in ticks */
void aiodebug_uv_alone_ended(uint64_t start, uint64_t excused, const void *object,
                             aiodebug_uv_function_t cb, uint64_t what, const void *back);

static inline uint64_t aiodebug_uv_what(const aiodebug_uv_record_t *record, unsigned slot)
{
    return record->created | (uint64_t)record->type << 32 | (uint64_t)record->flags << 40 |
           (uint64_t)slot << 48;
}

/*
 * The trampoline of a callback is two functions: most calls are made by the first, which calls
 * nothing else and so needs no frame even for a moment; what it cannot do itself it leaves, with a
 * jump, to the second, NAME_slowly.
 */
#define TRAMPOLINE_HALVES(name, params)                                                            \
    TRAMPOLINE_CODE static __attribute__((noinline)) void name##_slowly params;                    \
    TRAMPOLINE_CODE static void name params

#define BEGIN_CALL(object, record, cb, slot)                                                       \
    aiodebug_uv_call_begin(object, record, (aiodebug_uv_function_t)(cb), slot,                     \
                           __builtin_return_address(0))

/* The end of the first: calls `cb`, the program's function, if it is there and if that can be done
 * here, after LAST; or leaves the call to the second. */
#define CALL_QUICKLY(name, object, record, cb, slot, args, last)                                   \
    do {                                                                                           \
        if (__builtin_expect(                                                                      \
                aiodebug_uv_self.run && (cb) && aiodebug_uv_may_begin(&aiodebug_uv_self), 1)) {    \
            BEGIN_CALL(object, record, cb, slot);                                                  \
            last;                                                                                  \
            (cb) args;                                                                             \
        } else {                                                                                   \
            name##_slowly args;                                                                    \
        }                                                                                          \
    } while (0)

/* The end of a trampoline that is not quick: calls the program's function. */
#define CALL_BACK(object, record, cb, slot, args)                                                  \
    do {                                                                                           \
        if (__builtin_expect(aiodebug_uv_self.run != NULL, 1)) {                                   \
            aiodebug_uv_call_ended(&aiodebug_uv_self);                                             \
            BEGIN_CALL(object, record, cb, slot);                                                  \
            (cb) args;                                                                             \
        } else {                                                                                   \
            uint64_t what_ = aiodebug_uv_what(record, slot);                                       \
            uint64_t excused_ = aiodebug_uv_self.excused, start_ = aiodebug_uv_alone_starts();     \
            const void *back_ = aiodebug_uv_self.now.back;                                         \
            aiodebug_uv_self.now.back = __builtin_return_address(0);                               \
            (cb) args;                                                                             \
            aiodebug_uv_alone_ended(start_, excused_, object, (aiodebug_uv_function_t)(cb), what_, \
                                    back_);                                                        \
        }                                                                                          \
    } while (0)

/* ---- The poll, of epoll.c ---- */

/* The run whose poll a call with this return address is; NULL: not libuv's, or of a run that was
 * not seen. */
static inline aiodebug_uv_run_t *aiodebug_uv_polling(const void *return_address)
{
    aiodebug_uv_run_t *run = aiodebug_uv_self.run;
    return run && aiodebug_uv_from_libuv(return_address) ? run : NULL;
}
void aiodebug_uv_poll_begins(aiodebug_uv_run_t *run, int timeout);
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

/* Nothing is to be said of any call on the handle of this record; false: perhaps something is. */
static inline bool aiodebug_uv_quiet(const aiodebug_uv_record_t *record)
{
    return __builtin_expect(record && !(record->flags & AIODEBUG_UV_CLOSING) &&
                                !aiodebug_uv_elsewhere(record->loop),
                            1);
}

typedef enum { AIODEBUG_UV_ASK, AIODEBUG_UV_SET, AIODEBUG_UV_USE } aiodebug_uv_use_t;

/* A call on the handle: threads, and use after close. True: refuse it. */
bool aiodebug_uv_handle_refused(const uv_handle_t *handle, aiodebug_uv_use_t use,
                                const char *function);

#endif
