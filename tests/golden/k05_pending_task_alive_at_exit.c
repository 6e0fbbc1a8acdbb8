/* SPDX-License-Identifier: MIT */
/* A pending task kept in a global, its loop neither closed nor drained: reported during exit(). */
#include <aiort.h>
#include <stdlib.h>

static aiort_loop_t *loop;
static aiort_task_t *keep;

static int forever(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_sleep(3600);
}

static int stop(void *arg)
{
    (void)arg;
    return aiort_loop_stop(loop);
}

/* What Python's interpreter does with globals when it ends, a C program does itself. */
static void drop_globals(void)
{
    aiort_unref(loop);
    aiort_unref(keep);
}

int main(void)
{
    atexit(drop_globals);
    loop = aiort_loop_new(NULL);
    keep = aiort_loop_create_task(loop, AIORT_CORO(forever, NULL),
                                  &(aiort_task_options_t){.name = "keep"});
    aiort_call_soon(loop, stop, NULL, NULL);
    aiort_loop_run_forever(loop);
    printf("main program ends; pending: %zu\n", aiort_all_tasks(loop, NULL, 0));
    return 0;
}
