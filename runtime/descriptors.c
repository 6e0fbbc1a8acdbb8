/* SPDX-License-Identifier: MIT */
/*
 * Readers, writers and signal handlers: callbacks that the loop calls each time something happens
 * outside. Each is a handle of the runtime's that libuv's callback puts into the ready queue,
 * unless it is there still.
 */
#include "transport.h"

#include <signal.h>

enum { READER, WRITER };

typedef struct {
    aiort__attached_t attached; /* first */
    uv_poll_t poll;
    aiort_loop_t *loop;
    int fd;
    aiort_handle_t *handles[2];
} watched_t;

typedef struct {
    aiort__attached_t attached; /* first */
    uv_signal_t signal;
    aiort_loop_t *loop;
    aiort_handle_t *handle;
} signalled_t;

static void schedule(aiort_loop_t *loop, aiort_handle_t *handle)
{
    if (handle && !handle->object.queued) {
        aiort__ref(&handle->object);
        aiort__push(loop, &handle->object);
    }
}

/* Its call may be in the ready queue: it will be skipped. */
static void drop_handle(aiort_handle_t **handle)
{
    if (*handle) {
        (*handle)->object.flags |= AIORT__CANCELLED;
        aiort__unref(&(*handle)->object);
        *handle = NULL;
    }
}

static aiort_handle_t *make_handle(const aiort_site_t *site, aiort_loop_t *loop,
                                   aiort_callback_fn callback, void *arg)
{
    aiort_handle_t *handle = aiort__handle_new(loop, site, callback, arg, 0);

    if (!handle) {
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort__created(&handle->object);
    return handle;
}

/* ---- Descriptors ---- */

static void close_watched(aiort__attached_t *attached);

static watched_t *find_watched(aiort_loop_t *loop, int fd)
{
    for (aiort__attached_t *a = loop->attached; a; a = a->following) {
        if (a->close == close_watched && ((watched_t *)a)->fd == fd) {
            return (watched_t *)a;
        }
    }
    return NULL;
}

static void free_watched(uv_handle_t *poll)
{
    aiort__free(poll->data);
}

static void close_watched(aiort__attached_t *attached)
{
    watched_t *watched = (watched_t *)attached;

    drop_handle(&watched->handles[READER]);
    drop_handle(&watched->handles[WRITER]);
    aiort__detach(watched->loop, attached);
    uv_close((uv_handle_t *)&watched->poll, free_watched);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    watched_t *watched = poll->data;

    /* With an error both: whoever reads or writes next sees it. */
    if (status < 0 || (events & (UV_READABLE | UV_DISCONNECT))) {
        schedule(watched->loop, watched->handles[READER]);
    }
    if (status < 0 || (events & UV_WRITABLE)) {
        schedule(watched->loop, watched->handles[WRITER]);
    }
}

static int start(watched_t *watched)
{
    int events =
        (watched->handles[READER] ? UV_READABLE : 0) | (watched->handles[WRITER] ? UV_WRITABLE : 0);

    return uv_poll_start(&watched->poll, events, on_poll);
}

static int open_watched(aiort_loop_t *loop, int fd, watched_t **out)
{
    watched_t *watched = aiort__malloc(sizeof(*watched));

    if (!watched) {
        return UV_ENOMEM;
    }
    *watched = (watched_t){.loop = loop, .fd = fd};
    int err = uv_poll_init(loop->uv->loop, &watched->poll, fd);
    if (err) {
        aiort__free(watched);
        return err;
    }
    watched->poll.data = watched;
    aiort__attach(loop, &watched->attached, close_watched);
    *out = watched;
    return 0;
}

/* A transport's descriptor is the transport's. */
static int check_free(const aiort_loop_t *loop, int fd)
{
    const aiort_transport_t *transport = aiort__transport_over(loop, fd);
    char repr[256];

    if (!transport) {
        return 0;
    }
    aiort_repr(transport, repr, sizeof(repr));
    return aiort__failf(AIORT_EMISUSE, "File descriptor %d is used by transport %s", fd, repr);
}

static int add(const aiort_site_t *site, aiort_loop_t *loop, int fd, int which,
               aiort_callback_fn callback, void *arg, const char *function)
{
    int err = aiort__callback_check(loop, (const void *)(uintptr_t)callback, function);

    if (err) {
        return err;
    }
    if (fd < 0) {
        return aiort__failf(UV_EBADF, "Invalid file descriptor: %d", fd);
    }
    if ((err = check_free(loop, fd))) {
        return err;
    }
    aiort_handle_t *handle = make_handle(site, loop, callback, arg);
    if (!handle) {
        return UV_ENOMEM;
    }
    watched_t *watched = find_watched(loop, fd);
    if (!watched && (err = open_watched(loop, fd, &watched))) {
        aiort__unref(&handle->object);
        return aiort__fail(err);
    }
    drop_handle(&watched->handles[which]);
    watched->handles[which] = handle;
    err = start(watched);
    if (err) {
        close_watched(&watched->attached);
        return aiort__fail(err);
    }
    return 0;
}

static int take_back(aiort_loop_t *loop, int fd, int which, const char *function)
{
    int err = aiort__check_thread(loop, NULL, function);
    watched_t *watched = err ? NULL : find_watched(loop, fd);

    if (err) {
        return aiort__fail(err);
    }
    if ((err = check_free(loop, fd))) {
        return err;
    }
    if (!watched || !watched->handles[which]) {
        return 0;
    }
    drop_handle(&watched->handles[which]);
    if (!watched->handles[READER] && !watched->handles[WRITER]) {
        close_watched(&watched->attached);
    } else {
        (void)start(watched);
    }
    return 1;
}

int aiort_add_reader_at(const aiort_site_t *site, aiort_loop_t *loop, int fd,
                        aiort_callback_fn callback, void *arg)
{
    return add(site, loop, fd, READER, callback, arg, "aiort_add_reader");
}

int aiort_add_writer_at(const aiort_site_t *site, aiort_loop_t *loop, int fd,
                        aiort_callback_fn callback, void *arg)
{
    return add(site, loop, fd, WRITER, callback, arg, "aiort_add_writer");
}

int aiort_remove_reader(aiort_loop_t *loop, int fd)
{
    return take_back(loop, fd, READER, "aiort_remove_reader");
}

int aiort_remove_writer(aiort_loop_t *loop, int fd)
{
    return take_back(loop, fd, WRITER, "aiort_remove_writer");
}

/* ---- Signals ---- */

static void close_signalled(aiort__attached_t *attached);

static signalled_t *find_signalled(aiort_loop_t *loop, int signum)
{
    for (aiort__attached_t *a = loop->attached; a; a = a->following) {
        if (a->close == close_signalled && ((signalled_t *)a)->signal.signum == signum) {
            return (signalled_t *)a;
        }
    }
    return NULL;
}

static void free_signalled(uv_handle_t *signal)
{
    aiort__free(signal->data);
}

static void close_signalled(aiort__attached_t *attached)
{
    signalled_t *signalled = (signalled_t *)attached;

    drop_handle(&signalled->handle);
    aiort__detach(signalled->loop, attached);
    uv_close((uv_handle_t *)&signalled->signal, free_signalled);
}

static void on_signal(uv_signal_t *signal, int signum)
{
    signalled_t *signalled = signal->data;

    (void)signum;
    schedule(signalled->loop, signalled->handle);
}

static int check_signal(int signum)
{
    if (signum < 1 || signum >= NSIG) {
        return aiort__failf(UV_EINVAL, "sig %d out of range", signum);
    }
    return 0;
}

int aiort_add_signal_handler_at(const aiort_site_t *site, aiort_loop_t *loop, int signum,
                                aiort_callback_fn callback, void *arg)
{
    int err =
        aiort__callback_check(loop, (const void *)(uintptr_t)callback, "aiort_add_signal_handler");

    if (err || (err = check_signal(signum))) {
        return err;
    }
    aiort_handle_t *handle = make_handle(site, loop, callback, arg);
    if (!handle) {
        return UV_ENOMEM;
    }
    signalled_t *signalled = find_signalled(loop, signum);
    if (signalled) {
        drop_handle(&signalled->handle);
        signalled->handle = handle;
        return 0;
    }
    signalled = aiort__malloc(sizeof(*signalled));
    if (!signalled) {
        aiort__unref(&handle->object);
        return aiort__fail(UV_ENOMEM);
    }
    *signalled = (signalled_t){.loop = loop, .handle = handle};
    err = uv_signal_init(loop->uv->loop, &signalled->signal);
    if (err) {
        aiort__unref(&handle->object);
        aiort__free(signalled);
        return aiort__fail(err);
    }
    signalled->signal.data = signalled;
    aiort__attach(loop, &signalled->attached, close_signalled);
    err = uv_signal_start(&signalled->signal, on_signal, signum);
    uv_unref((uv_handle_t *)&signalled->signal); /* waiting for a signal is nothing to do */
    if (err) {
        close_signalled(&signalled->attached);
        return aiort__failf(err, "sig %d cannot be caught", signum);
    }
    return 0;
}

int aiort_remove_signal_handler(aiort_loop_t *loop, int signum)
{
    int err = aiort__check_thread(loop, NULL, "aiort_remove_signal_handler");

    if (err) {
        return aiort__fail(err);
    }
    if ((err = check_signal(signum))) {
        return err;
    }
    signalled_t *signalled = find_signalled(loop, signum);
    if (!signalled) {
        return 0;
    }
    close_signalled(&signalled->attached);
    return 1;
}
