/* SPDX-License-Identifier: MIT */
/* A callback ends the program with exit(): it ends, and nothing is logged. */
#include <aiort.h>
#include <stdio.h>
#include <stdlib.h>

static int f(void *arg)
{
    (void)arg;
    puts("leaving");
    exit(0);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, f, NULL, NULL);
    aiort_loop_run_forever(loop);
    puts("not reached");
    return 1;
}
