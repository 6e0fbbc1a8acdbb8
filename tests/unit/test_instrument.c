/* SPDX-License-Identifier: MIT */
/*
 * What debug mode needs of the runtime, seen by a tool that this program itself is: it defines some
 * of the seams (aiort_instrument_*), which the runtime then calls instead of its own. Mirrors those
 * of CPython's tests that switch debug mode on: source tracebacks, "created at", wrong threads, the
 * selector's timeouts.
 */
#include "helpers.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <math.h>
#include <pthread.h>

static const aiort_instrument_api_t *api;
static int debug_on;

/* A trace is an index into this: the names of the functions on the stack, innermost first. */
static char stacks[64][1024];
static uint32_t nstacks;

void aiort_instrument_attach(const aiort_instrument_api_t *given)
{
    api = given;
}

uint32_t aiort_instrument_created(aiort_kind_t kind, void *object)
{
    void *frames[32];
    size_t length = 0;

    (void)kind;
    (void)object;
    if (!debug_on || nstacks >= 63)
        return 0;
    char *stack = stacks[++nstacks];
    int n = backtrace(frames, 32);
    for (int i = 0; i < n && length < sizeof stacks[0]; i++) {
        Dl_info info;
        if (dladdr((char *)frames[i] - 1, &info) != 0 && info.dli_sname != NULL)
            length +=
                (size_t)snprintf(stack + length, sizeof stacks[0] - length, "%s ", info.dli_sname);
    }
    return nstacks;
}

size_t aiort_instrument_created_at(uint32_t trace, char *buf, size_t size)
{
    return (size_t)snprintf(buf, size, " created at stack-%u", trace);
}

int aiort_instrument_set_debug(aiort_loop_t *loop, int enabled)
{
    (void)loop;
    if (enabled >= 0)
        debug_on = enabled;
    return debug_on;
}

static double polled[256]; /* the timeouts */
static int npolls;
static void (*when_polling)(aiort_loop_t *loop, double timeout);

void aiort_instrument_poll(aiort_loop_t *loop, double timeout, int before)
{
    if (before >= 0)
        return;
    if (npolls < 256)
        polled[npolls] = timeout;
    npolls++;
    if (when_polling != NULL)
        when_polling(loop, timeout);
}

static int wrong_threads;
static char wrong_function[64];

int aiort_instrument_wrong_thread(aiort_loop_t *loop, const void *object, const char *function)
{
    (void)loop;
    (void)object;
    wrong_threads++;
    snprintf(wrong_function, sizeof wrong_function, "%s", function);
    return debug_on ? AIORT_EWRONGTHREAD : 0;
}

static uint32_t enriched_trace;

void aiort_instrument_enrich(aiort_loop_t *loop, aiort_report_t *report)
{
    (void)loop;
    const void *object = report->task     ? (const void *)report->task
                         : report->future ? (const void *)report->future
                                          : (const void *)report->handle;
    report->source_trace = enriched_trace = object != NULL ? api->trace(object) : 0;
}

static int invalid_states;
static const aiort_site_t *first_completion;

void aiort_instrument_invalid_state(aiort_future_t *future, const char *function)
{
    (void)function;
    invalid_states++;
    first_completion = api->completed_site(future);
}

static int steps_told;

void aiort_instrument_step(aiort_loop_t *loop, void *ended)
{
    (void)loop, (void)ended;
    steps_told++;
}

static aiort_loop_t *new_debug_loop(void)
{
    aiort_loop_t *loop = new_loop();
    aiort_loop_set_debug(loop, 1);
    assert_true(aiort_loop_get_debug(loop));
    return loop;
}

static int ten_steps(void *arg, void **result)
{
    (void)arg, (void)result;
    for (int i = 0; i < 10; i++) {
        int err = aiort_sleep(0);
        assert_int_equal(err, 0);
    }
    return 0;
}

/* How many ends of a task's eleven steps, and of no other, are told. */
static int told_of_ten_steps(aiort_loop_t *loop)
{
    steps_told = 0;
    assert_int_equal(aiort_loop_run_until_complete(loop, AIORT_CORO(ten_steps, NULL), NULL), 0);
    return steps_told;
}

/* A tool may say which ends of steps it need not hear of. */
TEST(pace)
{
    static volatile uint64_t clock = 500;
    aiort_loop_t *loop = new_loop();
    aiort_instrument_pace_t *pace = api->pace(loop);
    int all = told_of_ten_steps(loop);

    assert_true(all >= 11);
    assert_int_equal(pace->left, 0);
    pace->clock = &clock;
    pace->stood = 500;
    assert_int_equal(told_of_ten_steps(loop), all);
    pace->left = 1000;
    assert_int_equal(told_of_ten_steps(loop), 0);
    assert_int_equal(pace->left, 1000 - all);
    pace->left = 4;
    assert_int_equal(told_of_ten_steps(loop), all - 4);
    assert_int_equal(pace->left, 0);
    pace->left = 1000;
    clock++;
    assert_int_equal(told_of_ten_steps(loop), all);
    assert_int_equal(pace->left, 1000);
    clock--;
    assert_int_equal(told_of_ten_steps(loop), 0);
    drop_loop(loop);
}

TEST(set_debug)
{
    aiort_loop_t *loop = new_loop();

    assert_non_null(api);
    assert_int_equal(api->version, 3);
    assert_false(aiort_loop_get_debug(loop));
    aiort_loop_set_debug(loop, 1);
    assert_true(aiort_loop_get_debug(loop));
    assert_true(api->debug(loop));
    aiort_loop_set_debug(loop, 0);
    assert_false(aiort_loop_get_debug(loop));
    drop_loop(loop);

    aiort_loop_options_t options = {.debug = 1};
    loop = aiort_loop_new(&options);
    assert_true(aiort_loop_get_debug(loop));
    drop_loop(loop);
}

TEST(slow_callback_duration)
{
    aiort_loop_t *loop = new_loop();

    assert_true(aiort_loop_get_slow_callback_duration(loop) < 0);
    aiort_loop_set_slow_callback_duration(loop, 0.25);
    assert_true(aiort_loop_get_slow_callback_duration(loop) == 0.25);
    assert_true(api->slow_callback_duration(loop) == 0.25);
    aiort_loop_set_slow_callback_duration(loop, -3);
    assert_true(aiort_loop_get_slow_callback_duration(loop) < 0);
    drop_loop(loop);
}

/* ---- where objects were made ---- */

AIORT_EXTERN void make_handles_here(aiort_loop_t *loop, aiort_handle_t **handles);
AIORT_EXTERN aiort_future_t *make_future_here(aiort_loop_t *loop);
AIORT_EXTERN aiort_task_t *make_task_here(aiort_loop_t *loop);

__attribute__((noinline)) void make_handles_here(aiort_loop_t *loop, aiort_handle_t **handles)
{
    assert_ok(aiort_call_soon(loop, do_nothing, NULL, &handles[0]));
    assert_ok(aiort_call_soon_threadsafe(loop, do_nothing, NULL, &handles[1]));
    assert_ok(aiort_call_later(loop, 0, do_nothing, NULL, &handles[2]));
    assert_ok(aiort_call_at(loop, 0, do_nothing, NULL, &handles[3]));
}

__attribute__((noinline)) aiort_future_t *make_future_here(aiort_loop_t *loop)
{
    aiort_future_t *volatile future = aiort_future_new(loop);
    return future;
}

__attribute__((noinline)) aiort_task_t *make_task_here(aiort_loop_t *loop)
{
    aiort_task_t *volatile task =
        aiort_loop_create_task(loop, AIORT_CORO(return_at_once, NULL), NULL);
    return task;
}

TEST(handle_source_traceback)
{
    aiort_loop_t *loop = new_debug_loop();
    aiort_handle_t *handles[4];

    make_handles_here(loop, handles);
    for (int i = 0; i < 4; i++) {
        assert_true(api->trace(handles[i]) > 0);
        assert_contains(stacks[api->trace(handles[i])], "make_handles_here");
        assert_non_null(api->site(handles[i]));
        assert_string_equal(api->site(handles[i])->function, "make_handles_here");
        assert_true(api->handle_callback(handles[i]) == do_nothing);
        aiort_unref(handles[i]);
    }
    drop_loop(loop);
}

TEST(future_source_traceback)
{
    aiort_loop_t *loop = new_debug_loop();
    aiort_future_t *future = make_future_here(loop);

    assert_true(api->trace(future) > 0);
    assert_contains(stacks[api->trace(future)], "make_future_here");
    aiort_unref(future);
    drop_loop(loop);
}

TEST(task_source_traceback)
{
    aiort_loop_t *loop = new_debug_loop();
    aiort_task_t *task = make_task_here(loop);

    assert_true(api->trace(task) > 0);
    assert_contains(stacks[api->trace(task)], "make_task_here");
    assert_contains(stacks[api->trace(api->task_coroutine(task))], "make_task_here");
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    aiort_unref(task);
    drop_loop(loop);
}

TEST(future_exception_never_retrieved_debug)
{
    aiort_loop_t *loop = new_debug_loop();
    aiort_future_t *future = make_future_here(loop);
    reports_t reports;
    uint32_t trace = api->trace(future);

    record(loop, &reports);
    assert_ok(aiort_future_set_error(future, UV_ENOMEM, "too much"));
    aiort_unref(future);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "Future exception was never retrieved");
    assert_int_equal(enriched_trace, trace);
    assert_contains(reports.keys, "source_traceback");
    drop_loop(loop);
}

static int noop(void *arg)
{
    (void)arg;
    return 0;
}

TEST(handle_repr_debug)
{
    aiort_loop_t *loop = new_debug_loop();
    aiort_handle_t *handle = NULL;
    char expected[512];
    int line = __LINE__ + 1;
    assert_ok(aiort_call_soon(loop, noop, PTR(0x12), &handle));

    snprintf(expected, sizeof expected, "<Handle noop(0x12) at %s:%d created at stack-%u>",
             __FILE__, line, api->trace(handle));
    assert_string_equal(repr(handle), expected);
    for (int i = 0; i < 2; i++) {
        assert_ok(aiort_handle_cancel(handle));
        snprintf(expected, sizeof expected,
                 "<Handle cancelled noop(0x12) at %s:%d created at stack-%u>", __FILE__, line,
                 api->trace(handle));
        assert_string_equal(repr(handle), expected);
    }
    aiort_unref(handle);
    drop_loop(loop);
}

TEST(timer_repr_debug)
{
    aiort_loop_t *loop = new_debug_loop();
    aiort_handle_t *handle = NULL;
    char expected[512];
    int line = __LINE__ + 1;
    assert_ok(aiort_call_at(loop, 123, noop, NULL, &handle));

    snprintf(expected, sizeof expected,
             "<TimerHandle when=123 noop() at %s:%d created at stack-%u>", __FILE__, line,
             api->trace(handle));
    assert_string_equal(repr(handle), expected);
    assert_ok(aiort_handle_cancel(handle));
    snprintf(expected, sizeof expected,
             "<TimerHandle cancelled when=123 noop() at %s:%d created at stack-%u>", __FILE__, line,
             api->trace(handle));
    assert_string_equal(repr(handle), expected);
    aiort_unref(handle);
    drop_loop(loop);
}

TEST(future_repr_debug)
{
    aiort_loop_t *loop = new_debug_loop();
    aiort_future_t *future = make_future_here(loop);
    char expected[512];

    snprintf(expected, sizeof expected, "<Future pending created at stack-%u>", api->trace(future));
    assert_string_equal(repr(future), expected);
    aiort_unref(future);
    drop_loop(loop);
}

/* ---- threads ---- */

typedef struct {
    aiort_loop_t *loop;
    pthread_barrier_t *barrier;
    int own_loop, codes[3];
} foreign_t;

static int call_from_foreign_thread(foreign_t *foreign)
{
    aiort_loop_t *loop = foreign->loop;
    foreign->codes[0] = aiort_call_soon(loop, noop, NULL, NULL);
    foreign->codes[1] = aiort_call_later(loop, 60, noop, NULL, NULL);
    foreign->codes[2] = aiort_call_at(loop, aiort_loop_time(loop) + 60, noop, NULL, NULL);
    return 0;
}

static int call_from_foreign_loop(void *arg, void **result)
{
    (void)result;
    return call_from_foreign_thread(arg);
}

static void *run_foreign_thread(void *arg)
{
    foreign_t *foreign = arg;

    pthread_barrier_wait(foreign->barrier);
    if (foreign->own_loop)
        assert_ok(aiort_run(AIORT_CORO(call_from_foreign_loop, foreign), NULL));
    else
        call_from_foreign_thread(foreign);
    pthread_barrier_wait(foreign->barrier);
    return NULL;
}

static int wait_for_foreign_thread(void *arg)
{
    pthread_barrier_wait(arg); /* it goes */
    pthread_barrier_wait(arg); /* it has called: this loop runs all the while */
    return 0;
}

static void check_foreign_thread(int debug, int own_loop)
{
    aiort_loop_t *loop = new_loop();
    pthread_barrier_t barrier;
    foreign_t foreign = {loop, &barrier, own_loop, {1, 1, 1}};
    pthread_t thread;

    aiort_loop_set_debug(loop, debug);
    assert_ok(pthread_barrier_init(&barrier, NULL, 2));
    wrong_threads = 0;
    assert_ok(pthread_create(&thread, NULL, run_foreign_thread, &foreign));
    assert_ok(aiort_call_soon(loop, wait_for_foreign_thread, &barrier, NULL));
    run_once(loop);
    assert_ok(pthread_join(thread, NULL));
    pthread_barrier_destroy(&barrier);
    for (int i = 0; i < 3; i++)
        assert_code(foreign.codes[i], debug ? AIORT_EWRONGTHREAD : 0);
    assert_int_equal(wrong_threads, 3);
    assert_string_equal(wrong_function, "aiort_call_at");
    drop_loop(loop);
}

TEST(check_thread)
{
    check_foreign_thread(1, 0);
    check_foreign_thread(0, 0);
    check_foreign_thread(1, 1);
    check_foreign_thread(0, 1);
    assert_string_equal(aiort_strerror(AIORT_EWRONGTHREAD),
                        "Non-thread-safe operation invoked on an event loop other than the "
                        "current one");
}

/* With a loop that does not run, any thread may use it. */
static void *use_idle_loop(void *arg)
{
    assert_ok(aiort_call_soon(arg, noop, NULL, NULL));
    return NULL;
}

TEST(check_thread_of_idle_loop)
{
    aiort_loop_t *loop = new_debug_loop();
    pthread_t thread;

    assert_ok(pthread_create(&thread, NULL, use_idle_loop, loop));
    assert_ok(pthread_join(thread, NULL));
    assert_int_equal(wrong_threads, 0);
    run_once(loop);
    drop_loop(loop);
}

/* Every function that is not documented as thread-safe says so, and does nothing when refused. */
typedef struct {
    aiort_loop_t *loop;
    aiort_future_t *future;
    aiort_task_t *task;
    aiort_handle_t *handle;
    pthread_barrier_t barrier;
} all_t;

static int on_done(aiort_future_t *future, void *arg)
{
    (void)future;
    (void)arg;
    return 0;
}

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        int before = wrong_threads;                                                                \
        assert_code((call), AIORT_EWRONGTHREAD);                                                   \
        assert_int_equal(wrong_threads, before + 1);                                               \
    } while (0)

#define NOTICED(call)                                                                              \
    do {                                                                                           \
        int before = wrong_threads;                                                                \
        (void)(call);                                                                              \
        if (wrong_threads == before)                                                               \
            print_error("not noticed: %s\n", #call);                                               \
        assert_true(wrong_threads > before);                                                       \
    } while (0)

static void *use_all(void *arg)
{
    all_t *all = arg;
    aiort_error_t *error;

    pthread_barrier_wait(&all->barrier);
    REFUSED(aiort_call_soon(all->loop, noop, NULL, NULL));
    REFUSED(aiort_call_later(all->loop, 1, noop, NULL, NULL));
    REFUSED(aiort_call_at(all->loop, 1, noop, NULL, NULL));
    REFUSED(aiort_loop_stop(all->loop));
    REFUSED(aiort_loop_close(all->loop));
    REFUSED(aiort_loop_run_forever(all->loop));
    REFUSED(aiort_loop_set_exception_handler(all->loop, NULL, NULL));
    REFUSED(aiort_handle_cancel(all->handle));
    REFUSED(aiort_future_set_result(all->future, NULL));
    REFUSED(aiort_future_set_error(all->future, UV_EIO, NULL));
    REFUSED(aiort_future_cancel(all->future, NULL));
    REFUSED(aiort_future_result(all->future, NULL));
    REFUSED(aiort_future_error(all->future, &error));
    REFUSED(aiort_future_add_done_callback(all->future, on_done, NULL));
    REFUSED(aiort_future_remove_done_callback(all->future, on_done, NULL));
    REFUSED(aiort_task_cancel(all->task, NULL));
    REFUSED(aiort_task_uncancel(all->task));
    REFUSED(aiort_task_set_name(all->task, "x"));
    NOTICED(aiort_future_new(all->loop));
    NOTICED(aiort_loop_create_task(all->loop, AIORT_CORO(return_at_once, NULL), NULL));
    NOTICED(aiort_future_done(all->future));
    NOTICED(aiort_future_cancelled(all->future));
    NOTICED(aiort_future_state(all->future));
    NOTICED(aiort_task_cancelling(all->task));
    NOTICED(aiort_task_get_name(all->task));
    NOTICED(aiort_task_get_coro(all->task));
    NOTICED(aiort_all_tasks(all->loop, NULL, 0));
    NOTICED(aiort_handle_cancelled(all->handle));
    pthread_barrier_wait(&all->barrier);
    return NULL;
}

TEST(every_function_checks_its_thread)
{
    all_t all = {.loop = new_debug_loop()};
    pthread_t thread;

    all.future = new_future(all.loop);
    all.task = start(all.loop, AIORT_CORO(await_future, all.future));
    assert_ok(aiort_call_later(all.loop, 100, noop, NULL, &all.handle));
    assert_ok(pthread_barrier_init(&all.barrier, NULL, 2));
    assert_ok(pthread_create(&thread, NULL, use_all, &all));
    assert_ok(aiort_call_soon(all.loop, wait_for_foreign_thread, &all.barrier, NULL));
    run_once(all.loop);
    assert_ok(pthread_join(thread, NULL));
    pthread_barrier_destroy(&all.barrier);
    assert_false(aiort_future_done(all.future));
    assert_false(aiort_handle_cancelled(all.handle));
    assert_int_equal(aiort_all_tasks(all.loop, NULL, 0), 1);
    assert_ok(aiort_future_set_result(all.future, NULL));
    assert_ok(aiort_loop_run_until_complete(all.loop, all.task, NULL));
    aiort_unref(all.task);
    aiort_unref(all.future);
    aiort_unref(all.handle);
    drop_loop(all.loop);
}

/* ---- the selector's timeout ---- */

static void stop_when_it_would_wait(aiort_loop_t *loop, double timeout)
{
    if (timeout > 1)
        assert_ok(aiort_call_soon_threadsafe(loop, stop_loop, loop, NULL));
}

/* The cancelled timer at the head is forgotten: the selector waits for the next one. */
TEST(_run_once)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *first = NULL;

    assert_ok(aiort_call_later(loop, 5, noop, NULL, &first));
    assert_ok(aiort_call_later(loop, 10, noop, NULL, NULL));
    assert_ok(aiort_handle_cancel(first));
    aiort_unref(first);
    when_polling = stop_when_it_would_wait;
    assert_ok(aiort_loop_run_forever(loop));
    assert_true(npolls > 0 && npolls < 256);
    assert_true(polled[npolls - 1] > 9.5 || polled[npolls - 1] == 0);
    double longest = 0;
    for (int i = 0; i < npolls; i++)
        longest = fmax(longest, polled[i]);
    assert_true(longest > 9.5 && longest < 10.5);
    drop_loop(loop);
}

static int tiny_sleeps(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (double delay = 1e-2; delay > 1e-11; delay /= 100)
        assert_ok(aiort_sleep(delay));
    return 0;
}

/* Five tiny sleeps do not spin. */
TEST(timeout_rounding)
{
    aiort_loop_t *loop = new_loop();

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(tiny_sleeps, NULL), NULL));
    if (npolls > 20)
        print_error("%d polls\n", npolls);
    assert_true(npolls <= 20);
    drop_loop(loop);
}

/* ---- C's own ---- */

TEST(second_completion_is_told_with_the_first)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    int line = __LINE__ + 1;
    assert_ok(aiort_future_set_result(future, NULL));

    assert_code(aiort_future_set_result(future, NULL), AIORT_EINVALIDSTATE);
    assert_int_equal(invalid_states, 1);
    assert_non_null(first_completion);
    assert_int_equal(first_completion->line, line);
    assert_code(aiort_future_set_error(future, UV_EIO, NULL), AIORT_EINVALIDSTATE);
    assert_int_equal(invalid_states, 2);
    aiort_unref(future);
    drop_loop(loop);
}
