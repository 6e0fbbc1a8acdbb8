/* SPDX-License-Identifier: MIT */
/* Near-miss: a child of a loop that runs in another thread than the main one. */
#include <aiort.h>
#include <pthread.h>

static int main_coroutine(void *arg, void **result)
{
    char *argv[] = {"true", NULL};
    aiort_process_t *process;
    int status = -1;

    (void)arg, (void)result;
    int err = aiort_create_subprocess_exec("true", argv, NULL, &process);
    if (err)
        return err;
    err = aiort_process_wait(process, &status);
    printf("returncode %d\n", status);
    aiort_unref(process);
    return err;
}

static void *run(void *err)
{
    *(int *)err = aiort_run(AIORT_CORO(main_coroutine, NULL), NULL);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    int err = UV_EAGAIN;

    if (pthread_create(&thread, NULL, run, &err) == 0)
        pthread_join(thread, NULL);
    return err != 0;
}
