/* SPDX-License-Identifier: MIT */
/* A pending future is destroyed, with a callback that waits for it: silent, only tasks complain. */
#include <aiort.h>
#include <stdio.h>

static int done(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    puts("never");
    return 0;
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);
    aiort_future_add_done_callback(future, done, NULL);
    aiort_unref(future);
    puts("silent");
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
