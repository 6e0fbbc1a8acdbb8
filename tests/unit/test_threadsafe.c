/* SPDX-License-Identifier: MIT */
/* Calls from other threads. Mirrors CPython's test_events.py, EventLoopTestsMixin. */
#include "helpers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

typedef struct {
    aiort_loop_t *loop;
    const char *said[4];
    int n;
} heard_t;

static heard_t heard;
static char hello[] = "hello", world[] = "world";

static int hear(void *arg)
{
    heard.said[heard.n++] = arg;
    return heard.n >= 2 ? aiort_loop_stop(heard.loop) : 0;
}

/* Two queues: which of two calls comes first is promised only for calls of one kind. */
static void assert_both_heard(void)
{
    assert_int_equal(heard.n, 2);
    assert_true(heard.said[0] == hello || heard.said[1] == hello);
    assert_true(heard.said[0] == world || heard.said[1] == world);
}

static void *say_hello(void *arg)
{
    (void)arg;
    assert_ok(aiort_call_soon_threadsafe(heard.loop, hear, hello, NULL));
    return NULL;
}

TEST(call_soon_threadsafe)
{
    pthread_t thread;

    heard.loop = new_loop();
    assert_ok(pthread_create(&thread, NULL, say_hello, NULL));
    assert_ok(pthread_join(thread, NULL));
    assert_ok(aiort_call_soon(heard.loop, hear, world, NULL));
    assert_ok(aiort_loop_run_forever(heard.loop));
    assert_both_heard();
    drop_loop(heard.loop);
}

TEST(call_soon_threadsafe_same_thread)
{
    heard.loop = new_loop();
    assert_ok(aiort_call_soon_threadsafe(heard.loop, hear, hello, NULL));
    assert_ok(aiort_call_soon(heard.loop, hear, world, NULL));
    assert_ok(aiort_loop_run_forever(heard.loop));
    assert_both_heard();
    drop_loop(heard.loop);
}

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

TEST(call_soon_threadsafe_handle_cancel_same_thread)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    int calls = 0;

    assert_ok(aiort_call_soon_threadsafe(loop, count, &calls, &handle));
    assert_false(aiort_handle_cancelled(handle));
    assert_ok(aiort_handle_cancel(handle));
    assert_true(aiort_handle_cancelled(handle));
    run_briefly(loop);
    run_briefly(loop);
    assert_int_equal(calls, 0);
    aiort_unref(handle);
    drop_loop(loop);
}

static void *cancel_it(void *arg)
{
    assert_ok(aiort_handle_cancel(arg));
    assert_true(aiort_handle_cancelled(arg));
    return NULL;
}

TEST(call_soon_threadsafe_handle_cancel_other_thread)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    pthread_t thread;
    int calls = 0;

    assert_ok(aiort_call_soon_threadsafe(loop, count, &calls, &handle));
    assert_ok(pthread_create(&thread, NULL, cancel_it, handle));
    assert_ok(pthread_join(thread, NULL));
    run_briefly(loop);
    run_briefly(loop);
    assert_int_equal(calls, 0);
    aiort_unref(handle);
    drop_loop(loop);
}

/*
 * Whoever cancels, or asks, while the callback runs waits until it has ended, so that what it uses
 * may be freed afterwards.
 */
static atomic_int running, ended;

static int run_for_a_while(void *arg)
{
    atomic_store(&running, 1);
    usleep(50000);
    atomic_store(&ended, 1);
    ++*(int *)arg;
    return 0;
}

static void *cancel_while_it_runs(void *arg)
{
    while (!atomic_load(&running))
        usleep(100);
    assert_ok(aiort_handle_cancel(arg));
    assert_true(atomic_load(&ended));
    assert_false(aiort_handle_cancelled(arg));
    return NULL;
}

static void *ask_while_it_runs(void *arg)
{
    while (!atomic_load(&running))
        usleep(100);
    assert_false(aiort_handle_cancelled(arg));
    assert_true(atomic_load(&ended));
    return NULL;
}

static void run_beside(void *(*beside)(void *))
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    pthread_t thread;
    int calls = 0;

    assert_ok(aiort_call_soon_threadsafe(loop, run_for_a_while, &calls, &handle));
    assert_ok(pthread_create(&thread, NULL, beside, handle));
    while (calls == 0)
        run_once(loop);
    assert_ok(pthread_join(thread, NULL));
    assert_int_equal(calls, 1);
    aiort_unref(handle);
    drop_loop(loop);
}

TEST(call_soon_threadsafe_handle_block_cancellation)
{
    run_beside(cancel_while_it_runs);
}

TEST(call_soon_threadsafe_handle_block_check_cancelled)
{
    run_beside(ask_while_it_runs);
}

/* ---- C's own ---- */

static void *stop_in_a_while(void *arg)
{
    usleep(50000);
    assert_ok(aiort_call_soon_threadsafe(arg, stop_loop, arg, NULL));
    return NULL;
}

/* A loop that sleeps in its selector wakes at once. */
TEST(threadsafe_call_wakes_a_sleeping_loop)
{
    aiort_loop_t *loop = new_loop();
    pthread_t thread;

    double before = harness_now();
    assert_ok(aiort_call_later(loop, 100, do_nothing, NULL, NULL));
    assert_ok(pthread_create(&thread, NULL, stop_in_a_while, loop));
    assert_ok(aiort_loop_run_forever(loop));
    assert_time_near(harness_now() - before, 0.05);
    assert_ok(pthread_join(thread, NULL));
    drop_loop(loop);
}

enum { THREADS = 4, CALLS = 5000 };

typedef struct {
    aiort_loop_t *loop;
    int next, *done;
} stream_t;

typedef struct {
    stream_t *stream;
    int number;
} piece_t;

/* From one thread, they run in the order of the calls. */
static int in_order(void *arg)
{
    piece_t *piece = arg;
    assert_int_equal(piece->number, piece->stream->next);
    piece->stream->next++;
    if (++*piece->stream->done == THREADS * CALLS)
        aiort_loop_stop(piece->stream->loop);
    free(piece);
    return 0;
}

static void *send_stream(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        piece_t *piece = malloc(sizeof *piece);
        assert_non_null(piece);
        *piece = (piece_t){arg, i};
        assert_ok(aiort_call_soon_threadsafe(piece->stream->loop, in_order, piece, NULL));
    }
    return NULL;
}

TEST(threadsafe_calls_of_many_threads)
{
    aiort_loop_t *loop = new_loop();
    pthread_t threads[THREADS];
    stream_t streams[THREADS];
    int done = 0;

    for (int i = 0; i < THREADS; i++) {
        streams[i] = (stream_t){loop, 0, &done};
        assert_ok(pthread_create(&threads[i], NULL, send_stream, &streams[i]));
    }
    assert_ok(aiort_loop_run_forever(loop));
    for (int i = 0; i < THREADS; i++)
        assert_ok(pthread_join(threads[i], NULL));
    assert_int_equal(done, THREADS * CALLS);
    drop_loop(loop);
}

/* Handles cancelled by their own threads while the loop runs: each is called or was cancelled. */
static atomic_int called;

static int call_it(void *arg)
{
    (void)arg;
    atomic_fetch_add(&called, 1);
    return 0;
}

static void *call_and_cancel(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        aiort_handle_t *handle = NULL;
        assert_ok(aiort_call_soon_threadsafe(arg, call_it, NULL, &handle));
        if (i & 1)
            assert_ok(aiort_handle_cancel(handle));
        aiort_unref(handle);
    }
    return NULL;
}

TEST(threadsafe_handles_cancelled_by_their_threads)
{
    aiort_loop_t *loop = new_loop();
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_ok(pthread_create(&threads[i], NULL, call_and_cancel, loop));
    while (atomic_load(&called) < THREADS * 1000)
        run_once(loop);
    for (int i = 0; i < THREADS; i++)
        assert_ok(pthread_join(threads[i], NULL));
    run_once(loop);
    run_once(loop);
    assert_true(atomic_load(&called) >= THREADS * 1000);
    assert_true(atomic_load(&called) <= THREADS * 2000);
    drop_loop(loop);
}

/* Calls that race with the loop's end are taken or refused; nothing is leaked. They come in small
 * bursts: two threads that never pause outrun the loop without bound. */
static void *call_until_closed(void *arg)
{
    int err;
    for (int i = 1; (err = aiort_call_soon_threadsafe(arg, do_nothing, NULL, NULL)) == 0; i++)
        if (i % 16 == 0)
            usleep(20);
    assert_code(err, AIORT_ELOOPCLOSED);
    return NULL;
}

TEST(threadsafe_calls_race_with_close)
{
    for (int round = 0; round < 20; round++) {
        aiort_loop_t *loop = new_loop();
        pthread_t threads[2];

        for (int i = 0; i < 2; i++)
            assert_ok(pthread_create(&threads[i], NULL, call_until_closed, loop));
        for (int i = 0; i < 5; i++)
            run_once(loop);
        assert_ok(aiort_loop_close(loop));
        for (int i = 0; i < 2; i++)
            assert_ok(pthread_join(threads[i], NULL));
        aiort_unref(loop);
    }
}

/* The loop's clock and its state may be asked from any thread. */
static atomic_int finished;

static void *ask(void *arg)
{
    aiort_loop_t *loop = arg;
    double last = 0;
    while (!atomic_load(&finished)) {
        double now = aiort_loop_time(loop);
        assert_true(now >= last);
        last = now;
        (void)aiort_loop_is_running(loop);
        assert_false(aiort_loop_is_closed(loop));
        assert_non_null(aiort_loop_uv(loop));
        assert_null(aiort_get_running_loop());
        assert_null(aiort_current_task());
    }
    return NULL;
}

TEST(questions_from_any_thread)
{
    aiort_loop_t *loop = new_loop();
    pthread_t thread;

    assert_ok(pthread_create(&thread, NULL, ask, loop));
    for (int i = 0; i < 20; i++)
        assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(1)), NULL));
    atomic_store(&finished, 1);
    assert_ok(pthread_join(thread, NULL));
    drop_loop(loop);
}

/* ---- loops of several threads at once ---- */

static int work(void *arg, void **result)
{
    int sum = 0;
    for (int i = 0; i < 200; i++) {
        void *one = NULL;
        int err = aiort_await(AIORT_CORO(return_at_once, PTR(1)), &one);
        if (err == 0)
            err = aiort_sleep(i % 50 == 0 ? 0.001 : 0);
        if (err != 0)
            return err;
        sum += INT(one);
    }
    *result = PTR(sum + INT(arg));
    return 0;
}

static int run_workers(void *arg, void **result)
{
    aiort_task_t *tasks[20];
    aiort_loop_t *loop = aiort_get_running_loop();
    int sum = 0;

    for (int i = 0; i < 20; i++) {
        tasks[i] = aiort_create_task(AIORT_CORO(work, PTR(i)));
        assert_non_null(tasks[i]);
    }
    for (int i = 0; i < 20; i++) {
        void *one = NULL;
        assert_ok(aiort_await(tasks[i], &one));
        assert_ptr_equal(aiort_future_loop(AIORT_FUTURE(tasks[i])), loop);
        assert_ptr_equal(aiort_get_running_loop(), loop);
        aiort_unref(tasks[i]);
        sum += INT(one);
    }
    (void)arg;
    *result = PTR(sum);
    return 0;
}

static void *run_thread(void *arg)
{
    void *result = NULL;
    assert_ok(aiort_run(AIORT_CORO(run_workers, NULL), &result));
    assert_ptr_equal(result, PTR(20 * 200 + 190));
    return arg;
}

TEST(tasks_in_loops_of_several_threads)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_ok(pthread_create(&threads[i], NULL, run_thread, NULL));
    run_thread(NULL);
    for (int i = 0; i < THREADS; i++)
        assert_ok(pthread_join(threads[i], NULL));
}

/* A loop may move: made here, run there, closed here. */
static void *run_there(void *arg)
{
    run_briefly(arg);
    assert_null(aiort_get_running_loop());
    return NULL;
}

TEST(loop_made_here_and_run_there)
{
    aiort_loop_t *loop = new_loop();
    pthread_t thread;

    for (int i = 0; i < 3; i++) {
        assert_ok(pthread_create(&thread, NULL, run_there, loop));
        assert_ok(pthread_join(thread, NULL));
        run_briefly(loop);
    }
    drop_loop(loop);
}

/* Task stacks that a thread has used go with it. */
static void *run_tasks_and_end(void *arg)
{
    void *result = NULL;
    assert_ok(aiort_run(AIORT_CORO(run_workers, NULL), &result));
    return arg;
}

TEST(threads_come_and_go)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        assert_ok(pthread_create(&thread, NULL, run_tasks_and_end, NULL));
        assert_ok(pthread_join(thread, NULL));
    }
}
