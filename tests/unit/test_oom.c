/* SPDX-License-Identifier: MIT */
/*
 * Out of memory. A scenario that uses all of the core is run again and again; the first time its
 * first allocation is refused, then its second, and so on until a run needs no more of them. Each
 * time every call says UV_ENOMEM or does what it should, and in the end nothing is left allocated.
 *
 * Refused are both the library's allocator and the mmap() that stacks come from, which this program
 * defines for the library to find before libc's (not under sanitizers, which have their own).
 */
#include "allocator.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static atomic_long mappings;

#ifndef SANITIZED
AIORT_EXTERN void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    if (allocator_refuses()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    atomic_fetch_add(&mappings, 1);
    return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}
#endif

/* Whether the run that is under way has met a refusal. */
static int failed;

/* A code that may be out of memory instead of what it should be. */
#define MAY(call, expected) may(__LINE__, #call, (call), (expected))

static int may(int line, const char *what, int code, int expected)
{
    if (code == UV_ENOMEM && expected != UV_ENOMEM) {
        if (allocator_refused() == 0)
            print_error("%d: %s: out of memory without a refusal\n", line, what);
        assert_true(allocator_refused() > 0);
        failed = 1;
        return code;
    }
    helper_assert_code(__FILE__, line, what, code, expected);
    return code;
}

/* A pointer that may be NULL for the same reason. */
#define MAY_BE(pointer) may_be(__LINE__, #pointer, (pointer))

static void *may_be(int line, const char *what, void *pointer)
{
    if (pointer == NULL)
        (void)may(line, what, aiort_last_error(), 0);
    return pointer;
}

static int reported;

static int take_any_report(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    (void)loop;
    (void)arg;
    assert_non_null(report->message);
    reported++;
    return 0;
}

static int calls;

static int count(void *arg)
{
    (void)arg;
    calls++;
    return 0;
}

static int fail_in_callback(void *arg)
{
    (void)arg;
    return aiort_raise(UV_EPIPE, "callback %s", "fails");
}

static int on_done(aiort_future_t *future, void *arg)
{
    (void)future;
    (void)arg;
    calls++;
    return 0;
}

/* ---- the scenario's coroutines ---- */

static int quick(void *arg, void **result)
{
    *result = arg;
    return 0;
}

typedef struct {
    int numbers[40];
} numbers_t;

static int sum(void *arg, void **result)
{
    numbers_t *numbers = arg;
    int total = 0;
    for (int i = 0; i < 40; i++)
        total += numbers->numbers[i];
    *result = PTR(total);
    return 0;
}

static int failing(void *arg, void **result)
{
    (void)result;
    return aiort_raise(UV_EIO, "disk %d", INT(arg));
}

static int wait_long(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(1000);
}

/* An await of a coroutine object, which may not have been made. */
static int await_value(aiort_coroutine_t *coroutine, int expected)
{
    void *value = NULL;
    if (MAY_BE(coroutine) == NULL)
        return UV_ENOMEM;
    int err = MAY(aiort_await(coroutine, &value), 0);
    if (err == 0)
        assert_ptr_equal(value, PTR(expected));
    return err;
}

static int nested(void *arg, void **result)
{
    int depth = INT(arg);
    *result = arg;
    return depth == 0 ? 0 : await_value(AIORT_CORO(nested, PTR(depth - 1)), depth - 1);
}

static aiort_task_t *may_start(aiort_coroutine_t *coroutine, const char *name)
{
    aiort_task_options_t options = {.name = name};
    return coroutine == NULL ? NULL : aiort_loop_create_task(NULL, coroutine, &options);
}

static void use_tasks(void)
{
    void *value = NULL;
    aiort_task_t *task = MAY_BE(may_start(MAY_BE(AIORT_CORO(quick, PTR(3))), NULL));
    if (task != NULL) {
        if (MAY(aiort_await(task, &value), 0) == 0)
            assert_ptr_equal(value, PTR(3));
        aiort_unref(task);
    }

    task = MAY_BE(may_start(MAY_BE(AIORT_CORO(failing, PTR(7))), "a task that fails"));
    if (task != NULL) {
        int err = aiort_await(task, NULL);
        assert_true(err == UV_EIO || err == UV_ENOMEM);
        if (err == UV_EIO)
            (void)MAY(aiort_raise_from(aiort_current_error(), UV_EINVAL, "wrapped"), UV_EINVAL);
        else
            failed = 1;
        aiort_unref(task);
    }

    task = MAY_BE(may_start(MAY_BE(AIORT_CORO(wait_long, NULL)), NULL));
    if (task != NULL) {
        (void)MAY(aiort_task_set_name(task, "a task with a name"), 0);
        assert_non_null(aiort_task_get_name(task));
        int err = aiort_sleep(0);
        if (err == 0) {
            /* It may have ended already: for want of a stack, or of its timer. */
            if (aiort_task_cancel(task, "with a message") == 0)
                failed = 1;
            err = aiort_await(task, NULL);
            assert_true(err == UV_ECANCELED || err == UV_ENOMEM);
            failed |= err == UV_ENOMEM;
        }
        aiort_unref(task);
    }
}

static void use_futures(aiort_loop_t *loop)
{
    void *value = NULL;
    aiort_future_t *future = MAY_BE(aiort_future_new(loop));
    if (future == NULL)
        return;
    (void)MAY(aiort_future_add_done_callback(future, on_done, NULL), 0);
    (void)MAY(aiort_future_add_done_callback(future, on_done, PTR(1)), 0);
    (void)aiort_future_remove_done_callback(future, on_done, PTR(1));
    assert_ok(aiort_future_set_result(future, PTR(5)));
    assert_ok(aiort_await(future, &value));
    assert_ptr_equal(value, PTR(5));
    aiort_unref(future);

    future = MAY_BE(aiort_future_new(loop));
    if (future == NULL)
        return;
    (void)MAY(aiort_future_set_error(future, UV_EPROTO, "a %s", "message"), 0);
    if (aiort_future_done(future)) {
        int err = aiort_await(future, NULL);
        assert_true(err == UV_EPROTO || err == UV_ENOMEM);
        failed |= err == UV_ENOMEM;
    }
    aiort_unref(future);

    future = MAY_BE(aiort_future_new(loop));
    if (future == NULL)
        return;
    assert_int_equal(aiort_future_cancel(future, "a reason"), 1);
    int err = aiort_await(future, NULL);
    assert_true(err == UV_ECANCELED || err == UV_ENOMEM);
    failed |= err == UV_ENOMEM;
    aiort_unref(future);

    /* Left with an error that nobody looks at: reported. */
    future = MAY_BE(aiort_future_new(loop));
    if (future != NULL) {
        (void)MAY(aiort_future_set_error(future, UV_EPROTO, "unseen"), 0);
        aiort_unref(future);
    }
}

static int everything(void *arg, void **result)
{
    aiort_loop_t *loop = arg;
    numbers_t numbers;

    for (int i = 0; i < 40; i++)
        numbers.numbers[i] = i;
    (void)await_value(AIORT_CORO(quick, PTR(1)), 1);
    (void)await_value(AIORT_CORO(nested, PTR(5)), 5);
    (void)await_value(AIORT_CORO_BY_VALUE(sum, numbers), 780);
    use_tasks();
    use_futures(loop);
    (void)MAY(aiort_sleep(0), 0);
    (void)MAY(aiort_sleep(0.0001), 0);
    *result = PTR(1);
    return 0;
}

static void use_handles(aiort_loop_t *loop)
{
    aiort_handle_t *handle = NULL;

    for (int i = 0; i < 3; i++) {
        if (MAY(aiort_call_soon(loop, count, NULL, &handle), 0) == 0) {
            if (i == 1)
                assert_ok(aiort_handle_cancel(handle));
            aiort_unref(handle);
        }
        if (MAY(aiort_call_later(loop, i * 1e-4, count, NULL, &handle), 0) == 0) {
            if (i == 1)
                assert_ok(aiort_handle_cancel(handle));
            aiort_unref(handle);
        }
        if (MAY(aiort_call_soon_threadsafe(loop, count, NULL, &handle), 0) == 0) {
            if (i == 1)
                assert_ok(aiort_handle_cancel(handle));
            aiort_unref(handle);
        }
    }
    (void)MAY(aiort_call_soon(loop, fail_in_callback, NULL, NULL), 0);
}

static void leave_pending_task(aiort_loop_t *loop)
{
    aiort_coroutine_t *coroutine = MAY_BE(AIORT_CORO(wait_long, NULL));
    if (coroutine == NULL)
        return;
    aiort_task_t *task = MAY_BE(aiort_loop_create_task(loop, coroutine, NULL));
    aiort_unref(task);
}

/* ---- several at once, other threads, descriptors ---- */

static int on_event(void *arg)
{
    (void)arg;
    return 0;
}

static int work(void *arg, void **result)
{
    *result = arg;
    return 0;
}

/* An outcome that may be for want of memory. */
static void may_await(aiort_future_t *future, int expected)
{
    int err = aiort_await(future, NULL);
    assert_true(err == expected || err == UV_ENOMEM);
    failed |= err == UV_ENOMEM;
    aiort_unref(future);
}

static void use_several(aiort_loop_t *loop)
{
    aiort_future_t *futures[20];
    aiort_awaitable_t *list[20];
    int made = 0;

    for (; made < 20; made++) {
        futures[made] = MAY_BE(aiort_future_new(loop));
        if (futures[made] == NULL)
            break;
        list[made] = AIORT_AWAITABLE(futures[made]);
    }
    if (made == 20) {
        aiort_future_t *all = MAY_BE(aiort_gather(list, 20, 0));
        aiort_future_t *shield = MAY_BE(aiort_shield(futures[0]));
        aiort_as_completed_t *iterator = MAY_BE(aiort_as_completed(list, 20, 10));
        int done = aiort_wait(futures, 20, 0.0001, AIORT_ALL_COMPLETED);
        if (done != 0)
            (void)MAY(done, 0);
        for (int i = 0; i < 20; i++)
            assert_ok(aiort_future_set_result(futures[i], NULL));
        aiort_future_t *future = NULL;
        int next = iterator != NULL ? aiort_as_completed_next(iterator, &future) : 1;
        if (next != 1)
            (void)MAY(next, 0);
        aiort_as_completed_free(iterator);
        if (all != NULL)
            may_await(all, 0);
        if (shield != NULL)
            may_await(shield, 0);
    }
    for (int i = 0; i < made; i++)
        aiort_unref(futures[i]);

    /* Coroutines are taken over, however it ends. */
    aiort_coroutine_t *one = MAY_BE(AIORT_CORO(quick, PTR(1)));
    aiort_coroutine_t *two = one != NULL ? MAY_BE(AIORT_CORO(failing, PTR(2))) : NULL;
    if (two != NULL) {
        aiort_awaitable_t *both[] = {AIORT_AWAITABLE(one), AIORT_AWAITABLE(two)};
        aiort_future_t *all = MAY_BE(aiort_gather(both, 2, AIORT_RETURN_ERRORS));
        if (all != NULL)
            may_await(all, 0);
    } else if (one != NULL) {
        assert_ok(aiort_coroutine_close(one));
    }
}

static void use_threads(aiort_loop_t *loop)
{
    aiort_future_t *future = MAY_BE(aiort_run_in_executor(loop, work, PTR(1)));
    if (future != NULL)
        may_await(future, 0);

    aiort_concurrent_t *concurrent = MAY_BE(aiort_concurrent_new());
    if (concurrent != NULL) {
        future = MAY_BE(aiort_wrap_future(concurrent, loop));
        assert_ok(aiort_concurrent_set_result(concurrent, PTR(2)));
        if (future != NULL) {
            may_await(future, 0);
        }
        aiort_unref(concurrent);
    }

    aiort_coroutine_t *coroutine = MAY_BE(AIORT_CORO(quick, PTR(3)));
    concurrent = coroutine != NULL ? MAY_BE(aiort_run_coroutine_threadsafe(coroutine, loop)) : NULL;
    if (concurrent != NULL) {
        for (int i = 0; i < 1000 && !aiort_concurrent_done(concurrent); i++)
            (void)aiort_sleep(0);
        (void)MAY(aiort_concurrent_result(concurrent, 0, NULL), 0);
        aiort_unref(concurrent);
    }
}

static int more(void *arg, void **result)
{
    aiort_loop_t *loop = arg;
    int fds[2];

    (void)result;
    use_several(loop);
    use_threads(loop);
    assert_ok(pipe(fds));
    (void)MAY(aiort_add_reader(loop, fds[0], on_event, NULL), 0);
    (void)MAY(aiort_add_writer(loop, fds[1], on_event, NULL), 0);
    (void)MAY(aiort_add_signal_handler(loop, 10, on_event, NULL), 0);
    (void)MAY(aiort_sleep(0), 0);
    (void)aiort_remove_writer(loop, fds[1]);
    (void)aiort_remove_reader(loop, fds[0]);
    (void)aiort_remove_signal_handler(loop, 10);
    close(fds[0]);
    close(fds[1]);
    return 0;
}

static void scenario(void)
{
    void *value = NULL;
    char text[512];

    aiort_loop_t *loop = MAY_BE(aiort_loop_new(NULL));
    if (loop == NULL)
        return;
    assert_ok(aiort_loop_set_exception_handler(loop, take_any_report, NULL));
    use_handles(loop);
    leave_pending_task(loop);
    aiort_coroutine_t *coroutine = MAY_BE(AIORT_CORO(everything, loop));
    if (coroutine != NULL) {
        int err = MAY(aiort_loop_run_until_complete(loop, coroutine, &value), 0);
        if (err == 0)
            assert_ptr_equal(value, PTR(1));
    }
    coroutine = MAY_BE(AIORT_CORO(more, loop));
    if (coroutine != NULL)
        (void)MAY(aiort_loop_run_until_complete(loop, coroutine, NULL), 0);
    assert_true(aiort_repr(loop, text, sizeof text) > 0);
    assert_ok(aiort_loop_close(loop));
    aiort_unref(loop);
}

/* Whether anything was refused. */
static int run_refusing(long n, int for_good)
{
    failed = 0;
    if (for_good)
        allocator_refuse_from(n);
    else
        allocator_refuse(n);
    scenario();
    long refused = allocator_refused();
    allocator_refuse(0);
    forget_error();
    for (int i = 0; i < 5000 && allocator_live() != 0; i++)
        usleep(1000); /* the default executor's last thread gives the pool back while it ends */
    if (allocator_live() != 0)
        print_error("with request %ld refused%s, %ld blocks are left\n", n,
                    for_good ? " and all after it" : "", allocator_live());
    assert_int_equal(allocator_live(), 0);
    return refused > 0;
}

TEST_WITHIN(60, each_allocation_is_refused_in_turn)
{
    long n = 1;

    allocator_install();
    assert_false(run_refusing(0, 0)); /* as it should be */
    assert_int_equal(failed, 0);
    int calls_at_best = calls, reported_at_best = reported;
    assert_true(calls_at_best > 5);
    assert_true(reported_at_best >= 3); /* the callback, the future, the pending task */
    while (run_refusing(n, 0))
        n++;
    assert_true(n > 10);
    assert_int_equal(failed, 0);
    print_message("%ld allocations\n", n - 1);
}

TEST_WITHIN(60, all_allocations_from_one_on_are_refused)
{
    long n = 1;

    allocator_install();
    assert_false(run_refusing(0, 0));
    while (run_refusing(n, 1))
        n++;
    assert_true(n > 10);
}

/* The stacks' memory comes from mmap: a task that gets none ends with UV_ENOMEM, and is no crash.
 */
static int use_stack(void *arg, void **result)
{
    char room[4096];
    memset(room, INT(arg), sizeof room);
    int err = aiort_sleep(0.001);
    *result = PTR(room[17]);
    return err;
}

TEST_WITHIN(60, stacks_are_refused)
{
#ifdef SANITIZED
    test_skip("sanitizers have mmap() for themselves");
#endif
    int total = 0;

    allocator_install();
    for (long n = 1; n < 40; n++) {
        aiort_loop_t *loop = new_loop();
        aiort_task_t *tasks[400];
        int ended = 0;

        for (int i = 0; i < 400; i++)
            tasks[i] = start(loop, AIORT_CORO(use_stack, PTR(5)));
        allocator_refuse_from(n);
        for (int i = 0; i < 400; i++) {
            void *value = NULL;
            int err = aiort_loop_run_until_complete(loop, tasks[i], &value);
            assert_true(err == 0 || err == UV_ENOMEM);
            ended += err == UV_ENOMEM;
        }
        allocator_refuse(0);
        /* Those that the loop itself could not wait for run now. */
        for (int i = 0; i < 400; i++) {
            (void)aiort_loop_run_until_complete(loop, tasks[i], NULL);
            assert_true(aiort_future_done(AIORT_FUTURE(tasks[i])));
            aiort_unref(tasks[i]);
        }
        /* What warns of an overflow is no reason to fail. */
        total += ended;
        drop_loop(loop);
        forget_error();
        assert_int_equal(allocator_live(), 0);
    }
    assert_true(total > 400);
    assert_true(atomic_load(&mappings) > 0);
}

/* aiort_run() itself. */
static int leave_tasks(void *arg, void **result)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        aiort_coroutine_t *coroutine = AIORT_CORO(wait_long, NULL);
        if (coroutine != NULL)
            aiort_unref(aiort_create_task(coroutine));
    }
    *result = PTR(9);
    return aiort_sleep(0);
}

static void run_with_refusal(void *arg)
{
    allocator_install();
    for (long n = 1;; n++) {
        void *value = NULL;
        allocator_refuse(n);
        aiort_coroutine_t *coroutine = AIORT_CORO(leave_tasks, NULL);
        int err = coroutine != NULL ? aiort_run(coroutine, &value) : aiort_last_error();
        long refused = allocator_refused();
        allocator_refuse(0);
        assert_true(err == 0 || err == UV_ENOMEM);
        if (err == 0)
            assert_ptr_equal(value, PTR(9));
        forget_error();
        assert_int_equal(allocator_live(), 0);
        if (refused == 0)
            break;
    }
    (void)arg;
}

TEST_WITHIN(60, run_is_refused_memory)
{
    char *output = NULL; /* tasks that could not be cancelled are reported there */
    int status = harness_child(run_with_refusal, NULL, 50, &output);
    if (status != 0)
        print_error("%s", output);
    assert_int_equal(status, 0);
    free(output);
}
