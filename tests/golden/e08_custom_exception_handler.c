/* SPDX-License-Identifier: MIT */
/* The keys that a handler of the program's own is given. Nothing is logged. */
#include <aiort.h>
#include <stdio.h>

static int handler(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    (void)loop, (void)arg;
    const char *keys[16];
    size_t n = aiort_report_keys(report, keys, 16);
    printf("%s [", report->message);
    for (size_t i = 0; i < n; i++)
        printf("%s%s", i ? ", " : "", keys[i]);
    puts("]");
    return 0;
}

static int fails(void *arg)
{
    (void)arg;
    return aiort_raise(UV_ERANGE, "division by zero");
}

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "x");
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_loop_set_exception_handler(loop, handler, NULL);
    aiort_call_soon(loop, fails, NULL, NULL);
    aiort_unref(aiort_create_task(AIORT_CORO(bug, NULL)));
    aiort_future_t *future = aiort_future_new(loop);
    aiort_future_set_error(future, UV_ENOENT, "k");
    aiort_unref(future);
    return aiort_sleep(0.01);
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
