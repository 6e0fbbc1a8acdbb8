/* SPDX-License-Identifier: MIT */
/* Near-miss: a shell command that fails, its error output where its output goes. */
#include <aiort.h>

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    const aiort_process_options_t options = {.out = AIORT_PROCESS_PIPE,
                                             .err = AIORT_PROCESS_STDOUT};
    aiort_process_t *process;
    const char *out;
    size_t n;
    int status = 0;

    int err = aiort_create_subprocess_shell("echo hi; exit 3", &options, &process);
    if (err)
        return err;
    err = aiort_process_communicate(process, NULL, 0, &out, &n, NULL, NULL);
    aiort_process_returncode(process, &status);
    if (!err)
        printf("%.*s%d\n", (int)n, out, status);
    aiort_unref(process);
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
