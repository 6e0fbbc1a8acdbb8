/* SPDX-License-Identifier: MIT */
/* Readers, writers and signal handlers. Mirrors CPython's test_events.py, EventLoopTestsMixin. */
#include "allocator.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

typedef struct {
    aiort_loop_t *loop;
    int fds[2];
    char bytes[4096];
    size_t n;
    int ended, calls;
} pair_t;

static pair_t new_pair(void)
{
    pair_t pair = {.loop = new_loop()};
    assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fds));
    assert_ok(fcntl(pair.fds[0], F_SETFL, O_NONBLOCK));
    assert_ok(fcntl(pair.fds[1], F_SETFL, O_NONBLOCK));
    return pair;
}

static void drop_pair(pair_t *pair)
{
    drop_loop(pair->loop);
    close(pair->fds[0]);
    close(pair->fds[1]);
}

static int read_some(void *arg)
{
    pair_t *pair = arg;
    ssize_t n = recv(pair->fds[0], pair->bytes + pair->n, sizeof pair->bytes - pair->n, 0);

    pair->calls++;
    if (n > 0) {
        pair->n += (size_t)n;
    } else if (n == 0) {
        assert_int_equal(aiort_remove_reader(pair->loop, pair->fds[0]), 1);
        pair->ended = 1;
    }
    return 0;
}

static int send_abc(void *arg)
{
    return send(((pair_t *)arg)->fds[1], "abc", 3, 0) == 3 ? 0 : UV_EIO;
}

static int send_def(void *arg)
{
    return send(((pair_t *)arg)->fds[1], "def", 3, 0) == 3 ? 0 : UV_EIO;
}

static int shut_writer(void *arg)
{
    return shutdown(((pair_t *)arg)->fds[1], SHUT_WR);
}

TEST(reader_callback)
{
    pair_t pair = new_pair();

    assert_ok(aiort_add_reader(pair.loop, pair.fds[0], read_some, &pair));
    assert_ok(aiort_call_soon(pair.loop, send_abc, &pair, NULL));
    while (pair.n < 3)
        run_once(pair.loop);
    assert_ok(aiort_call_soon(pair.loop, send_def, &pair, NULL));
    while (pair.n < 6)
        run_once(pair.loop);
    assert_ok(aiort_call_soon(pair.loop, shut_writer, &pair, NULL));
    while (!pair.ended)
        run_once(pair.loop);
    assert_int_equal(pair.n, 6);
    assert_memory_equal(pair.bytes, "abcdef", 6);
    assert_int_equal(aiort_remove_reader(pair.loop, pair.fds[0]), 0);
    drop_pair(&pair);
}

static int write_and_stop(void *arg)
{
    static char data[1024];
    pair_t *pair = arg;
    memset(data, 'x', sizeof data);
    assert_int_equal(send(pair->fds[1], data, sizeof data, 0), sizeof data);
    return aiort_loop_stop(pair->loop);
}

TEST(writer_callback)
{
    pair_t pair = new_pair();

    assert_ok(aiort_add_writer(pair.loop, pair.fds[1], write_and_stop, &pair));
    assert_ok(aiort_loop_run_forever(pair.loop));
    assert_int_equal(aiort_remove_writer(pair.loop, pair.fds[1]), 1);
    assert_int_equal(aiort_remove_writer(pair.loop, pair.fds[1]), 0);
    ssize_t n = recv(pair.fds[0], pair.bytes, sizeof pair.bytes, 0);
    assert_true(n >= 1024 && n % 1024 == 0);
    for (ssize_t i = 0; i < n; i++)
        assert_int_equal(pair.bytes[i], 'x');
    drop_pair(&pair);
}

TEST(remove_fds_after_closing)
{
    pair_t pair = new_pair();

    assert_ok(aiort_add_reader(pair.loop, pair.fds[0], read_some, &pair));
    assert_ok(aiort_add_writer(pair.loop, pair.fds[1], write_and_stop, &pair));
    assert_ok(aiort_loop_close(pair.loop));
    assert_int_equal(aiort_remove_reader(pair.loop, pair.fds[0]), 0);
    assert_int_equal(aiort_remove_writer(pair.loop, pair.fds[1]), 0);
    drop_pair(&pair);
}

TEST(add_fds_after_closing)
{
    pair_t pair = new_pair();

    assert_ok(aiort_loop_close(pair.loop));
    assert_code(aiort_add_reader(pair.loop, pair.fds[0], read_some, &pair), AIORT_ELOOPCLOSED);
    assert_code(aiort_add_writer(pair.loop, pair.fds[1], read_some, &pair), AIORT_ELOOPCLOSED);
    assert_code(aiort_add_signal_handler(pair.loop, SIGUSR1, read_some, &pair), AIORT_ELOOPCLOSED);
    drop_pair(&pair);
}

/* Waiting for a socket, made of a reader and a future; cancelling it takes effect at once. */
static int set_ready(void *arg)
{
    aiort_future_t *future = arg;
    return aiort_future_done(future) ? 0 : aiort_future_set_result(future, NULL);
}

static int receive(void *arg, void **result)
{
    pair_t *pair = arg;
    aiort_future_t *ready = new_future(pair->loop);
    assert_ok(aiort_add_reader(pair->loop, pair->fds[0], set_ready, ready));
    int err = aiort_await(ready, result);
    assert_int_equal(aiort_remove_reader(pair->loop, pair->fds[0]), 1);
    aiort_unref(ready);
    return err;
}

static int cancel_task(void *arg)
{
    aiort_task_cancel(arg, NULL);
    return 0;
}

static int cancel_receiver(void *arg, void **result)
{
    aiort_task_t *task = arg;
    aiort_loop_t *loop = aiort_get_running_loop();
    assert_ok(aiort_call_soon(loop, cancel_task, task, NULL));
    int err = aiort_await(task, NULL);
    *result = err == UV_ECANCELED ? PTR(1) : PTR(2);
    return aiort_loop_stop(loop);
}

TEST(prompt_cancellation)
{
    pair_t pair = new_pair();
    aiort_task_t *receiver = start(pair.loop, AIORT_CORO(receive, &pair));
    aiort_task_t *task = start(pair.loop, AIORT_CORO(cancel_receiver, receiver));
    void *result = NULL;

    double before = harness_now();
    assert_ok(aiort_loop_run_forever(pair.loop));
    assert_time_near(harness_now() - before, 0);
    assert_ok(aiort_future_result(AIORT_FUTURE(task), &result));
    assert_ptr_equal(result, PTR(1));
    assert_code(aiort_future_result(AIORT_FUTURE(receiver), NULL), UV_ECANCELED);
    aiort_unref(task);
    aiort_unref(receiver);
    drop_pair(&pair);
}

/* ---- signals ---- */

static int caught;

static int on_signal(void *arg)
{
    (void)arg;
    caught++;
    return 0;
}

static int stop_on_signal(void *arg)
{
    caught++;
    return aiort_loop_stop(arg);
}

TEST(add_signal_handler)
{
    aiort_loop_t *loop = new_loop();
    static const int wrong[] = {NSIG + 1, 0, -1};
    struct sigaction action;

    for (int i = 0; i < 3; i++) {
        assert_code(aiort_add_signal_handler(loop, wrong[i], on_signal, NULL), UV_EINVAL);
        assert_code(aiort_remove_signal_handler(loop, wrong[i]), UV_EINVAL);
    }
    assert_code(aiort_add_signal_handler(loop, SIGKILL, on_signal, NULL), UV_EINVAL);
    assert_int_equal(aiort_remove_signal_handler(loop, SIGKILL), 0);

    assert_ok(aiort_add_signal_handler(loop, SIGINT, on_signal, NULL));
    assert_ok(kill(getpid(), SIGINT));
    while (!caught)
        run_once(loop);
    assert_int_equal(aiort_remove_signal_handler(loop, SIGINT), 1);
    assert_ok(sigaction(SIGINT, NULL, &action));
    assert_true(action.sa_handler == SIG_DFL);
    assert_int_equal(aiort_remove_signal_handler(loop, SIGINT), 0);
    assert_int_equal(caught, 1);
    drop_loop(loop);
}

TEST(signal_handling_while_selecting)
{
    aiort_loop_t *loop = new_loop();
    struct itimerval soon = {.it_value = {.tv_usec = 10000}};

    assert_ok(aiort_add_signal_handler(loop, SIGALRM, stop_on_signal, loop));
    assert_ok(setitimer(ITIMER_REAL, &soon, NULL));
    assert_ok(aiort_call_later(loop, 60, stop_loop, loop, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(caught, 1);
    drop_loop(loop);
}

typedef struct {
    aiort_loop_t *loop;
    int argument;
} signal_args_t;

static int check_args(void *arg)
{
    signal_args_t *args = arg;
    assert_int_equal(args->argument, 42);
    return stop_on_signal(args->loop);
}

TEST(signal_handling_args)
{
    aiort_loop_t *loop = new_loop();
    signal_args_t args = {loop, 42};
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};

    assert_ok(aiort_add_signal_handler(loop, SIGALRM, check_args, &args));
    assert_ok(setitimer(ITIMER_REAL, &soon, NULL));
    assert_ok(aiort_call_later(loop, 60, stop_loop, loop, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(caught, 1);
    drop_loop(loop);
}

/* ---- C's own ---- */

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

TEST(second_handler_replaces_the_first)
{
    pair_t pair = new_pair();
    int first = 0, second = 0;

    assert_ok(aiort_add_signal_handler(pair.loop, SIGUSR1, count, &first));
    assert_ok(aiort_add_signal_handler(pair.loop, SIGUSR1, count, &second));
    assert_ok(kill(getpid(), SIGUSR1));
    while (second == 0)
        run_once(pair.loop);
    assert_int_equal(first, 0);

    second = 0;
    assert_ok(aiort_add_writer(pair.loop, pair.fds[0], count, &first));
    assert_ok(aiort_add_writer(pair.loop, pair.fds[0], count, &second));
    while (second == 0)
        run_once(pair.loop);
    assert_int_equal(first, 0);
    drop_pair(&pair);
}

/* Reader and writer of one descriptor are apart. */
TEST(reader_and_writer_of_one_descriptor)
{
    pair_t pair = new_pair();
    int writable = 0;

    assert_ok(aiort_add_reader(pair.loop, pair.fds[0], read_some, &pair));
    assert_ok(aiort_add_writer(pair.loop, pair.fds[0], count, &writable));
    while (writable == 0)
        run_once(pair.loop);
    assert_int_equal(pair.calls, 0);
    assert_int_equal(aiort_remove_writer(pair.loop, pair.fds[0]), 1);
    int before = writable;
    assert_ok(send_abc(&pair));
    while (pair.n < 3)
        run_once(pair.loop);
    assert_int_equal(writable, before);
    assert_int_equal(aiort_remove_reader(pair.loop, pair.fds[0]), 1);
    drop_pair(&pair);
}

TEST(wrong_descriptors)
{
    aiort_loop_t *loop = new_loop();
    FILE *file = tmpfile();

    assert_code(aiort_add_reader(loop, -1, count, NULL), UV_EBADF);
    assert_true(aiort_add_reader(loop, 9999, count, NULL) < 0);
    assert_code(aiort_add_reader(loop, fileno(file), count, NULL), UV_EPERM);
    assert_int_equal(aiort_remove_reader(loop, fileno(file)), 0);
    fclose(file);
    drop_loop(loop);
}

/* A callback that removes the other one, which is due as well. */
static int remove_writer(void *arg)
{
    pair_t *pair = arg;
    read_some(pair);
    aiort_remove_writer(pair->loop, pair->fds[0]);
    return 0;
}

TEST(removed_in_the_same_iteration)
{
    pair_t pair = new_pair();
    int writable = 0;

    assert_ok(send_abc(&pair));
    assert_ok(aiort_add_reader(pair.loop, pair.fds[0], remove_writer, &pair));
    assert_ok(aiort_add_writer(pair.loop, pair.fds[0], count, &writable));
    while (pair.n < 3)
        run_once(pair.loop);
    run_once(pair.loop);
    assert_int_equal(writable, 0);
    assert_int_equal(aiort_remove_reader(pair.loop, pair.fds[0]), 1);
    drop_pair(&pair);
}

static int fail_once(void *arg)
{
    pair_t *pair = arg;
    aiort_remove_reader(pair->loop, pair->fds[0]);
    return aiort_raise(UV_EPROTO, "bad bytes");
}

TEST(reader_that_fails_is_reported)
{
    pair_t pair = new_pair();
    reports_t reports;

    record(pair.loop, &reports);
    assert_ok(send_abc(&pair));
    assert_ok(aiort_add_reader(pair.loop, pair.fds[0], fail_once, &pair));
    while (reports.calls == 0)
        run_once(pair.loop);
    assert_contains(reports.message, "Exception in callback fail_once(");
    assert_string_equal(reports.text, "bad bytes");
    drop_pair(&pair);
}

/* Over a given uv_loop_t; nothing stays. */
TEST(given_loop)
{
    allocator_install();
    uv_loop_t uv;
    pair_t pair = new_pair();
    aiort_loop_options_t options = {.uv_loop = &uv};

    drop_loop(pair.loop);
    assert_ok(uv_loop_init(&uv));
    pair.loop = aiort_loop_new(&options);
    assert_ok(aiort_add_reader(pair.loop, pair.fds[0], read_some, &pair));
    assert_ok(aiort_add_signal_handler(pair.loop, SIGUSR2, on_signal, NULL));
    assert_ok(send_abc(&pair));
    assert_ok(shut_writer(&pair));
    assert_ok(kill(getpid(), SIGUSR2));
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT)); /* until the reader removes itself */
    assert_true(pair.ended);
    assert_int_equal(pair.n, 3);
    assert_int_equal(caught, 1);
    drop_pair(&pair);
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_ok(uv_loop_close(&uv));
    forget_error();
    assert_int_equal(allocator_live(), 0);
}
