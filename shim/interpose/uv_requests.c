/* SPDX-License-Identifier: MIT */
/*
 * libuv's functions that submit requests, and the trampolines of requests' callbacks.
 *
 * A request has a record from its submission to its callback. Without a callback uv_fs_*,
 * uv_getaddrinfo(), uv_getnameinfo() and uv_random() run in the caller, on any thread and even
 * without a loop; those go by. uv_write() and the like may have none and are pending all the same.
 */
#include "uv_wrap.h"

/* ---- Begin and end of a request ---- */

/* What a submission has found out before the real call. */
typedef struct {
    aiodebug_uv_record_t *record; /* NULL: not watched */
    bool again;                   /* it was pending already; `before`: as the record was */
    bool refused;
} submission_t;

/* Of the submission that the thread makes now: libuv makes none on the way that is watched. */
static _Thread_local aiodebug_uv_record_t before;

/* A pending request is submitted again. libuv has the new callback in it and may call that for
 * both, or may have lost one: the record stays for as many callbacks as there may be, and nothing
 * is said of this request any more. */
static __attribute__((noinline)) void submit_again(aiodebug_uv_record_t *record,
                                                   aiodebug_uv_loop_t *loop, uv_req_type type,
                                                   aiodebug_uv_function_t cb, uint32_t created)
{
    before = *record;
    record->flags |= AIODEBUG_UV_HALF;
    record->size++;
    record->loop = loop;
    record->type = (uint8_t)type;
    record->created = created;
    record->cb[AIODEBUG_UV_CB] = cb;
}

/* Whether this is the loop's thread was asked already when the request is `on_handle`. */
static submission_t submit(uv_req_t *req, aiodebug_uv_loop_t *loop, uv_req_type type,
                           aiodebug_uv_function_t cb, const char *function, bool internal,
                           bool on_handle)
{
    if (__builtin_expect(aiodebug_on_valgrind, 0)) {
        aiodebug_may_read(&req->reserved[5], sizeof req->reserved[5]);
    }
    submission_t submission = {.record = aiodebug_uv_request(req)};
    if (__builtin_expect(submission.record != NULL, 0) && !internal &&
        !(submission.record->flags & AIODEBUG_UV_HALF)) {
        aiodebug_check_uv_reused(submission.record, function);
    }
    if (__builtin_expect(!loop, 0)) {
        return submission;
    }
    if (!on_handle && aiodebug_uv_elsewhere(loop) && !internal) {
        aiodebug_uv_subject_t subject = {
            .object = req, .cb = cb, .type = (uint8_t)type, .flags = AIODEBUG_UV_REQUEST};
        if (aiodebug_check_uv_thread(loop, &subject, function)) {
            submission.refused = true;
            return submission;
        }
    }
    uint32_t created = internal ? 0 : aiodebug_stack_capture();
    if (__builtin_expect(submission.record != NULL, 0)) {
        submission.again = true;
        submit_again(submission.record, loop, type, cb, created);
    } else {
        submission.record = aiodebug_uv_request_add(req, loop, type, cb, created,
                                                    internal ? AIODEBUG_UV_INTERNAL : 0);
    }
    return submission;
}

/* The call returned an error: no callback will come. */
static __attribute__((noinline)) void withdraw(uv_req_t *req, submission_t submission)
{
    if (!submission.record || submission.record->object != req) {
        return;
    }
    if (submission.again) {
        *submission.record = before;
    } else {
        aiodebug_uv_drop(submission.record);
    }
}

/* The request is over. Its record is dropped before the program's callback runs, where the request
 * may be freed or submitted again. In each trampoline, so that the copy is no more than what is
 * used of it, in registers: one in memory would keep the trampoline from ending with a jump. */
static inline __attribute__((always_inline)) aiodebug_uv_record_t finish(uv_req_t *req)
{
    static const aiodebug_uv_record_t unknown;
    aiodebug_uv_record_t *record = aiodebug_uv_request(req);
    if (__builtin_expect(!record, 0)) {
        record = aiodebug_uv_request_lost(req);
        if (!record) {
            return unknown;
        }
    }
    aiodebug_uv_record_t was = *record;
    if (__builtin_expect(record->size > 0, 0)) {
        record->size--; /* it was submitted more than once */
    } else {
        aiodebug_uv_drop(record);
    }
    return was;
}

/* The trampoline NAME of a callback of this type whose first parameter is the request. */
#define DONE(name, type, params, args)                                                             \
    TRAMPOLINE_HALVES(name, params)                                                                \
    {                                                                                              \
        aiodebug_uv_record_t *record = aiodebug_uv_request((uv_req_t *)req);                       \
        type cb = record && aiodebug_uv_request_may_end(record) ? (type)record->cb[AIODEBUG_UV_CB] \
                                                                : NULL;                            \
        CALL_QUICKLY(name, req, record, cb, AIODEBUG_UV_CB, args,                                  \
                     aiodebug_uv_request_end(record));                                             \
    }                                                                                              \
    static void name##_slowly params                                                               \
    {                                                                                              \
        const aiodebug_uv_record_t was = finish((uv_req_t *)req);                                  \
        type cb = (type)was.cb[AIODEBUG_UV_CB];                                                    \
        if (cb) {                                                                                  \
            CALL_BACK(req, &was, cb, AIODEBUG_UV_CB, args);                                        \
        }                                                                                          \
    }

DONE(on_fs, uv_fs_cb, (uv_fs_t * req), (req))
DONE(on_write, uv_write_cb, (uv_write_t * req, int status), (req, status))
DONE(on_shutdown, uv_shutdown_cb, (uv_shutdown_t * req, int status), (req, status))
DONE(on_connect, uv_connect_cb, (uv_connect_t * req, int status), (req, status))
DONE(on_send, uv_udp_send_cb, (uv_udp_send_t * req, int status), (req, status))
DONE(on_random, uv_random_cb, (uv_random_t * req, int status, void *buf, size_t size),
     (req, status, buf, size))
DONE(on_addrinfo, uv_getaddrinfo_cb, (uv_getaddrinfo_t * req, int status, struct addrinfo *found),
     (req, status, found))
DONE(on_nameinfo, uv_getnameinfo_cb,
     (uv_getnameinfo_t * req, int status, const char *host, const char *service),
     (req, status, host, service))

#define SUBMIT(req, loop, type, cb, name, on_handle)                                               \
    submit((uv_req_t *)(req), loop, type, (aiodebug_uv_function_t)(cb), name, FROM_RUNTIME(),      \
           on_handle)

/* The rest of such a function: CALL, the real call, with the trampoline for `cb`. */
#define SUBMITTED(trampoline, call)                                                                \
    if (submission.record) {                                                                       \
        cb = trampoline;                                                                           \
    }                                                                                              \
    int err = call;                                                                                \
    if (err < 0) {                                                                                 \
        withdraw((uv_req_t *)req, submission);                                                     \
    }                                                                                              \
    return err

/* ---- Streams ---- */

/* The loop of a request on this handle; NULL: not known. `*refused`: whether the call is. */
static inline aiodebug_uv_loop_t *loop_of(const void *handle, const char *function, bool *refused)
{
    const uv_handle_t *h = handle;
    const aiodebug_uv_record_t *record = aiodebug_uv_handle(h);
    *refused =
        !aiodebug_uv_quiet(record) && aiodebug_uv_handle_refused(h, AIODEBUG_UV_USE, function);
    return record ? record->loop : aiodebug_uv_loop_of(h->loop);
}

/* The body of a function that returns an error code: `handle` is what the request works on, CALL
 * the real call. `cb` becomes the trampoline. */
#define SUBMIT_ON_HANDLE(name, handle, type, trampoline, call)                                     \
    if (!WATCHED()) {                                                                              \
        return call;                                                                               \
    }                                                                                              \
    bool refused;                                                                                  \
    aiodebug_uv_loop_t *of = loop_of(handle, #name, &refused);                                     \
    if (refused) {                                                                                 \
        return AIODEBUG_UV_REFUSED;                                                                \
    }                                                                                              \
    submission_t submission = SUBMIT(req, of, type, cb, #name, true);                              \
    SUBMITTED(trampoline, call)

static __attribute__((noinline)) int write_slowly(uv_write_t *req, uv_stream_t *stream,
                                                  const uv_buf_t bufs[], unsigned count,
                                                  uv_write_cb cb, bool internal)
{
    bool refused;
    aiodebug_uv_loop_t *of = loop_of(stream, "uv_write", &refused);
    if (refused) {
        return AIODEBUG_UV_REFUSED;
    }
    submission_t submission = submit((uv_req_t *)req, of, UV_WRITE, (aiodebug_uv_function_t)cb,
                                     "uv_write", internal, true);
    SUBMITTED(on_write, REAL(uv_write)(req, stream, bufs, count, cb));
}

/* There is no other error that uv_write2() returns. Of libraries whose source was not read that is
 * not believed. */
static inline bool cannot_fail(const uv_stream_t *stream, unsigned count)
{
    enum { NO_MEMORY_WANTED = sizeof((uv_write_t *)0)->bufsml / sizeof(uv_buf_t) };
    return __atomic_load_n(&aiodebug_uv_is_known, __ATOMIC_RELAXED) &&
           count - 1 < NO_MEMORY_WANTED && stream->io_watcher.fd >= 0 &&
           REAL(uv_is_writable)(stream);
}

/*
 * What servers do most. After a system call each return costs a misprediction where the kernel
 * clears the processor's return stack; so nothing of ours is to be returned to when the call cannot
 * fail, and libuv's uv_write(), which only jumps to uv_write2(), is left out.
 */
AIODEBUG_INTERPOSE int uv_write(uv_write_t *req, uv_stream_t *stream, const uv_buf_t bufs[],
                                unsigned count, uv_write_cb cb)
{
    if (!WATCHED()) {
        return REAL(uv_write)(req, stream, bufs, count, cb);
    }
    const uv_handle_t *handle = (const uv_handle_t *)stream;
    const aiodebug_uv_record_t *of = aiodebug_uv_marked(handle->u.reserved[3], handle);
    bool internal = FROM_RUNTIME();
    if (!aiodebug_uv_quiet(of) || !cannot_fail(stream, count) ||
        aiodebug_uv_request((const uv_req_t *)req) ||
        !aiodebug_uv_request_begin((uv_req_t *)req, of->loop, UV_WRITE, (aiodebug_uv_function_t)cb,
                                   internal ? 0 : aiodebug_stack_capture(),
                                   internal ? AIODEBUG_UV_INTERNAL : 0)) {
        return write_slowly(req, stream, bufs, count, cb, internal);
    }
    return REAL(uv_write2)(req, stream, bufs, count, NULL, on_write);
}

AIODEBUG_INTERPOSE int uv_write2(uv_write_t *req, uv_stream_t *stream, const uv_buf_t bufs[],
                                 unsigned count, uv_stream_t *send, uv_write_cb cb)
{
    SUBMIT_ON_HANDLE(uv_write2, stream, UV_WRITE, on_write,
                     REAL(uv_write2)(req, stream, bufs, count, send, cb));
}

AIODEBUG_INTERPOSE int uv_shutdown(uv_shutdown_t *req, uv_stream_t *stream, uv_shutdown_cb cb)
{
    SUBMIT_ON_HANDLE(uv_shutdown, stream, UV_SHUTDOWN, on_shutdown,
                     REAL(uv_shutdown)(req, stream, cb));
}

AIODEBUG_INTERPOSE int uv_tcp_connect(uv_connect_t *req, uv_tcp_t *tcp,
                                      const struct sockaddr *address, uv_connect_cb cb)
{
    SUBMIT_ON_HANDLE(uv_tcp_connect, tcp, UV_CONNECT, on_connect,
                     REAL(uv_tcp_connect)(req, tcp, address, cb));
}

AIODEBUG_INTERPOSE int uv_pipe_connect2(uv_connect_t *req, uv_pipe_t *pipe, const char *name,
                                        size_t length, unsigned flags, uv_connect_cb cb)
{
    SUBMIT_ON_HANDLE(uv_pipe_connect2, pipe, UV_CONNECT, on_connect,
                     REAL(uv_pipe_connect2)(req, pipe, name, length, flags, cb));
}

AIODEBUG_INTERPOSE int uv_udp_send(uv_udp_send_t *req, uv_udp_t *udp, const uv_buf_t bufs[],
                                   unsigned count, const struct sockaddr *to, uv_udp_send_cb cb)
{
    SUBMIT_ON_HANDLE(uv_udp_send, udp, UV_UDP_SEND, on_send,
                     REAL(uv_udp_send)(req, udp, bufs, count, to, cb));
}

/* Errors come to the callback. */
AIODEBUG_INTERPOSE void uv_pipe_connect(uv_connect_t *req, uv_pipe_t *pipe, const char *name,
                                        uv_connect_cb cb)
{
    if (!WATCHED()) {
        REAL(uv_pipe_connect)(req, pipe, name, cb);
        return;
    }
    bool refused;
    aiodebug_uv_loop_t *of = loop_of(pipe, "uv_pipe_connect", &refused);
    if (refused) {
        return;
    }
    submission_t submission = SUBMIT(req, of, UV_CONNECT, cb, "uv_pipe_connect", true);
    if (submission.record) {
        cb = on_connect;
    }
    REAL(uv_pipe_connect)(req, pipe, name, cb);
    STAY();
}

/* ---- The pool ---- */

/* With a callback it is the loop's; without one it runs here and now, and without a request it is
 * an error. CALL is the real call. */
#define SUBMIT_ON_LOOP(name, type, trampoline, call)                                               \
    if (!cb || !req || !WATCHED()) {                                                               \
        return call;                                                                               \
    }                                                                                              \
    submission_t submission = SUBMIT(req, aiodebug_uv_loop_of(loop), type, cb, #name, false);      \
    if (submission.refused) {                                                                      \
        return AIODEBUG_UV_REFUSED;                                                                \
    }                                                                                              \
    SUBMITTED(trampoline, call)

#define XX(name, params, args)                                                                     \
    AIODEBUG_INTERPOSE int name params                                                             \
    {                                                                                              \
        SUBMIT_ON_LOOP(name, UV_FS, on_fs, REAL(name) args);                                       \
    }
AIODEBUG_UV_FS(XX)
#undef XX

AIODEBUG_INTERPOSE int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb,
                                      const char *node, const char *service,
                                      const struct addrinfo *hints)
{
    SUBMIT_ON_LOOP(uv_getaddrinfo, UV_GETADDRINFO, on_addrinfo,
                   REAL(uv_getaddrinfo)(loop, req, cb, node, service, hints));
}

AIODEBUG_INTERPOSE int uv_getnameinfo(uv_loop_t *loop, uv_getnameinfo_t *req, uv_getnameinfo_cb cb,
                                      const struct sockaddr *address, int flags)
{
    SUBMIT_ON_LOOP(uv_getnameinfo, UV_GETNAMEINFO, on_nameinfo,
                   REAL(uv_getnameinfo)(loop, req, cb, address, flags));
}

AIODEBUG_INTERPOSE int uv_random(uv_loop_t *loop, uv_random_t *req, void *buf, size_t size,
                                 unsigned flags, uv_random_cb cb)
{
    SUBMIT_ON_LOOP(uv_random, UV_RANDOM, on_random,
                   REAL(uv_random)(loop, req, buf, size, flags, cb));
}

/* On a thread of the pool: nothing but the program's function, whose calls are the program's. */
TRAMPOLINE_CODE static void on_work(uv_work_t *req)
{
    const aiodebug_uv_record_t *record = aiodebug_uv_request((const uv_req_t *)req);
    if (!record) {
        record = aiodebug_uv_request_lost((const uv_req_t *)req);
    }
    uv_work_cb cb = record ? (uv_work_cb)record->cb[AIODEBUG_UV_CB] : NULL;
    aiodebug_uv_self.now.back = __builtin_return_address(0);
    if (cb) {
        cb(req);
    }
}

TRAMPOLINE_CODE static void on_after_work(uv_work_t *req, int status)
{
    const aiodebug_uv_record_t was = finish((uv_req_t *)req);
    uv_after_work_cb cb = (uv_after_work_cb)was.cb[AIODEBUG_UV_CB_AFTER_WORK];
    if (cb) {
        CALL_BACK(req, &was, cb, AIODEBUG_UV_CB_AFTER_WORK, (req, status));
    }
}

AIODEBUG_INTERPOSE int uv_queue_work(uv_loop_t *loop, uv_work_t *req, uv_work_cb cb,
                                     uv_after_work_cb after)
{
    if (!WATCHED() || !cb) {
        return REAL(uv_queue_work)(loop, req, cb, after);
    }
    submission_t submission =
        SUBMIT(req, aiodebug_uv_loop_of(loop), UV_WORK, cb, "uv_queue_work", false);
    if (submission.refused) {
        return AIODEBUG_UV_REFUSED;
    }
    if (submission.record) {
        submission.record->cb[AIODEBUG_UV_CB_AFTER_WORK] = (aiodebug_uv_function_t)after;
        cb = on_work;
        after = on_after_work;
    }
    int err = REAL(uv_queue_work)(loop, req, cb, after);
    if (err < 0) {
        withdraw((uv_req_t *)req, submission);
    }
    return err;
}

/* The callback comes all the same. */
AIODEBUG_INTERPOSE int uv_cancel(uv_req_t *req)
{
    if (!WATCHED()) {
        return REAL(uv_cancel)(req);
    }
    const aiodebug_uv_record_t *record = aiodebug_uv_request(req);
    if (record && !(record->flags & AIODEBUG_UV_INTERNAL) && aiodebug_uv_elsewhere(record->loop)) {
        aiodebug_uv_subject_t subject = aiodebug_uv_subject(record);
        if (aiodebug_check_uv_thread(record->loop, &subject, "uv_cancel")) {
            return AIODEBUG_UV_REFUSED;
        }
    }
    int err = REAL(uv_cancel)(req);
    STAY();
    return err;
}
