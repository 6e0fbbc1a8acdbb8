/* SPDX-License-Identifier: MIT */
/*
 * pipeline: producers send jobs over loopback TCP, workers answer them, a reporter says how far
 * they are. A job that takes too long times out, and its producer connects anew; a producer that
 * would go on for ever is cancelled when the others have finished. A clean program: libaiodebug is
 * silent.
 *
 * The sockets are libuv's own. One pattern bridges them to tasks: the task awaits a future, libuv's
 * callback completes it. What libuv works with is in struct stream, which lives until libuv calls
 * on_close(); so a task may be cancelled at any await, and just closes its stream.
 */
#include <aiort.h>
#include <stdlib.h>

enum { FOR_EVER = 3, REPORTER, TASKS };
static const char *const names[TASKS] = {"producer 1", "producer 2", "producer 3",
                                         "producer for ever", "reporter"};

static const double patience = 0.1; /* seconds a producer waits for an answer */
static struct sockaddr_in address;  /* where the server listens */
static int jobs = 2000;             /* of one producer */
static int answered, timed_out;     /* of all producers together */

struct stream {
    uv_tcp_t tcp;
    uv_connect_t connect;
    aiort_future_t *waiting; /* what the task inside stream_connect() or read_number() awaits */
    int number;              /* what is being read, */
    size_t have;             /* and how many bytes of it have come */
};

/* ---- libuv's side: callbacks complete futures ---- */

static void complete(struct stream *stream, int status)
{
    if (stream->waiting == NULL || aiort_future_done(stream->waiting))
        return; /* nobody waits any more: the task was cancelled */
    if (status < 0)
        aiort_future_set_error(stream->waiting, status, NULL);
    else
        aiort_future_set_result(stream->waiting, NULL);
}

static void on_connect(uv_connect_t *connect, int status)
{
    complete(connect->handle->data, status);
}

static void on_alloc(uv_handle_t *tcp, size_t size, uv_buf_t *buf)
{
    struct stream *stream = tcp->data;

    (void)size;
    buf->base = (char *)&stream->number + stream->have;
    buf->len = sizeof(stream->number) - stream->have;
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf)
{
    struct stream *stream = tcp->data;

    (void)buf;
    if (n >= 0 && (stream->have += (size_t)n) < sizeof(stream->number))
        return;
    uv_read_stop(tcp);
    complete(stream, n < 0 ? (int)n : 0);
}

static void on_close(uv_handle_t *tcp)
{
    free(tcp->data);
}

/* ---- the tasks' side: functions that wait ---- */

static struct stream *stream_new(void)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    uv_tcp_init(aiort_loop_uv(aiort_get_running_loop()), &stream->tcp);
    stream->tcp.data = stream;
    return stream;
}

static void stream_close(struct stream *stream)
{
    if (stream != NULL)
        uv_close((uv_handle_t *)&stream->tcp, on_close);
}

static int stream_wait(struct stream *stream)
{
    stream->waiting = aiort_future_new(aiort_get_running_loop());
    int err = aiort_await(stream->waiting, NULL);

    aiort_unref(stream->waiting);
    stream->waiting = NULL;
    return err;
}

static int stream_connect(struct stream *stream)
{
    int err = uv_tcp_connect(&stream->connect, &stream->tcp, (const struct sockaddr *)&address,
                             on_connect);

    return err < 0 ? err : stream_wait(stream);
}

static int write_number(struct stream *stream, int number)
{
    uv_buf_t buf = uv_buf_init((char *)&number, sizeof(number));
    int n = uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1);

    return n < 0 ? n : n < (int)sizeof(number) ? UV_EIO : 0;
}

/* A coroutine function, so that aiort_wait_for() can cancel it. */
static int read_number(void *arg, void **result)
{
    struct stream *stream = arg;

    (void)result;
    stream->have = 0;
    int err = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
    return err < 0 ? err : stream_wait(stream);
}

/* ---- the pipeline ---- */

/* Answers one connection's jobs: sums up to a number. 0 is a job that takes too long. */
static int worker(void *arg, void **result)
{
    struct stream *stream = arg;
    int err;

    (void)result;
    while ((err = read_number(stream, NULL)) == 0) {
        unsigned sum = 0;

        for (int i = 1; i <= stream->number; i++)
            sum = sum * 31 + (unsigned)i;
        if (stream->number == 0 && (err = aiort_sleep(3 * patience)) < 0)
            break;
        if ((err = write_number(stream, (int)sum)) < 0)
            break;
    }
    stream_close(stream);
    return err == UV_EOF || err == UV_EPIPE || err == UV_ECONNRESET ? 0 : err;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct stream *stream = stream_new();

    if (status < 0 || uv_accept(server, (uv_stream_t *)&stream->tcp) < 0)
        stream_close(stream);
    else
        aiort_unref(aiort_create_task(AIORT_CORO(worker, stream)));
}

/* Sends one job after another, for ever if it is told so; the last of `jobs` takes too long. */
static int producer(void *for_ever, void **result)
{
    struct stream *stream = NULL;
    int err = 0;

    (void)result;
    for (int job = 1; err == 0 && (job <= jobs || for_ever != NULL); job++) {
        if (stream == NULL && (err = stream_connect(stream = stream_new())) < 0)
            break;
        err = write_number(stream, job % jobs == 0 ? 0 : 1000);
        if (err == 0)
            err = aiort_wait_for(AIORT_CORO(read_number, stream), patience, NULL);
        if (err == 0) {
            answered++;
        } else if (err == UV_ETIMEDOUT) {
            timed_out++;
            stream_close(stream);
            stream = NULL;
            err = 0;
        }
    }
    stream_close(stream);
    return err;
}

static int reporter(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    double start = aiort_loop_time(loop);
    int err;

    (void)arg, (void)result;
    while ((err = aiort_sleep(0.05)) == 0)
        printf("%.2f s: %d answered, %d timed out\n", aiort_loop_time(loop) - start, answered,
               timed_out);
    return err;
}

static int pipeline(void *arg, void **result)
{
    struct stream *server = stream_new();
    int length = sizeof(address), err;
    aiort_task_t *tasks[TASKS];

    (void)arg, (void)result;
    uv_ip4_addr("127.0.0.1", 0, &address);
    if ((err = uv_tcp_bind(&server->tcp, (struct sockaddr *)&address, 0)) < 0 ||
        (err = uv_listen((uv_stream_t *)&server->tcp, 16, on_connection)) < 0 ||
        (err = uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &length)) < 0) {
        stream_close(server);
        return err;
    }
    for (int i = 0; i < TASKS; i++) {
        tasks[i] =
            aiort_create_task(i == REPORTER ? AIORT_CORO(reporter, NULL)
                                            : AIORT_CORO(producer, i == FOR_EVER ? "" : NULL));
        aiort_task_set_name(tasks[i], names[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        if (i >= FOR_EVER)
            aiort_task_cancel(tasks[i], NULL);
        err = aiort_await(tasks[i], NULL);
        printf("%s: %s\n", names[i], err < 0 ? aiort_strerror(err) : "done");
        aiort_unref(tasks[i]);
    }
    printf("%d answered, %d timed out\n", answered, timed_out);
    stream_close(server);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        jobs = atoi(argv[1]);
    return aiort_run(AIORT_CORO(pipeline, NULL), NULL) < 0;
}
