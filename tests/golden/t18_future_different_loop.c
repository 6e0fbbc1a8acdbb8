/* SPDX-License-Identifier: MIT */
/* A task that awaits another loop's future: "Task ... got Future ... attached to a different loop".
 */
#include <aiort.h>

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_loop_t *other = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(other);
    int err = aiort_await(future, NULL);

    printf("%s: %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    aiort_unref(future);
    aiort_loop_close(other);
    aiort_unref(other);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
