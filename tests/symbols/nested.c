/* SPDX-License-Identifier: MIT */
/* GNU C's functions inside functions, and more calls in one unit than are looked up one by one. */
#include "probe.h"

static void outside(const char *tag)
{
    NOINLINE void within(int n)
    {
        if (n > 0)
            within(n - 1); /* @deeper */
        else
            probe_stack(tag); /* @within */
        STAY();
    }
    within(1); /* @outside */
    STAY();
}

int main(void)
{
    for (int i = 0; i < 2; i++) {
        outside("nested");    /* @nested_main */
        probe_stack("again"); /* @again */
    }
    return 0;
}
