/* SPDX-License-Identifier: MIT */
/* set_result and set_error of a task: refused, a task's outcome is its coroutine's. */
#include <aiort.h>

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = AIORT_FUTURE(aiort_current_task());
    int err = aiort_future_set_result(future, NULL);

    printf("%s: %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    err = aiort_future_set_error(future, UV_EINVAL, "no");
    printf("%s: %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
