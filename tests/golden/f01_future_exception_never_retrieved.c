/* SPDX-License-Identifier: MIT */
/* A future gets an error that nobody reads: "Future exception was never retrieved". */
#include <aiort.h>
#include <stdio.h>

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);
    aiort_future_set_error(future, UV_EINVAL, "lost");
    aiort_unref(future);
    puts("after unref");
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
