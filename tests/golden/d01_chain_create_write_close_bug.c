/* SPDX-License-Identifier: MIT */
/* The documentation's chain of coroutines with its bug: the loop is stopped while create() waits.
 */
#include <aiort.h>
#include <stdio.h>

static aiort_loop_t *loop;

static int create(void *arg, void **result)
{
    (void)arg, (void)result;
    int err = aiort_sleep(30);
    if (err < 0)
        return err;
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

static int test(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(aiort_create_task(AIORT_CORO(create, NULL)));
    aiort_unref(aiort_create_task(AIORT_CORO(write_file, NULL)));
    aiort_unref(aiort_create_task(AIORT_CORO(close_file, NULL)));
    aiort_sleep(0.2);
    return aiort_loop_stop(loop);
}

static void print_pending(void)
{
    aiort_task_t *tasks[8];
    size_t n = aiort_all_tasks(loop, tasks, 8);
    printf("Pending tasks at exit: {");
    for (size_t i = 0; i < n; i++) {
        char buf[512];
        aiort_repr(tasks[i], buf, sizeof(buf));
        printf("%s%s", i ? ", " : "", buf);
        aiort_unref(tasks[i]);
    }
    puts("}");
}

int main(void)
{
    loop = aiort_loop_new(NULL);
    aiort_unref(aiort_loop_create_task(loop, AIORT_CORO(test, NULL), NULL));
    aiort_loop_run_forever(loop);
    print_pending();
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
