/* SPDX-License-Identifier: MIT */
/* call_later() and call_at() without a time: in C, not a number. */
#include <aiort.h>
#include <math.h>
#include <stdio.h>

static int never(void *arg)
{
    (void)arg;
    puts("never");
    return 0;
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    int err = aiort_call_later(loop, NAN, never, NULL, NULL);
    printf("call_later %s: %s\n", aiort_err_name(err), aiort_strerror(err));
    err = aiort_call_at(loop, NAN, never, NULL, NULL);
    printf("call_at %s: %s\n", aiort_err_name(err), aiort_strerror(err));
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
