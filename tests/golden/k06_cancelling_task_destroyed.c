/* SPDX-License-Identifier: MIT */
/* A task cancelled but never given a chance to run, then destroyed: its status is "cancelling". */
#include <aiort.h>

static int forever(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    int err = aiort_await(future, NULL);

    aiort_unref(future);
    return err;
}

static int stop(void *loop)
{
    return aiort_loop_stop(loop);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(forever, NULL),
                                                &(aiort_task_options_t){.name = "c"});
    char repr[512];

    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_task_cancel(task, NULL);
    aiort_repr(task, repr, sizeof(repr));
    puts(repr);
    aiort_loop_close(loop);
    aiort_unref(task);
    aiort_unref(loop);
    return 0;
}
