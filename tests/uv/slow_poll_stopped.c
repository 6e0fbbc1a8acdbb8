/* SPDX-License-Identifier: MIT */
/*
 * nodejs/node#6763 "setTimeout delayed when sleeping on Windows": the process (there the computer)
 * stands still, and the poll returns long after the timeout that it was given.
 *
 * @expect slow-poll
 * @env AIODEBUG_SLOW_POLL=0.3
 */
#include "program.h"

#include <sys/wait.h>

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    pid_t child = fork();
    if (child == 0) {
        uv_sleep(50);
#ifndef FIXED
        kill(getppid(), SIGSTOP);
        uv_sleep(700);
        kill(getppid(), SIGCONT);
#endif
        _exit(0);
    }
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 150, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    waitpid(child, NULL, 0);
    return 0;
}
