/* SPDX-License-Identifier: MIT */
/* The error is read: silent. */
#include <aiort.h>
#include <stdio.h>

int main(void)
{
    aiort_error_t *error = NULL;
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);
    aiort_future_set_error(future, UV_EINVAL, "read");
    aiort_future_error(future, &error);
    printf("%s('%s')\n", aiort_err_name(aiort_error_code(error)), aiort_error_message(error));
    aiort_unref(future);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
