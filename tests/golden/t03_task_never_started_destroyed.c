/* SPDX-License-Identifier: MIT */
/*
 * A task that never ran when its loop is closed: "Task was destroyed but it is pending!" and, of
 * its coroutine, "was never awaited".
 */
#include <aiort.h>

static int never_started(void *arg, void **result)
{
    (void)arg, (void)result;
    return 0;
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(never_started, NULL),
                                                &(aiort_task_options_t){.name = "ns"});

    aiort_loop_close(loop);
    aiort_unref(task);
    aiort_unref(loop);
    puts("end");
    return 0;
}
