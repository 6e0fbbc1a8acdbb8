/* SPDX-License-Identifier: MIT */
/* A slow turn in a process that has had another loop: which one it was is said. */
#define main main_of_one_loop
#include "../uv/slow_iteration_timers.c"
#undef main

int main(void)
{
    uv_loop_t other;
    must(uv_loop_init(&other));
    must(uv_loop_close(&other));
    return main_of_one_loop();
}
