/* SPDX-License-Identifier: MIT */
/* A task that awaits itself: "Task cannot await on itself: <Task ...>". */
#include <aiort.h>

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    int err = aiort_await(aiort_current_task(), NULL);

    printf("%s: %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
