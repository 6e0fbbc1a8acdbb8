/* SPDX-License-Identifier: MIT */
/*
 * "Task was destroyed but it is pending!" seen by an exception handler of the program's own: the
 * report has the keys message and task (and source_traceback under the shim); no future, no error.
 */
#include <aiort.h>

static int forever(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    int err = aiort_await(future, NULL);

    aiort_unref(future);
    return err;
}

static int handler(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    const char *keys[16];
    size_t n = aiort_report_keys(report, keys, 16);

    (void)loop, (void)arg;
    printf("%s [", report->message);
    for (size_t i = 0; i < n; i++)
        printf("%s%s", i == 0 ? "" : ", ", keys[i]);
    puts("]");
    if (report->future != NULL || report->error != NULL)
        puts("and what it should not have");
    return 0;
}

static int stop(void *loop)
{
    return aiort_loop_stop(loop);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);

    aiort_loop_set_exception_handler(loop, handler, NULL);
    aiort_unref(aiort_loop_create_task(loop, AIORT_CORO(forever, NULL), NULL));
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
