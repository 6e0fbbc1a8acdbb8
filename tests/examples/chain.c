/* SPDX-License-Identifier: MIT */
/*
 * chain: three steps that must follow one another are started as three tasks, so they run in the
 * order of their delays, and the loop is stopped before the first has ended. (Right: await each.)
 */
#include <aiort.h>

static int create(void *arg, void **result)
{
    int err = aiort_sleep(1.0);

    (void)arg, (void)result;
    if (err == 0)
        puts("(1) create file");
    return err;
}

static int write_into(void *arg, void **result)
{
    int err = aiort_sleep(0.1);

    (void)arg, (void)result;
    if (err == 0)
        puts("(2) write into file");
    return err;
}

static int close_it(void *arg, void **result)
{
    (void)arg, (void)result;
    puts("(3) close file");
    return 0;
}

static int test(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(aiort_create_task(AIORT_CORO(create, NULL)));
    aiort_unref(aiort_create_task(AIORT_CORO(write_into, NULL)));
    aiort_unref(aiort_create_task(AIORT_CORO(close_it, NULL)));
    aiort_sleep(0.2);
    return aiort_loop_stop(aiort_get_running_loop());
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);

    aiort_unref(aiort_loop_create_task(loop, AIORT_CORO(test, NULL), NULL));
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop); /* create() is still asleep */
    aiort_unref(loop);
    return 0;
}
