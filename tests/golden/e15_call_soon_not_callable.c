/* SPDX-License-Identifier: MIT */
/* call_soon() of something that cannot be called: in C, no function. Refused by the call itself. */
#include <aiort.h>
#include <stdio.h>

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    int err = aiort_call_soon(loop, NULL, NULL, NULL);
    printf("%s: %s\n", aiort_err_name(err), aiort_strerror(err));
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
