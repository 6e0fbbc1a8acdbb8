/* SPDX-License-Identifier: MIT */
/* A loop that is closed while a child still runs kills it. */
#include <aiort.h>
#include <sys/wait.h>

static int main_coroutine(void *process, void **result)
{
    char *argv[] = {"sleep", "30", NULL};

    (void)result;
    return aiort_create_subprocess_exec("sleep", argv, NULL, process);
}

int main(void)
{
    aiort_process_t *process = NULL;
    int err = aiort_run(AIORT_CORO(main_coroutine, &process), NULL);

    if (process) {
        int status = 0;
        pid_t pid = waitpid(aiort_process_pid(process), &status, 0);
        printf("%d\n", pid > 0 && WIFSIGNALED(status) ? -WTERMSIG(status) : 0);
        aiort_unref(process);
    }
    return err != 0;
}
