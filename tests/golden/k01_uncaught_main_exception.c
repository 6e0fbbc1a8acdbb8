/* SPDX-License-Identifier: MIT */
/* An error that leaves aiort_run(): the program's to print, exit status 1, no log. */
#include <aiort.h>

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "escapes");
}

int main(void)
{
    int err = aiort_run(AIORT_CORO(main_coroutine, NULL), NULL);

    if (err < 0) {
        const aiort_site_t *site = aiort_error_site(aiort_current_error());
        char error[128];

        aiort_repr(aiort_current_error(), error, sizeof(error));
        fprintf(stderr, "%s:%d: in %s: %s\n", site->file, site->line, site->function, error);
        return 1;
    }
    return 0;
}
