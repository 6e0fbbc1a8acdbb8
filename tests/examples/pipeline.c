/* SPDX-License-Identifier: MIT */
/*
 * pipeline: producers send jobs over loopback TCP, workers answer them, a reporter says how far
 * they are. A job that takes too long times out, and its producer connects anew; a producer that
 * would go on for ever is cancelled when the others are done. Clean: libaiodebug says nothing.
 *
 * The reporter's clock is one of libuv's own handles, a timer that repeats. One pattern bridges
 * these to tasks: the task awaits a future, libuv's callback completes it. What libuv works with
 * lives until libuv calls on_close(), so that the task may be cancelled at any await.
 */
#include <aiort.h>
#include <stdlib.h>

enum { FOR_EVER = 3, REPORTER, TASKS };
static const char *const names[TASKS] = {"producer 1", "producer 2", "producer 3",
                                         "producer for ever", "reporter"};
static const double patience = 0.1; /* seconds a producer waits for an answer */
static int port;                    /* where the server listens */
static int jobs = 2000;             /* of one producer */
static int answered, timed_out;     /* of all producers together */

/* Answers one connection's jobs: sums up to a number. 0 is a job that takes too long. */
static int worker(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    int number, err = 0;

    (void)result;
    while (err == 0 && aiort_stream_readexactly(connection->reader, &number, sizeof number) > 0) {
        unsigned sum = 0;
        for (int i = 1; i <= number; i++)
            sum = sum * 31 + (unsigned)i;
        err = number == 0 ? aiort_sleep(3 * patience) : 0;
        err = err ? err : aiort_stream_write(connection->writer, &sum, sizeof sum);
    }
    aiort_stream_close(connection->writer); /* also when its producer has lost patience */
    return err == UV_ECANCELED ? err : 0;
}

static void hang_up(aiort_connection_t *to)
{
    if (to->writer != NULL)
        aiort_stream_close(to->writer);
    aiort_unref(to->reader);
    aiort_unref(to->writer);
    *to = (aiort_connection_t){.writer = NULL};
}

/* A coroutine function, so that aiort_wait_for() can cancel it. */
static int answer(void *reader, void **result)
{
    unsigned sum;
    ssize_t n = aiort_stream_readexactly(reader, &sum, sizeof sum);

    (void)result;
    return n < 0 ? (int)n : 0;
}

/* Sends one job after another, for ever if it is told so; the last of `jobs` takes too long. */
static int producer(void *for_ever, void **result)
{
    aiort_connection_t to = {.writer = NULL}; /* not connected */
    int err = 0;

    (void)result;
    for (int job = 1; err == 0 && (job <= jobs || for_ever != NULL); job++) {
        int number = job % jobs == 0 ? 0 : 1000;
        if (to.writer == NULL)
            err = aiort_open_connection("127.0.0.1", port, NULL, &to.reader, &to.writer);
        err = err ? err : aiort_stream_write(to.writer, &number, sizeof number);
        err = err ? err : aiort_wait_for(AIORT_CORO(answer, to.reader), patience, NULL);
        answered += err == 0;
        if (err == UV_ETIMEDOUT) {
            timed_out++;
            hang_up(&to);
            err = 0;
        }
    }
    hang_up(&to);
    return err;
}

/* libuv's side: the callback completes the future that the reporter awaits. */
static void on_tick(uv_timer_t *timer)
{
    if (!aiort_future_done(timer->data))
        aiort_future_set_result(timer->data, NULL);
}

static void on_close(uv_handle_t *timer)
{
    free(timer);
}

static int reporter(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    uv_timer_t *timer = malloc(sizeof *timer);
    double start = aiort_loop_time(loop);
    int err;

    (void)arg, (void)result;
    uv_timer_init(aiort_loop_uv(loop), timer);
    uv_timer_start(timer, on_tick, 50, 50);
    do {
        timer->data = aiort_future_new(loop);
        if ((err = aiort_await((aiort_future_t *)timer->data, NULL)) == 0)
            printf("%.2f s: %d answered, %d timed out\n", aiort_loop_time(loop) - start, answered,
                   timed_out);
        aiort_unref(timer->data);
    } while (err == 0);
    uv_close((uv_handle_t *)timer, on_close);
    return err;
}

static int pipeline(void *arg, void **result)
{
    aiort_task_t *tasks[TASKS];
    aiort_server_t *server;
    int err = aiort_start_server(worker, NULL, "127.0.0.1", 0, NULL, &server);

    (void)arg, (void)result;
    if (err < 0)
        return err;
    port = aiort_server_port(server);
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
    aiort_server_close(server);
    err = aiort_server_wait_closed(server);
    aiort_unref(server);
    return err;
}

int main(int argc, char **argv)
{
    jobs = argc > 1 ? atoi(argv[1]) : jobs;
    return aiort_run(AIORT_CORO(pipeline, NULL), NULL) < 0;
}
