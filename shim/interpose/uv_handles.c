/* SPDX-License-Identifier: MIT */
/*
 * libuv's functions on handles, and the trampolines of handles' callbacks.
 *
 * The program's callback is kept in the handle's record, and libuv is given the trampoline. libuv
 * itself passes what it finds in a handle to uv_timer_start() and others, and so do programs: a
 * callback that is the trampoline means "the one I have".
 */
#include "../config.h"
#include "uv_wrap.h"

/* ---- What every call on a handle asks ---- */

/* NULL when the handle is libaiort's, or nothing is known of it. */
static aiodebug_uv_subject_t *subject_of(const uv_handle_t *handle,
                                         const aiodebug_uv_record_t *record,
                                         aiodebug_uv_subject_t *subject)
{
    if (record) {
        *subject = aiodebug_uv_subject(record);
    } else {
        *subject = (aiodebug_uv_subject_t){.object = handle, .type = (uint8_t)handle->type};
    }
    return subject;
}

bool aiodebug_uv_handle_refused(const uv_handle_t *handle, aiodebug_uv_use_t use,
                                const char *function)
{
    aiodebug_uv_subject_t subject;
    if (__builtin_expect(!handle, 0)) {
        return false; /* an error code for some functions: libuv's to tell */
    }
    const aiodebug_uv_record_t *record = aiodebug_uv_handle(handle);
    if (__builtin_expect(record != NULL, 1)) {
        if (record->flags & AIODEBUG_UV_INTERNAL) {
            return false;
        }
        if (__builtin_expect(record->flags & AIODEBUG_UV_CLOSING && use == AIODEBUG_UV_USE, 0)) {
            aiodebug_check_uv_used_after_close(subject_of(handle, record, &subject), record->closed,
                                               function);
        }
        return aiodebug_uv_elsewhere(record->loop) &&
               aiodebug_check_uv_thread(record->loop, subject_of(handle, record, &subject),
                                        function);
    }
    const aiodebug_uv_closed_t *closed = aiodebug_uv_closed_find(handle);
    if (closed) {
        if (use != AIODEBUG_UV_ASK) {
            subject = (aiodebug_uv_subject_t){.object = handle,
                                              .created = closed->created,
                                              .type = closed->type,
                                              .flags = AIODEBUG_UV_CLOSED};
            aiodebug_check_uv_used_after_close(&subject, closed->closed, function);
        }
        return false;
    }
    aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(handle->loop);
    return loop && aiodebug_uv_elsewhere(loop) &&
           aiodebug_check_uv_thread(loop, subject_of(handle, NULL, &subject), function);
}

#define ON_HANDLE(result, name, use, params, args, handle, refused)                                \
    AIODEBUG_INTERPOSE result name params                                                          \
    {                                                                                              \
        if (!WATCHED()) {                                                                          \
            return REAL(name) args;                                                                \
        }                                                                                          \
        if (aiodebug_uv_handle_refused((const uv_handle_t *)handle, AIODEBUG_UV_##use, #name)) {   \
            return refused;                                                                        \
        }                                                                                          \
        result outcome = REAL(name) args;                                                          \
        STAY();                                                                                    \
        return outcome;                                                                            \
    }

#define ON_HANDLE_int(...) ON_HANDLE(int, __VA_ARGS__, AIODEBUG_UV_REFUSED)
#define ON_HANDLE_size_t(...) ON_HANDLE(size_t, __VA_ARGS__, 0)
#define ON_HANDLE_uint64_t(...) ON_HANDLE(uint64_t, __VA_ARGS__, 0)
#define ON_HANDLE_uv_handle_type(...) ON_HANDLE(uv_handle_type, __VA_ARGS__, UV_UNKNOWN_HANDLE)
#define ON_HANDLE_void(name, use, params, args, handle)                                            \
    AIODEBUG_INTERPOSE void name params                                                            \
    {                                                                                              \
        if (!WATCHED()) {                                                                          \
            REAL(name) args;                                                                       \
            return;                                                                                \
        }                                                                                          \
        if (!aiodebug_uv_handle_refused((const uv_handle_t *)handle, AIODEBUG_UV_##use, #name)) {  \
            REAL(name) args;                                                                       \
            STAY();                                                                                \
        }                                                                                          \
    }

#define XX(result, name, use, params, args, handle)                                                \
    ON_HANDLE_##result(name, use, params, args, handle)
AIODEBUG_UV_OPS(XX)
#undef XX

/* ---- Beginnings ---- */

/* Before the real init. False: refuse it. */
static bool may_init(const uv_loop_t *uv, const uv_handle_t *handle, const char *function,
                     bool internal)
{
    aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(uv);
    /* By the address alone: the memory need not be initialised. */
    uint32_t number = aiodebug_uv_number_at(handle);
    if (internal) {
        return true;
    }
    if (number) {
        const aiodebug_uv_record_t *record = aiodebug_uv_record(number);
        if (record && record->object == handle && record->loop == loop &&
            !(record->flags & (AIODEBUG_UV_FREED | AIODEBUG_UV_INTERNAL))) {
            aiodebug_check_uv_reinitialized(record, function);
        }
    }
    return !loop || !aiodebug_uv_elsewhere(loop) || !aiodebug_check_uv_thread(loop, NULL, function);
}

/* After it. */
static aiodebug_uv_record_t *initialised(uv_handle_t *handle, size_t size, unsigned flags)
{
    aiodebug_uv_record_t *before = aiodebug_uv_record(aiodebug_uv_number_at(handle));
    if (before && before->object == handle) {
        aiodebug_uv_drop(before);
    }
    aiodebug_uv_closed_forget(handle);
    uint32_t created = flags & AIODEBUG_UV_INTERNAL ? 0 : aiodebug_stack_capture();
    return aiodebug_uv_handle_add(handle, size, created, flags);
}

#define XX(name, params, args, handle)                                                             \
    AIODEBUG_INTERPOSE int name params                                                             \
    {                                                                                              \
        if (!WATCHED()) {                                                                          \
            return REAL(name) args;                                                                \
        }                                                                                          \
        bool internal = FROM_RUNTIME();                                                            \
        if (!may_init(loop, (uv_handle_t *)handle, #name, internal)) {                             \
            return AIODEBUG_UV_REFUSED;                                                            \
        }                                                                                          \
        int err = REAL(name) args;                                                                 \
        if (err == 0) {                                                                            \
            initialised((uv_handle_t *)handle, sizeof *handle,                                     \
                        internal ? AIODEBUG_UV_INTERNAL : 0);                                      \
        }                                                                                          \
        return err;                                                                                \
    }
AIODEBUG_UV_INITS(XX)
#undef XX

/* ---- Callbacks ---- */

/* The record by which a trampoline finds the program's callback; one is made for a handle whose
 * init was not seen. NULL: libuv is given the program's callback itself. */
static aiodebug_uv_record_t *startable(uv_handle_t *handle, size_t size)
{
    aiodebug_uv_record_t *record = handle ? aiodebug_uv_handle(handle) : NULL;
    if (!record && handle && !aiodebug_uv_closed_find(handle) && handle->loop) {
        record = aiodebug_uv_handle_add(handle, size, 0, 0);
    }
    return record;
}

/* Keeps the program's callback, unless it is the trampoline, and returns what to give to libuv. */
static aiodebug_uv_function_t keep(aiodebug_uv_record_t *record, aiodebug_uv_slot_t slot,
                                   aiodebug_uv_function_t cb, aiodebug_uv_function_t trampoline)
{
    if (cb != trampoline) {
        record->cb[slot] = cb;
    }
    return cb ? trampoline : NULL;
}

#define KEEP(record, slot, cb, trampoline)                                                         \
    ((__typeof__(cb))keep(record, slot, (aiodebug_uv_function_t)(cb),                              \
                          (aiodebug_uv_function_t)(trampoline)))

/* The trampoline NAME of a callback with these parameters, the first of which is the handle. */
#define TRAMPOLINE(name, type, slot, params, args, handle)                                         \
    TRAMPOLINE_HALVES(name, params)                                                                \
    {                                                                                              \
        const uv_handle_t *it = (const uv_handle_t *)handle;                                       \
        const aiodebug_uv_record_t *record = aiodebug_uv_marked(it->u.reserved[3], it);            \
        type cb = record ? (type)record->cb[slot] : NULL;                                          \
        CALL_QUICKLY(name, handle, record, cb, slot, args, (void)0);                               \
    }                                                                                              \
    static void name##_slowly params                                                               \
    {                                                                                              \
        const aiodebug_uv_record_t *record = aiodebug_uv_handle((const uv_handle_t *)handle);      \
        type cb = record ? (type)record->cb[slot] : NULL;                                          \
        if (cb) {                                                                                  \
            CALL_BACK(handle, record, cb, slot, args);                                             \
        }                                                                                          \
    }

TRAMPOLINE(on_timer, uv_timer_cb, AIODEBUG_UV_CB, (uv_timer_t * h), (h), h)
TRAMPOLINE(on_idle, uv_idle_cb, AIODEBUG_UV_CB, (uv_idle_t * h), (h), h)
TRAMPOLINE(on_prepare, uv_prepare_cb, AIODEBUG_UV_CB, (uv_prepare_t * h), (h), h)
TRAMPOLINE(on_check, uv_check_cb, AIODEBUG_UV_CB, (uv_check_t * h), (h), h)
TRAMPOLINE(on_async, uv_async_cb, AIODEBUG_UV_CB, (uv_async_t * h), (h), h)
TRAMPOLINE(on_poll, uv_poll_cb, AIODEBUG_UV_CB, (uv_poll_t * h, int status, int events),
           (h, status, events), h)
TRAMPOLINE(on_signal, uv_signal_cb, AIODEBUG_UV_CB, (uv_signal_t * h, int number), (h, number), h)
TRAMPOLINE(on_fs_event, uv_fs_event_cb, AIODEBUG_UV_CB,
           (uv_fs_event_t * h, const char *name, int events, int status), (h, name, events, status),
           h)
TRAMPOLINE(on_fs_poll, uv_fs_poll_cb, AIODEBUG_UV_CB,
           (uv_fs_poll_t * h, int status, const uv_stat_t *before, const uv_stat_t *now),
           (h, status, before, now), h)
TRAMPOLINE(on_connection, uv_connection_cb, AIODEBUG_UV_CB_CONNECTION,
           (uv_stream_t * h, int status), (h, status), h)
TRAMPOLINE(on_alloc, uv_alloc_cb, AIODEBUG_UV_CB_ALLOC,
           (uv_handle_t * h, size_t size, uv_buf_t *buf), (h, size, buf), h)
TRAMPOLINE(on_read, uv_read_cb, AIODEBUG_UV_CB, (uv_stream_t * h, ssize_t n, const uv_buf_t *buf),
           (h, n, buf), h)
TRAMPOLINE(on_recv, uv_udp_recv_cb, AIODEBUG_UV_CB,
           (uv_udp_t * h, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
            unsigned flags),
           (h, n, buf, from, flags), h)
TRAMPOLINE(on_exit_of_child, uv_exit_cb, AIODEBUG_UV_CB,
           (uv_process_t * h, int64_t status, int number), (h, status, number), h)

/* NAME, whose callback `cb` goes to this slot. */
#define START(name, slot, trampoline, params, before, after)                                       \
    AIODEBUG_INTERPOSE int name params                                                             \
    {                                                                                              \
        if (!WATCHED()) {                                                                          \
            return REAL(name)(UNPACK before, cb UNPACK after);                                     \
        }                                                                                          \
        if (aiodebug_uv_handle_refused((uv_handle_t *)h, AIODEBUG_UV_USE, #name)) {                \
            return AIODEBUG_UV_REFUSED;                                                            \
        }                                                                                          \
        aiodebug_uv_record_t *record = startable((uv_handle_t *)h, sizeof *h);                     \
        aiodebug_uv_function_t kept = record ? record->cb[slot] : NULL;                            \
        if (record) {                                                                              \
            cb = KEEP(record, slot, cb, trampoline);                                               \
        }                                                                                          \
        int err = REAL(name)(UNPACK before, cb UNPACK after);                                      \
        if (err != 0 && record) {                                                                  \
            record->cb[slot] = kept;                                                               \
        }                                                                                          \
        return err;                                                                                \
    }
#define UNPACK(...) __VA_ARGS__

START(uv_timer_start, AIODEBUG_UV_CB, on_timer,
      (uv_timer_t * h, uv_timer_cb cb, uint64_t timeout, uint64_t repeat), (h), (, timeout, repeat))
START(uv_poll_start, AIODEBUG_UV_CB, on_poll, (uv_poll_t * h, int events, uv_poll_cb cb),
      (h, events), ())
START(uv_signal_start, AIODEBUG_UV_CB, on_signal, (uv_signal_t * h, uv_signal_cb cb, int number),
      (h), (, number))
START(uv_signal_start_oneshot, AIODEBUG_UV_CB, on_signal,
      (uv_signal_t * h, uv_signal_cb cb, int number), (h), (, number))
START(uv_fs_event_start, AIODEBUG_UV_CB, on_fs_event,
      (uv_fs_event_t * h, uv_fs_event_cb cb, const char *path, unsigned flags), (h),
      (, path, flags))
START(uv_fs_poll_start, AIODEBUG_UV_CB, on_fs_poll,
      (uv_fs_poll_t * h, uv_fs_poll_cb cb, const char *path, unsigned interval), (h),
      (, path, interval))
START(uv_listen, AIODEBUG_UV_CB_CONNECTION, on_connection,
      (uv_stream_t * h, int backlog, uv_connection_cb cb), (h, backlog), ())

/* Starting one of these that is active changes nothing, its callback included. */
#define START_ONCE(name, trampoline, params, type)                                                 \
    AIODEBUG_INTERPOSE int name params                                                             \
    {                                                                                              \
        if (!WATCHED()) {                                                                          \
            return REAL(name)(h, cb);                                                              \
        }                                                                                          \
        if (aiodebug_uv_handle_refused((uv_handle_t *)h, AIODEBUG_UV_USE, #name)) {                \
            return AIODEBUG_UV_REFUSED;                                                            \
        }                                                                                          \
        aiodebug_uv_record_t *record = startable((uv_handle_t *)h, sizeof *h);                     \
        if (record && cb && !REAL(uv_is_active)((uv_handle_t *)h)) {                               \
            cb = KEEP(record, AIODEBUG_UV_CB, cb, trampoline);                                     \
        } else if (record && cb) {                                                                 \
            cb = trampoline;                                                                       \
        }                                                                                          \
        int err = REAL(name)(h, cb);                                                               \
        STAY();                                                                                    \
        return err;                                                                                \
    }
START_ONCE(uv_idle_start, on_idle, (uv_idle_t * h, uv_idle_cb cb), uv_idle_cb)
START_ONCE(uv_prepare_start, on_prepare, (uv_prepare_t * h, uv_prepare_cb cb), uv_prepare_cb)
START_ONCE(uv_check_start, on_check, (uv_check_t * h, uv_check_cb cb), uv_check_cb)

AIODEBUG_INTERPOSE int uv_timer_again(uv_timer_t *h)
{
    if (!WATCHED()) {
        return REAL(uv_timer_again)(h);
    }
    if (aiodebug_uv_handle_refused((uv_handle_t *)h, AIODEBUG_UV_USE, "uv_timer_again")) {
        return AIODEBUG_UV_REFUSED;
    }
    int err = REAL(uv_timer_again)(h);
    STAY();
    return err;
}

/* Two callbacks, both of which the failure of the call leaves as they were. */
#define START_READING(name, type, read_type, trampoline)                                           \
    AIODEBUG_INTERPOSE int name(type *h, uv_alloc_cb alloc_cb, read_type cb)                       \
    {                                                                                              \
        if (!WATCHED()) {                                                                          \
            return REAL(name)(h, alloc_cb, cb);                                                    \
        }                                                                                          \
        if (aiodebug_uv_handle_refused((uv_handle_t *)h, AIODEBUG_UV_USE, #name)) {                \
            return AIODEBUG_UV_REFUSED;                                                            \
        }                                                                                          \
        aiodebug_uv_record_t *record = startable((uv_handle_t *)h, sizeof *h);                     \
        aiodebug_uv_function_t kept[2] = {NULL, NULL};                                             \
        if (record) {                                                                              \
            kept[0] = record->cb[AIODEBUG_UV_CB];                                                  \
            kept[1] = record->cb[AIODEBUG_UV_CB_ALLOC];                                            \
            cb = KEEP(record, AIODEBUG_UV_CB, cb, trampoline);                                     \
            alloc_cb = KEEP(record, AIODEBUG_UV_CB_ALLOC, alloc_cb, on_alloc);                     \
        }                                                                                          \
        int err = REAL(name)(h, alloc_cb, cb);                                                     \
        if (err != 0 && record) {                                                                  \
            record->cb[AIODEBUG_UV_CB] = kept[0];                                                  \
            record->cb[AIODEBUG_UV_CB_ALLOC] = kept[1];                                            \
        }                                                                                          \
        return err;                                                                                \
    }
START_READING(uv_read_start, uv_stream_t, uv_read_cb, on_read)
START_READING(uv_udp_recv_start, uv_udp_t, uv_udp_recv_cb, on_recv)

/* ---- Inits that start ---- */

AIODEBUG_INTERPOSE int uv_async_init(uv_loop_t *loop, uv_async_t *h, uv_async_cb cb)
{
    if (!WATCHED()) {
        return REAL(uv_async_init)(loop, h, cb);
    }
    bool internal = FROM_RUNTIME();
    if (!may_init(loop, (uv_handle_t *)h, "uv_async_init", internal)) {
        return AIODEBUG_UV_REFUSED;
    }
    int err = REAL(uv_async_init)(loop, h, cb ? on_async : NULL);
    if (err == 0) {
        aiodebug_uv_record_t *record =
            initialised((uv_handle_t *)h, sizeof *h, internal ? AIODEBUG_UV_INTERNAL : 0);
        if (record) {
            record->cb[AIODEBUG_UV_CB] = (aiodebug_uv_function_t)cb;
        } else if (cb) {
            h->async_cb = cb;
        }
    }
    return err;
}

/* The handle may be initialised though the process could not be started; then nothing is sure. */
AIODEBUG_INTERPOSE int uv_spawn(uv_loop_t *loop, uv_process_t *h,
                                const uv_process_options_t *options)
{
    if (!WATCHED()) {
        return REAL(uv_spawn)(loop, h, options);
    }
    bool internal = FROM_RUNTIME();
    if (!may_init(loop, (uv_handle_t *)h, "uv_spawn", internal)) {
        return AIODEBUG_UV_REFUSED;
    }
    uv_process_options_t copy = *options;
    if (copy.exit_cb) {
        copy.exit_cb = on_exit_of_child;
    }
    int err = REAL(uv_spawn)(loop, h, &copy);
    aiodebug_uv_record_t *record = NULL;
    if (err == 0 || h->loop == loop) {
        record = initialised((uv_handle_t *)h, sizeof *h,
                             (internal ? AIODEBUG_UV_INTERNAL : 0) | (err ? AIODEBUG_UV_HALF : 0));
    }
    if (record) {
        record->cb[AIODEBUG_UV_CB] = (aiodebug_uv_function_t)options->exit_cb;
    } else if (err == 0) {
        h->exit_cb = options->exit_cb;
    }
    return err;
}

/* ---- Ends ---- */

/* The record goes first: the program frees the memory in its callback, or uses it again. */
TRAMPOLINE_CODE static void on_close(uv_handle_t *h)
{
    aiodebug_uv_record_t *record = aiodebug_uv_handle(h);
    if (!record) {
        return;
    }
    const aiodebug_uv_record_t was = *record;
    uv_close_cb cb = (uv_close_cb)record->cb[AIODEBUG_UV_CB_CLOSE];
    if (!(record->flags & AIODEBUG_UV_INTERNAL)) {
        aiodebug_uv_closed_note(record);
    }
    aiodebug_uv_drop(record);
    if (cb) {
        CALL_BACK(h, &was, cb, AIODEBUG_UV_CB_CLOSE, (h));
    }
}

/* Before the real close: libuv's assertion may end the program. True: refuse it. */
static bool close_refused(const uv_handle_t *h, const char *function)
{
    aiodebug_uv_subject_t subject;
    const aiodebug_uv_record_t *record = aiodebug_uv_handle(h);
    const aiodebug_uv_closed_t *closed = record ? NULL : aiodebug_uv_closed_find(h);
    if (record && record->flags & AIODEBUG_UV_CLOSING && !(record->flags & AIODEBUG_UV_INTERNAL)) {
        aiodebug_check_uv_closed_twice(subject_of(h, record, &subject), record->closed, function);
    } else if (closed) {
        subject = (aiodebug_uv_subject_t){.object = h,
                                          .created = closed->created,
                                          .type = closed->type,
                                          .flags = AIODEBUG_UV_CLOSED};
        aiodebug_check_uv_closed_twice(&subject, closed->closed, function);
        return false;
    }
    return aiodebug_uv_handle_refused(h, AIODEBUG_UV_ASK, function);
}

/* NULL: the close goes by without us. */
static aiodebug_uv_record_t *closing(uv_handle_t *h, uv_close_cb cb)
{
    aiodebug_uv_record_t *record = aiodebug_uv_handle(h);
    if (record) {
        record->flags |= AIODEBUG_UV_CLOSING;
        if (cb != on_close) {
            record->cb[AIODEBUG_UV_CB_CLOSE] = (aiodebug_uv_function_t)cb;
        }
        if (!(record->flags & AIODEBUG_UV_INTERNAL)) {
            record->closed = aiodebug_stack_capture();
        }
    }
    return record;
}

AIODEBUG_INTERPOSE void uv_close(uv_handle_t *h, uv_close_cb cb)
{
    if (!WATCHED()) {
        REAL(uv_close)(h, cb);
        return;
    }
    if (close_refused(h, "uv_close")) {
        return;
    }
    if (closing(h, cb)) {
        cb = on_close;
    }
    REAL(uv_close)(h, cb);
    STAY();
}

AIODEBUG_INTERPOSE int uv_tcp_close_reset(uv_tcp_t *h, uv_close_cb cb)
{
    uv_handle_t *handle = (uv_handle_t *)h;
    if (!WATCHED()) {
        return REAL(uv_tcp_close_reset)(h, cb);
    }
    if (close_refused(handle, "uv_tcp_close_reset")) {
        return AIODEBUG_UV_REFUSED;
    }
    aiodebug_uv_record_t *record = aiodebug_uv_handle(handle);
    bool first = record && !(record->flags & AIODEBUG_UV_CLOSING);
    if (closing(handle, cb)) {
        cb = on_close;
    }
    int err = REAL(uv_tcp_close_reset)(h, cb);
    if (err != 0 && first) {
        record->flags &= (uint8_t)~AIODEBUG_UV_CLOSING;
        record->closed = 0;
    }
    return err;
}
