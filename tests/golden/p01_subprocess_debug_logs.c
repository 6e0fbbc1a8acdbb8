/* SPDX-License-Identifier: MIT */
/* Near-miss: a child that is fed, read from and waited for. */
#include <aiort.h>
#include <string.h>

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    const aiort_process_options_t options = {.in = AIORT_PROCESS_PIPE, .out = AIORT_PROCESS_PIPE};
    char *argv[] = {"cat", NULL};
    char repr[256];
    aiort_process_t *process;
    const char *out;
    size_t n;
    int status;

    int err = aiort_create_subprocess_exec("cat", argv, &options, &process);
    if (err)
        return err;
    err = aiort_process_communicate(process, "hello", 5, &out, &n, NULL, NULL);
    aiort_process_returncode(process, &status);
    aiort_repr(process, repr, sizeof(repr));
    if (!err)
        printf("'%.*s' %d %s\n", (int)n, out, status, strncmp(repr, "<Process", 8) ? repr : "ok");
    aiort_unref(process);
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
