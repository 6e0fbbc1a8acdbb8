/* SPDX-License-Identifier: MIT */
/* libuv's functions on loops, but for uv_run() (uv_calls.c). */
#include <stdarg.h>

#include "uv_wrap.h"

/* ---- Lives ---- */

AIODEBUG_INTERPOSE int uv_loop_init(uv_loop_t *uv)
{
    if (!WATCHED()) {
        return REAL(uv_loop_init)(uv);
    }
    int err = REAL(uv_loop_init)(uv);
    if (err == 0) {
        aiodebug_uv_loop_new(uv, FROM_RUNTIME() ? 0 : aiodebug_stack_capture());
    }
    return err;
}

AIODEBUG_INTERPOSE uv_loop_t *uv_loop_new(void)
{
    if (!WATCHED()) {
        return REAL(uv_loop_new)();
    }
    uv_loop_t *uv;
    uv = REAL(uv_loop_new)();
    if (uv) {
        aiodebug_uv_loop_new(uv, aiodebug_stack_capture());
    }
    return uv;
}

/* Called very often by some; only its first call makes the loop. */
AIODEBUG_INTERPOSE uv_loop_t *uv_default_loop(void)
{
    if (!WATCHED()) {
        return REAL(uv_default_loop)();
    }
    uv_loop_t *uv;
    uv = REAL(uv_default_loop)();
    aiodebug_uv_loop_t *loop = uv ? aiodebug_uv_loop_of(uv) : NULL;
    if (loop && !loop->created) {
        loop->created = aiodebug_stack_capture();
    }
    return uv;
}

/* libuv's assertions hold for a loop that is closed; what is reported comes from the records. */
AIODEBUG_INTERPOSE int uv_loop_close(uv_loop_t *uv)
{
    if (!WATCHED()) {
        return REAL(uv_loop_close)(uv);
    }
    if (aiodebug_uv_loop_refused(uv, "uv_loop_close")) {
        return AIODEBUG_UV_REFUSED;
    }
    int err = REAL(uv_loop_close)(uv);
    if (err == 0) {
        aiodebug_uv_loop_gone(uv);
    } else if (err == UV_EBUSY && !FROM_RUNTIME()) {
        const aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(uv);
        if (loop) {
            aiodebug_check_uv_busy(loop);
        }
    }
    return err;
}

/* Closes it, and asserts that this succeeds. */
AIODEBUG_INTERPOSE void uv_loop_delete(uv_loop_t *uv)
{
    if (!WATCHED()) {
        REAL(uv_loop_delete)(uv);
        return;
    }
    const aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(uv);
    if (aiodebug_uv_loop_refused(uv, "uv_loop_delete")) {
        return;
    }
    if (loop && loop->handles) {
        aiodebug_check_uv_busy(loop);
    }
    REAL(uv_loop_delete)(uv);
    aiodebug_uv_loop_gone(uv);
}

/* ---- Calls that only the loop's thread may make ---- */

AIODEBUG_INTERPOSE int uv_loop_configure(uv_loop_t *uv, uv_loop_option option, ...)
{
    /* One int or nothing: what is read where nothing was passed is passed on unused. */
    va_list args;
    va_start(args, option);
    int argument = va_arg(args, int);
    va_end(args);
    if (!WATCHED()) {
        return REAL(uv_loop_configure)(uv, option, argument);
    }
    if (aiodebug_uv_loop_refused(uv, "uv_loop_configure")) {
        return AIODEBUG_UV_REFUSED;
    }
    int err = REAL(uv_loop_configure)(uv, option, argument);
    STAY();
    return err;
}

#define ON_LOOP(result, name, params, args, refused)                                               \
    AIODEBUG_INTERPOSE result name params                                                          \
    {                                                                                              \
        if (!WATCHED()) {                                                                          \
            return REAL(name) args;                                                                \
        }                                                                                          \
        if (!FROM_RUNTIME() && aiodebug_uv_loop_refused(uv, #name)) {                              \
            return refused;                                                                        \
        }                                                                                          \
        result outcome = REAL(name) args;                                                          \
        STAY();                                                                                    \
        return outcome;                                                                            \
    }

#define ON_LOOP_VOID(name, params, args)                                                           \
    AIODEBUG_INTERPOSE void name params                                                            \
    {                                                                                              \
        if (!WATCHED()) {                                                                          \
            REAL(name) args;                                                                       \
            return;                                                                                \
        }                                                                                          \
        if (!FROM_RUNTIME() && aiodebug_uv_loop_refused(uv, #name)) {                              \
            return;                                                                                \
        }                                                                                          \
        REAL(name) args;                                                                           \
        STAY();                                                                                    \
    }

ON_LOOP(int, uv_loop_fork, (uv_loop_t * uv), (uv), AIODEBUG_UV_REFUSED)
ON_LOOP(int, uv_loop_alive, (const uv_loop_t *uv), (uv), 0)
ON_LOOP(uint64_t, uv_now, (const uv_loop_t *uv), (uv), 0)
ON_LOOP(int, uv_backend_timeout, (const uv_loop_t *uv), (uv), -1)
ON_LOOP_VOID(uv_stop, (uv_loop_t * uv), (uv))
ON_LOOP_VOID(uv_update_time, (uv_loop_t * uv), (uv))
ON_LOOP_VOID(uv_print_all_handles, (uv_loop_t * uv, FILE *stream), (uv, stream))
ON_LOOP_VOID(uv_print_active_handles, (uv_loop_t * uv, FILE *stream), (uv, stream))

/* ---- uv_walk ---- */

typedef struct {
    uv_walk_cb cb;
    void *arg;
} walk_t;

TRAMPOLINE_CODE static void walked(uv_handle_t *handle, void *arg)
{
    static const aiodebug_uv_record_t unknown;
    const walk_t *walk = arg;
    const aiodebug_uv_record_t *record = aiodebug_uv_handle(handle);
    aiodebug_uv_call_ended(&aiodebug_uv_self);
    aiodebug_uv_call_begin(handle, record ? record : &unknown, (aiodebug_uv_function_t)walk->cb,
                           AIODEBUG_UV_CB_WALK, __builtin_return_address(0));
    walk->cb(handle, walk->arg);
}

/* The callback that walks, if any, goes on. */
static void end_walk(const aiodebug_uv_callback_t *outer)
{
    aiodebug_uv_call_ended(&aiodebug_uv_self);
    aiodebug_uv_self.now = *outer;
}

AIODEBUG_INTERPOSE void uv_walk(uv_loop_t *uv, uv_walk_cb cb, void *arg)
{
    if (!WATCHED()) {
        REAL(uv_walk)(uv, cb, arg);
        return;
    }
    if (!FROM_RUNTIME() && aiodebug_uv_loop_refused(uv, "uv_walk")) {
        return;
    }
    walk_t walk = {cb, arg};
    aiodebug_uv_callback_t outer __attribute__((unused, cleanup(end_walk))) = aiodebug_uv_self.now;
    aiodebug_uv_self.now.call.cb = NULL;
    aiodebug_uv_exactly_now(&aiodebug_uv_self);
    REAL(uv_walk)(uv, walked, &walk);
}
