/* SPDX-License-Identifier: MIT */
/*
 * Runners, and Ctrl-C: mirrors CPython's test_runners.py, RunnerTests. (What it says of
 * asyncio.run() is in test_run.c.)
 */
#include "allocator.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whoever runs the tests in the background has SIGINT ignored. */
__attribute__((constructor)) static void have_sigint(void)
{
    (void)signal(SIGINT, SIG_DFL);
}

static aiort_runner_t *new_runner(void)
{
    aiort_runner_t *runner = aiort_runner_new(NULL);

    assert_non_null(runner);
    return runner;
}

static void drop_runner(aiort_runner_t *runner)
{
    assert_ok(aiort_runner_close(runner));
    aiort_unref(runner);
}

TEST(non_debug)
{
    const aiort_loop_options_t options = {.debug = 0};
    aiort_runner_t *runner = aiort_runner_new(&options);

    assert_false(aiort_loop_get_debug(aiort_runner_get_loop(runner)));
    drop_runner(runner);
}

static void ask_for_debug(void *arg)
{
    const aiort_loop_options_t options = {.debug = 1};
    aiort_runner_t *runner = aiort_runner_new(&options);

    (void)arg;
    (void)aiort_runner_get_loop(runner);
    drop_runner(runner);
}

/* Without the preloaded library it says what to preload: so it was asked to. */
TEST(debug)
{
    char *output = NULL;

    assert_int_equal(harness_child(ask_for_debug, NULL, 10, &output), 0);
    assert_contains(output, "LD_PRELOAD=libaiodebug.so");
    free(output);
}

static int give_loop(void *arg, void **result)
{
    (void)arg;
    *result = aiort_get_running_loop();
    return 0;
}

TEST(custom_factory)
{
    uv_loop_t uv;

    assert_int_equal(uv_loop_init(&uv), 0);
    const aiort_loop_options_t options = {.uv_loop = &uv};
    aiort_runner_t *runner = aiort_runner_new(&options);
    void *loop = NULL;
    assert_ptr_equal(aiort_loop_uv(aiort_runner_get_loop(runner)), &uv);
    assert_ok(aiort_runner_run(runner, AIORT_CORO(give_loop, NULL), &loop));
    assert_ptr_equal(loop, aiort_runner_get_loop(runner));
    drop_runner(runner);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

TEST(run)
{
    aiort_runner_t *runner = new_runner();
    void *result = NULL, *loops[2] = {NULL, NULL};

    assert_contains(repr(runner), " created>");
    assert_ok(aiort_runner_run(runner, AIORT_CORO(return_at_once, PTR(7)), &result));
    assert_int_equal(INT(result), 7);
    for (int i = 0; i < 2; i++) {
        assert_ok(aiort_runner_run(runner, AIORT_CORO(give_loop, NULL), &loops[i]));
    }
    assert_ptr_equal(loops[0], loops[1]);
    assert_contains(repr(runner), " open>");
    assert_ok(aiort_runner_close(runner));
    assert_contains(repr(runner), " closed>");
    assert_code(aiort_runner_run(runner, AIORT_CORO(return_at_once, NULL), NULL), AIORT_EMISUSE);
    assert_string_equal(aiort_error_message(aiort_current_error()), "Runner is closed");
    aiort_unref(runner);
}

static int fail_soon(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(0);
    return err ? err : aiort_raise(UV_ERANGE, "failed");
}

TEST(run_error)
{
    aiort_runner_t *runner = new_runner();

    assert_code(aiort_runner_run(runner, AIORT_CORO(fail_soon, NULL), NULL), UV_ERANGE);
    assert_string_equal(aiort_error_message(aiort_current_error()), "failed");
    drop_runner(runner);
}

/* A future of its loop, and one of another. */
TEST(run_future)
{
    aiort_runner_t *runner = new_runner();
    aiort_loop_t *other = new_loop();
    aiort_future_t *own = new_future(aiort_runner_get_loop(runner));
    aiort_future_t *foreign = new_future(other);
    void *result = NULL;

    assert_ok(aiort_future_set_result(own, PTR(4)));
    assert_ok(aiort_runner_run(runner, own, &result));
    assert_int_equal(INT(result), 4);
    assert_code(aiort_runner_run(runner, foreign, NULL), AIORT_EOTHERLOOP);
    aiort_unref(own);
    aiort_unref(foreign);
    drop_runner(runner);
    drop_loop(other);
}

TEST(run_awaitable)
{
    aiort_runner_t *runner = new_runner();
    aiort_task_t *task = start(aiort_runner_get_loop(runner), AIORT_CORO(return_at_once, PTR(3)));
    void *result = NULL;

    assert_ok(aiort_runner_run(runner, task, &result));
    assert_int_equal(INT(result), 3);
    aiort_unref(task);
    drop_runner(runner);
}

TEST(explicit_close)
{
    aiort_runner_t *runner = new_runner();
    aiort_loop_t *loop = aiort_ref(aiort_runner_get_loop(runner));

    assert_ok(aiort_runner_close(runner));
    assert_true(aiort_loop_is_closed(loop));
    assert_null_code(aiort_runner_get_loop(runner), AIORT_EMISUSE);
    aiort_unref(loop);
    aiort_unref(runner);
}

TEST(double_close)
{
    aiort_runner_t *runner = new_runner();

    (void)aiort_runner_get_loop(runner);
    assert_ok(aiort_runner_close(runner));
    assert_ok(aiort_runner_close(runner));
    aiort_unref(runner);
}

TEST(second_with_block_raises)
{
    aiort_runner_t *runner = new_runner();

    assert_ok(aiort_runner_close(runner)); /* before it had a loop */
    assert_code(aiort_runner_run(runner, AIORT_CORO(return_at_once, NULL), NULL), AIORT_EMISUSE);
    aiort_unref(runner);
}

static aiort_context_var_t *var;

static int exchange(void *value, void **result)
{
    *result = aiort_context_var_get(var);
    return aiort_context_var_set(var, value);
}

static int get_in_task(void *arg, void **result)
{
    (void)arg;
    *result = aiort_context_var_get(var);
    return 0;
}

TEST(run_keeps_context)
{
    aiort_runner_t *runner = new_runner();
    void *before = NULL;

    var = aiort_context_var_new("var", PTR(1));
    assert_ok(aiort_runner_run(runner, AIORT_CORO(exchange, PTR(2)), &before));
    assert_int_equal(INT(before), 1);
    assert_ok(aiort_runner_run(runner, AIORT_CORO(exchange, PTR(3)), &before));
    assert_int_equal(INT(before), 2);
    assert_ok(aiort_runner_run(runner, AIORT_CORO(get_in_task, NULL), &before));
    assert_int_equal(INT(before), 3);
    assert_int_equal(INT(aiort_context_var_get(var)), 1); /* here it was never set */
    drop_runner(runner);
    aiort_unref(var);
}

static int run_again(void *runner, void **result)
{
    (void)result;
    return aiort_runner_run((aiort_runner_t *)runner, AIORT_CORO(return_at_once, NULL), NULL);
}

TEST(recursive_run)
{
    aiort_runner_t *runner = new_runner();

    assert_code(aiort_runner_run(runner, AIORT_CORO(run_again, runner), NULL), AIORT_ERUNNINGLOOP);
    assert_contains(aiort_error_message(aiort_current_error()),
                    "cannot be called from a running event loop");
    drop_runner(runner);
}

static int cleaned;

static int until_cancelled(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(100);
    cleaned += err == UV_ECANCELED;
    return err;
}

static int leave_tasks(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 3; i++) {
        aiort_unref(aiort_create_task(AIORT_CORO(until_cancelled, NULL)));
    }
    return aiort_sleep(0);
}

/* Between two runs they stay as they are; the last reference ends them. */
TEST(leftovers_are_cancelled_at_the_close)
{
    aiort_runner_t *runner = new_runner();

    cleaned = 0;
    assert_ok(aiort_runner_run(runner, AIORT_CORO(leave_tasks, NULL), NULL));
    assert_ok(aiort_runner_run(runner, AIORT_CORO(leave_tasks, NULL), NULL));
    assert_int_equal(cleaned, 0);
    aiort_unref(runner);
    assert_int_equal(cleaned, 6);
}

static int close_runner(void *runner, void **result)
{
    (void)result;
    return aiort_runner_close((aiort_runner_t *)runner);
}

TEST(close_while_it_runs)
{
    aiort_runner_t *runner = new_runner();

    assert_code(aiort_runner_run(runner, AIORT_CORO(close_runner, runner), NULL),
                AIORT_ECLOSERUNNING);
    drop_runner(runner);
}

/* ---- Ctrl-C ---- */

static void interrupt(void)
{
    assert_int_equal(kill(getpid(), SIGINT), 0);
}

static int spin(void *arg, void **result)
{
    (void)arg;
    (void)result;
    interrupt();
    for (;;) {
        int err = aiort_sleep(0);
        if (err) {
            cleaned++;
            return err;
        }
    }
}

static void see_default(void)
{
    struct sigaction action;

    assert_int_equal(sigaction(SIGINT, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_DFL);
}

TEST(interrupt_call_soon)
{
    aiort_runner_t *runner = new_runner();

    cleaned = 0;
    assert_code(aiort_runner_run(runner, AIORT_CORO(spin, NULL), NULL), AIORT_EINTERRUPTED);
    assert_int_equal(aiort_last_error(), AIORT_EINTERRUPTED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "KeyboardInterrupt");
    assert_int_equal(cleaned, 1);
    see_default();
    /* It goes on: the next run has a Ctrl-C of its own. */
    assert_ok(aiort_runner_run(runner, AIORT_CORO(return_at_once, NULL), NULL));
    assert_code(aiort_runner_run(runner, AIORT_CORO(spin, NULL), NULL), AIORT_EINTERRUPTED);
    drop_runner(runner);
}

static int interrupt_soon(void *arg)
{
    (void)arg;
    interrupt();
    return 0;
}

static int interrupted_wait(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_ok(aiort_call_later(aiort_get_running_loop(), 0.01, interrupt_soon, NULL, NULL));
    int err = aiort_sleep(100);
    cleaned += err == UV_ECANCELED;
    return err;
}

TEST(interrupt_wait)
{
    cleaned = 0;
    assert_code(aiort_run(AIORT_CORO(interrupted_wait, NULL), NULL), AIORT_EINTERRUPTED);
    assert_int_equal(cleaned, 1);
    see_default();
}

static int interrupted_and_cancelled(void *arg, void **result)
{
    (void)arg;
    (void)result;
    interrupt();
    aiort_task_cancel(aiort_current_task(), NULL);
    return aiort_sleep(100);
}

/* Somebody else cancelled it as well: that is what it ended by. */
TEST(interrupt_cancelled_task)
{
    assert_code(aiort_run(AIORT_CORO(interrupted_and_cancelled, NULL), NULL), UV_ECANCELED);
    see_default();
}

static int goes_on(void *arg, void **result)
{
    (void)arg;
    interrupt();
    assert_code(aiort_sleep(100), UV_ECANCELED);
    *result = PTR(5);
    return aiort_sleep(0);
}

TEST(interrupt_refused)
{
    void *result = NULL;

    assert_ok(aiort_run(AIORT_CORO(goes_on, NULL), &result));
    assert_int_equal(INT(result), 5);
}

static void on_own_sigint(int signum)
{
    (void)signum;
    cleaned++;
}

static int see_own(void *arg, void **result)
{
    (void)arg;
    (void)result;
    interrupt();
    return aiort_sleep(0.001);
}

/* Where SIGINT is the program's, it stays the program's. */
TEST(signal_install_not_supported_ok)
{
    cleaned = 0;
    assert_true(signal(SIGINT, on_own_sigint) != SIG_ERR);
    assert_ok(aiort_run(AIORT_CORO(see_own, NULL), NULL));
    assert_int_equal(cleaned, 1);
    interrupt();
    assert_int_equal(cleaned, 2);
}

static int take_over(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_ok(aiort_add_signal_handler(aiort_get_running_loop(), SIGINT, do_nothing, NULL));
    interrupt();
    assert_ok(aiort_sleep(0.01));
    assert_int_equal(aiort_remove_signal_handler(aiort_get_running_loop(), SIGINT), 1);
    assert_true(signal(SIGINT, on_own_sigint) != SIG_ERR);
    return 0;
}

/* And what the program sets meanwhile is not taken back. */
TEST(taken_over_meanwhile)
{
    cleaned = 0;
    assert_ok(aiort_run(AIORT_CORO(take_over, NULL), NULL));
    interrupt();
    assert_int_equal(cleaned, 1);
}

static void *run_in_thread(void *arg)
{
    struct sigaction action;

    assert_ok(aiort_run(AIORT_CORO(return_at_once, NULL), NULL));
    assert_int_equal(sigaction(SIGINT, NULL, &action), 0);
    assert_ptr_equal(action.sa_handler, SIG_DFL);
    return arg;
}

TEST(other_threads_leave_it_alone)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run_in_thread, NULL), 0);
    pthread_join(thread, NULL);
}

/* A main coroutine that does not listen: the second one ends the process. */
static int never_listens(void *arg, void **result)
{
    (void)arg;
    (void)result;
    interrupt();
    puts("still here");
    fflush(stdout);
    interrupt();
    puts("not here");
    return 0;
}

static void run_deaf(void *arg)
{
    (void)arg;
    (void)aiort_run(AIORT_CORO(never_listens, NULL), NULL);
}

TEST(the_second_ends_the_process)
{
    char *output = NULL;
    int status = harness_child(run_deaf, NULL, 10, &output);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    assert_contains(output, "still here");
    assert_lacks(output, "not here");
    free(output);
}

static int fork_and_interrupt(void *arg, void **result)
{
    int status = 0;
    (void)arg;
    (void)result;
    pid_t child = fork();

    if (child == 0) {
        interrupt();
        _exit(3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    return aiort_sleep(0.001); /* and here nothing was cancelled */
}

TEST(a_child_of_fork_is_not_the_runner)
{
#if defined(__SANITIZE_THREAD__)
    test_skip("ThreadSanitizer does not deliver signals in a child that a fiber forked");
#endif
    assert_ok(aiort_run(AIORT_CORO(fork_and_interrupt, NULL), NULL));
}

/* ---- Out of memory ---- */

TEST(out_of_memory)
{
    allocator_install();
    var = aiort_context_var_new("var", PTR(1));
    for (long n = 1;; n++) {
        allocator_refuse(n);
        aiort_runner_t *runner = aiort_runner_new(NULL);
        int err = runner ? 0 : aiort_last_error();
        for (int i = 0; i < 2 && !err; i++) {
            aiort_coroutine_t *coroutine = AIORT_CORO(exchange, PTR(2));
            err = coroutine ? aiort_runner_run(runner, coroutine, NULL) : aiort_last_error();
        }
        aiort_unref(runner);
        long refused = allocator_refused();
        allocator_refuse(0);
        forget_error();
        assert_int_equal(allocator_live(), 1);
        if (!refused) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, UV_ENOMEM);
    }
    aiort_unref(var);
}
