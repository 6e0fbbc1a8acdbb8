/* SPDX-License-Identifier: MIT */
/* A child that still runs when its loop is closed: with AIODEBUG_RESOURCE=1 it is said. */
#include <aiort.h>

static int main_coroutine(void *arg, void **result)
{
    char *argv[] = {"sleep", "0.2", NULL};
    aiort_process_t *process = NULL;

    (void)arg, (void)result;
    int err = aiort_create_subprocess_exec("sleep", argv, NULL, &process);
    aiort_unref(process);
    return err;
}

int main(void)
{
    int err = aiort_run(AIORT_CORO(main_coroutine, NULL), NULL);

    puts("loop closed");
    return err != 0;
}
