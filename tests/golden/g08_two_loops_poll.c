/* SPDX-License-Identifier: MIT */
/* A long poll in a process that has had another loop: which one it was is said. */
#define main main_of_one_loop
#include "d33_selector_timing.c"
#undef main

int main(void)
{
    aiort_loop_t *other = aiort_loop_new(NULL);
    aiort_loop_close(other);
    aiort_unref(other);
    return main_of_one_loop();
}
