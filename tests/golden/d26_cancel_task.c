/* SPDX-License-Identifier: MIT */
/* A task is cancelled with a message, which reaches it and whoever awaits it: silent. */
#include <aiort.h>
#include <stdio.h>

static int worker(void *arg, void **result)
{
    (void)arg, (void)result;
    int err = aiort_sleep(10);
    printf("worker: %s %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    return err;
}

static int run(void *arg, void **result)
{
    (void)arg;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(worker, NULL));
    aiort_sleep(0);
    aiort_task_cancel(task, "my reason");
    int err = aiort_await(task, result);
    printf("run sees: %s %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    printf("%d %d\n", aiort_future_cancelled(AIORT_FUTURE(task)),
           aiort_future_done(AIORT_FUTURE(task)));
    aiort_unref(task);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
