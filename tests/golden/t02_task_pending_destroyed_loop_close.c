/* SPDX-License-Identifier: MIT */
/* A task is pending when its loop is closed: "Task was destroyed but it is pending!". */
#include <aiort.h>

static int forever(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_sleep(3600);
}

static int stop(void *loop)
{
    return aiort_loop_stop(loop);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(forever, NULL),
                                                &(aiort_task_options_t){.name = "forever"});
    char repr[512];

    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_repr(task, repr, sizeof(repr));
    puts(repr);
    aiort_loop_close(loop);
    aiort_unref(task);
    aiort_unref(loop);
    puts("end");
    return 0;
}
