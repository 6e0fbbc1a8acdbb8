/* SPDX-License-Identifier: MIT */
/*
 * Subprocesses: a child, its pipes as streams, its end.
 *
 * The pipes are our own and inherited as descriptors, so that two of the child's streams can be
 * one. A process is in its loop's list, which holds a reference, until it has ended, libuv's handle
 * is closed and nobody is inside communicate(); the tasks of communicate() need no more than that.
 */
#include "stream.h"
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct aiort_process_s {
    aiort__extended_t base;
    aiort__attached_t attached;
    uv_process_t uv;
    int pid;
    int status; /* once ended */
    bool in_loop, ended;
    bool open; /* libuv's handle, until its close callback */
    bool communicating;
    aiort__parking_t waiting;
    aiort_stream_writer_t *in;
    aiort_stream_reader_t *out, *err;
    /* communicate()'s: */
    const char *input;
    size_t input_size;
    const char *text[2];
    size_t size[2];
};

static size_t process_repr(const void *self, char *buf, size_t size)
{
    const aiort_process_t *process = self;
    int n = snprintf(buf, size, "<Process %d>", process->pid);

    return n > 0 ? (size_t)n : 0;
}

/* ---- Life ---- */

/* The streams are the process's own: whoever drops it has left nothing open. */
static void destroy(void *self)
{
    aiort_process_t *process = self;

    if (process->in) {
        aiort_stream_close(process->in);
    }
    if (process->out) {
        aiort_stream_reader_close(process->out);
    }
    if (process->err) {
        aiort_stream_reader_close(process->err);
    }
    aiort_unref(process->in);
    aiort_unref(process->out);
    aiort_unref(process->err);
    aiort__scope_free(&process->base);
}

/* Lets the loop's reference go when nothing needs it any more. */
static void settle(aiort_process_t *process)
{
    if (process->in_loop && process->ended && !process->open && !process->communicating) {
        aiort__detach(process->base.object.loop, &process->attached);
        process->in_loop = false;
        aiort__unref(&process->base.object);
    }
}

static void on_closed(uv_handle_t *handle)
{
    aiort_process_t *process = handle->data;

    process->open = false;
    settle(process);
    aiort__unref(&process->base.object); /* the handle's */
}

static void on_exit_of_child(uv_process_t *handle, int64_t status, int signum)
{
    aiort_process_t *process = handle->data;

    process->ended = true;
    process->status = signum ? -signum : (int)status;
    aiort_instrument_open(process->base.object.loop, process, 0);
    aiort__unpark(&process->waiting);
    if (process->in) {
        aiort_stream_close(process->in); /* nobody reads it any more */
    }
    if (!uv_is_closing((uv_handle_t *)handle)) {
        uv_close((uv_handle_t *)handle, on_closed);
    }
}

/* The loop is closed: its tasks are gone. A child that still runs is killed, as Python does. */
static void loop_closed(aiort__attached_t *attached)
{
    aiort_process_t *process =
        (aiort_process_t *)((char *)attached - offsetof(aiort_process_t, attached));

    if (!process->ended) {
        aiort_instrument_open(process->base.object.loop, process, -1);
        uv_process_kill(&process->uv, SIGKILL);
    }
    if (process->open && !uv_is_closing((uv_handle_t *)&process->uv)) {
        uv_close((uv_handle_t *)&process->uv, on_closed);
    }
    aiort__detach(process->base.object.loop, attached);
    process->in_loop = false;
    aiort__unref(&process->base.object);
}

/* ---- The child's streams ---- */

/* One of the three: what the child gets, and our end when it is a pipe. -1: none. */
typedef struct {
    int child, ours;
    bool opened; /* the child's is to be closed here */
} end_t;

static int open_end(end_t *end, int wanted, int number, const end_t *out)
{
    int fds[2];

    *end = (end_t){.child = wanted, .ours = -1};
    if (wanted == AIORT_PROCESS_INHERIT) {
        end->child = number;
    } else if (wanted == AIORT_PROCESS_STDOUT && number == STDERR_FILENO) {
        end->child = out->child;
    } else if (wanted == AIORT_PROCESS_DEVNULL) {
        end->child = open("/dev/null", (number == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
        end->opened = true;
    } else if (wanted == AIORT_PROCESS_PIPE) {
        if (pipe2(fds, O_CLOEXEC)) {
            end->child = -1;
            return -errno;
        }
        end->child = fds[number == 0 ? 0 : 1];
        end->ours = fds[number == 0 ? 1 : 0];
        end->opened = true;
    } else if (wanted < 0) {
        end->child = -1;
        return UV_EINVAL;
    }
    return end->child < 0 ? -errno : 0;
}

static void close_ends(end_t *ends, bool ours_too)
{
    for (int i = 0; i < 3; i++) {
        if (ends[i].opened && ends[i].child >= 0) {
            close(ends[i].child);
            ends[i].child = -1;
        }
        if (ours_too && ends[i].ours >= 0) {
            close(ends[i].ours);
            ends[i].ours = -1;
        }
    }
}

static int open_ends(end_t *ends, const aiort_process_options_t *options)
{
    const int wanted[] = {options->in, options->out, options->err};
    int err = 0;

    for (int i = 0; i < 3; i++) {
        ends[i] = (end_t){-1, -1, false};
    }
    for (int i = 0; i < 3 && !err; i++) {
        err = open_end(&ends[i], wanted[i], i, &ends[STDOUT_FILENO]);
    }
    if (err) {
        close_ends(ends, true);
    }
    return err;
}

/* Our ends become streams, each of which takes its descriptor over. */
static int make_streams(aiort_process_t *process, end_t *ends, size_t limit)
{
    int err = 0;

    if (ends[0].ours >= 0) {
        err = aiort_connect_write_pipe_at(NULL, ends[0].ours, &process->in);
        ends[0].ours = -1;
    }
    if (!err && ends[1].ours >= 0) {
        err = aiort_connect_read_pipe_at(NULL, ends[1].ours, limit, &process->out);
        ends[1].ours = -1;
    }
    if (!err && ends[2].ours >= 0) {
        err = aiort_connect_read_pipe_at(NULL, ends[2].ours, limit, &process->err);
        ends[2].ours = -1;
    }
    return err;
}

/* ---- Starting ---- */

static int spawn(aiort_process_t *process, const char *file, char *const *argv, const end_t *ends,
                 const aiort_process_options_t *options)
{
    uv_stdio_container_t stdio[3];
    uv_process_options_t with = {.exit_cb = on_exit_of_child,
                                 .file = file,
                                 .args = (char **)argv,
                                 .env = (char **)options->env,
                                 .cwd = options->cwd,
                                 .stdio_count = 3,
                                 .stdio = stdio};

    for (int i = 0; i < 3; i++) {
        stdio[i] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = ends[i].child};
    }
    with.flags |= options->new_session ? UV_PROCESS_DETACHED : 0U;
    if (options->uid) {
        with.flags |= UV_PROCESS_SETUID;
        with.uid = options->uid;
    }
    if (options->gid) {
        with.flags |= UV_PROCESS_SETGID;
        with.gid = options->gid;
    }
    process->uv.data = process;
    process->open = true; /* also when it fails: the handle is to be closed */
    aiort__ref(&process->base.object);
    int err = uv_spawn(process->base.object.loop->uv->loop, &process->uv, &with);
    process->pid = err ? 0 : process->uv.pid;
    return err;
}

static int start(aiort_loop_t *loop, const char *file, char *const *argv,
                 const aiort_process_options_t *options, aiort_process_t **result)
{
    static const aiort_process_options_t none = {0};
    aiort_process_t *process = NULL;
    end_t ends[3];

    options = options ? options : &none;
    int err = open_ends(ends, options);
    if (err) {
        return aiort__fail(err);
    }
    process = aiort__malloc(sizeof(*process));
    if (!process) {
        close_ends(ends, true);
        return aiort__fail(UV_ENOMEM);
    }
    memset(process, 0, sizeof(*process));
    aiort__scope_init(&process->base, loop, AIORT_KIND_PROCESS, destroy, process_repr);
    aiort__created(&process->base.object);
    /* The streams first: without memory for them nothing is started. */
    err = make_streams(process, ends, options->limit);
    int spawned = err ? err : spawn(process, file, argv, ends, options);
    close_ends(ends, true);
    if (spawned) {
        err = err ? err : aiort__failf(spawned, "%s: %s", file, aiort_strerror(spawned));
        if (process->open) {
            process->ended = true;
            uv_close((uv_handle_t *)&process->uv, on_closed);
        }
        aiort__unref(&process->base.object);
        return err;
    }
    aiort__attach(loop, &process->attached, loop_closed);
    process->in_loop = true;
    aiort__ref(&process->base.object);
    aiort_instrument_open(loop, process, 1);
    *result = process;
    return 0;
}

int aiort_create_subprocess_exec_at(const aiort_site_t *site, const char *file, char *const *argv,
                                    const aiort_process_options_t *options,
                                    aiort_process_t **process)
{
    aiort_loop_t *loop = aiort__tls.running;

    (void)site;
    *process = NULL;
    if (!loop) {
        return aiort__fail(AIORT_ENOLOOP);
    }
    if (!file || !argv || !argv[0]) {
        return aiort__failf(UV_EINVAL, "a program and its arguments are required");
    }
    return start(loop, file, argv, options, process);
}

int aiort_create_subprocess_shell_at(const aiort_site_t *site, const char *command,
                                     const aiort_process_options_t *options,
                                     aiort_process_t **process)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};

    *process = NULL;
    return command ? aiort_create_subprocess_exec_at(site, "/bin/sh", argv, options, process)
                   : aiort__failf(UV_EINVAL, "a command is required");
}

/* ---- Waiting ---- */

int aiort_process_wait_at(const aiort_site_t *site, aiort_process_t *process, int *status)
{
    int err = aiort__scope_check(&process->base, "aiort_process_wait");

    if (err) {
        return err;
    }
    aiort__ref(&process->base.object);
    err = process->ended ? 0 : aiort__park(&process->waiting, site);
    if (!err && status) {
        *status = process->status;
    }
    aiort__unref(&process->base.object);
    return err;
}

/* What the child does not want to read is its own affair, as in Python. */
static int feed(void *arg, void **result)
{
    aiort_process_t *process = arg;
    int err = 0;

    (void)result;
    if (process->input_size) {
        err = aiort_stream_write(process->in, process->input, process->input_size);
        err = err ? err : aiort_stream_drain(process->in);
    }
    aiort_stream_close(process->in);
    return err == UV_EPIPE || err == UV_ECONNRESET ? 0 : err;
}

static int read_all(aiort_process_t *process, aiort_stream_reader_t *reader, int which)
{
    ssize_t n = aiort_stream_read_all(reader, &process->text[which]);

    process->size[which] = n < 0 ? 0 : (size_t)n;
    return n < 0 ? (int)n : 0;
}

static int read_out(void *arg, void **result)
{
    aiort_process_t *process = arg;

    (void)result;
    return read_all(process, process->out, 0);
}

static int read_err(void *arg, void **result)
{
    aiort_process_t *process = arg;

    (void)result;
    return read_all(process, process->err, 1);
}

static int exchange(aiort_process_t *process, const aiort_site_t *site)
{
    aiort_awaitable_t *all[3];
    size_t n = 0;
    int err = 0;

    if (process->in) {
        all[n++] = AIORT_AWAITABLE(AIORT_CORO(feed, process));
    }
    if (process->out) {
        all[n++] = AIORT_AWAITABLE(AIORT_CORO(read_out, process));
    }
    if (process->err) {
        all[n++] = AIORT_AWAITABLE(AIORT_CORO(read_err, process));
    }
    if (n > 0) {
        aiort_future_t *future = aiort_gather_at(site, all, n, 0);
        err = future ? aiort_await_at(site, AIORT_AWAITABLE(future), NULL) : aiort_last_error();
        aiort_unref(future);
    }
    return err;
}

int aiort_process_communicate_at(const aiort_site_t *site, aiort_process_t *process,
                                 const void *input, size_t n, const char **out, size_t *out_size,
                                 const char **err_text, size_t *err_size)
{
    int err = aiort__scope_check(&process->base, "aiort_process_communicate");

    if (err) {
        return err;
    }
    if (process->communicating) {
        return aiort__failf(AIORT_EMISUSE, "communicate() of this process is under way");
    }
    process->communicating = true;
    process->input = input;
    process->input_size = n;
    memset(process->text, 0, sizeof(process->text));
    memset(process->size, 0, sizeof(process->size));
    aiort__ref(&process->base.object);
    err = exchange(process, site);
    err = err ? err : aiort_process_wait_at(site, process, NULL);
    const char **texts[] = {out, err_text};
    size_t *sizes[] = {out_size, err_size};
    for (int i = 0; i < 2; i++) {
        if (texts[i]) {
            *texts[i] = process->text[i];
        }
        if (sizes[i]) {
            *sizes[i] = process->size[i];
        }
    }
    /* The loop's end took the tasks with it, or will: then its list keeps the process. */
    process->communicating = err == AIORT_ECLOSED;
    settle(process);
    aiort__unref(&process->base.object);
    return err;
}

/* ---- The rest ---- */

int aiort_process_send_signal(aiort_process_t *process, int signum)
{
    int err = aiort__scope_check(&process->base, "aiort_process_send_signal");

    if (err) {
        return err;
    }
    err = process->ended ? UV_ESRCH : uv_process_kill(&process->uv, signum);
    return err ? aiort__fail(err) : 0;
}

int aiort_process_terminate(aiort_process_t *process)
{
    return aiort_process_send_signal(process, SIGTERM);
}

int aiort_process_kill(aiort_process_t *process)
{
    return aiort_process_send_signal(process, SIGKILL);
}

int aiort_process_pid(const aiort_process_t *process)
{
    return process->pid;
}

int aiort_process_returncode(const aiort_process_t *process, int *status)
{
    if (process->ended && status) {
        *status = process->status;
    }
    return process->ended;
}

aiort_stream_writer_t *aiort_process_stdin(const aiort_process_t *process)
{
    return process->in;
}

aiort_stream_reader_t *aiort_process_stdout(const aiort_process_t *process)
{
    return process->out;
}

aiort_stream_reader_t *aiort_process_stderr(const aiort_process_t *process)
{
    return process->err;
}
