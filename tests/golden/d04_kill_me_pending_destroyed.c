/* SPDX-License-Identifier: MIT */
/*
 * kill_me() waits for a future that nobody else can reach. CPython's collector destroys the task;
 * our loop keeps it until it is closed, and says the same then.
 */
#include <aiort.h>
#include <stdio.h>

static int kill_me(void *arg, void **result)
{
    aiort_future_t *future = aiort_future_new((aiort_loop_t *)arg);
    int err = aiort_await(future, result);
    /* The only reference to the future is this coroutine's. */
    aiort_unref(future);
    return err;
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(kill_me, loop), NULL);
    printf("all_tasks %zu\n", aiort_all_tasks(loop, NULL, 0));
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    printf("all_tasks %zu\n", aiort_all_tasks(loop, NULL, 0));
    aiort_unref(task);
    aiort_loop_close(loop);
    printf("all_tasks %zu\n", aiort_all_tasks(loop, NULL, 0));
    aiort_unref(loop);
    return 0;
}
