/* SPDX-License-Identifier: MIT */
/* The documentation's chain of coroutines, each a task that is awaited: says nothing. */
#include <aiort.h>
#include <stdio.h>

static aiort_loop_t *loop;

static int create(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_sleep(0.03);
    puts("(1) create file");
    return 0;
}

static int write_file(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_sleep(0.01);
    puts("(2) write into file");
    return 0;
}

static int close_file(void *arg, void **result)
{
    (void)arg, (void)result;
    puts("(3) close file");
    return 0;
}

static void await_task(aiort_coroutine_t *coroutine)
{
    aiort_task_t *task = aiort_create_task(coroutine);
    aiort_await(task, NULL);
    aiort_unref(task);
}

static int test(void *arg, void **result)
{
    (void)arg, (void)result;
    await_task(AIORT_CORO(create, NULL));
    await_task(AIORT_CORO(write_file, NULL));
    await_task(AIORT_CORO(close_file, NULL));
    aiort_sleep(0.02);
    return aiort_loop_stop(loop);
}

int main(void)
{
    loop = aiort_loop_new(NULL);
    aiort_unref(aiort_loop_create_task(loop, AIORT_CORO(test, NULL), NULL));
    aiort_loop_run_forever(loop);
    printf("Pending tasks at exit: %zu\n", aiort_all_tasks(loop, NULL, 0));
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
