/* SPDX-License-Identifier: MIT */
/* A report made inside a callback: debug mode adds where the callback's handle was created. */
#include <aiort.h>

static int f(void *arg)
{
    aiort_report_t report = {.message = "inside callback"};
    aiort_loop_call_exception_handler((aiort_loop_t *)arg, &report);
    return 0;
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, f, loop, NULL);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
