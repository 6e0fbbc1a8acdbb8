/* SPDX-License-Identifier: MIT */
/* A failed task kept in a global until the process exits: reported during exit(). */
#include <aiort.h>
#include <stdlib.h>

static aiort_task_t *keep;

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "global");
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    keep = aiort_create_task(AIORT_CORO(bug, NULL));
    aiort_task_set_name(keep, "keep");
    return aiort_sleep(0);
}

/* What Python's interpreter does with globals when it ends, a C program does itself. */
static void drop_globals(void)
{
    aiort_unref(keep);
}

int main(void)
{
    atexit(drop_globals);
    aiort_run(AIORT_CORO(main_coroutine, NULL), NULL);
    puts("main program ends");
    return 0;
}
