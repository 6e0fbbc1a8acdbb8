/* SPDX-License-Identifier: MIT */
/* What a future says when it is asked too early, completed twice, or was cancelled. */
#include <aiort.h>
#include <stdio.h>

static void show(const char *what, int err)
{
    if (err >= 0)
        printf("%s -> %d\n", what, err);
    else
        printf("%s %s %s\n", what, aiort_err_name(err), aiort_error_message(aiort_current_error()));
}

int main(void)
{
    aiort_error_t *error;
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);
    show("result", aiort_future_result(future, NULL));
    show("error", aiort_future_error(future, &error));
    aiort_future_set_result(future, (void *)1);
    show("set_result again", aiort_future_set_result(future, (void *)2));
    show("set_error again", aiort_future_set_error(future, UV_EINVAL, NULL));
    show("cancel", aiort_future_cancel(future, NULL));
    aiort_unref(future);

    future = aiort_future_new(loop);
    aiort_future_cancel(future, "why");
    show("cancelled result", aiort_future_result(future, NULL));
    show("cancelled error", aiort_future_error(future, &error));
    show("cancelled result again", aiort_future_result(future, NULL));
    aiort_unref(future);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
