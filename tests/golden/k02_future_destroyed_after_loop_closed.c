/* SPDX-License-Identifier: MIT */
/* A failed future destroyed after aiort_loop_close(): still reported, by the closed loop's handler.
 */
#include <aiort.h>

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);

    aiort_future_set_error(future, UV_EINVAL, "late");
    aiort_loop_close(loop);
    puts("closed");
    aiort_unref(future);
    aiort_unref(loop);
    return 0;
}
