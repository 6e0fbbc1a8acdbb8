/* SPDX-License-Identifier: MIT */
/* An error is set, then the future cancelled, which is refused and yet counts as a look. Silent. */
#include <aiort.h>
#include <stdio.h>

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);
    aiort_future_set_error(future, UV_EINVAL, "silenced");
    printf("cancel -> %d\n", aiort_future_cancel(future, NULL));
    aiort_unref(future);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
