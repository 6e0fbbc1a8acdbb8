/* SPDX-License-Identifier: MIT */
/*
 * Trap 19: fork() without exec inside a callback. The child goes on in the loop, in the callback,
 * and in a loop of its own; neither is the parent's thread a stranger in the child, nor is the log
 * written twice.
 *
 * @silent
 */
#include "../program.h"

#include <sys/wait.h>

static int ticks;

static void tick(uv_timer_t *timer)
{
    if (++ticks == 5) {
        uv_close((uv_handle_t *)timer, NULL);
    }
}

static void own_loop(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, tick, 1, 1));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
}

static void fork_inside(uv_idle_t *idle)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        must(uv_loop_fork(idle->loop));
        own_loop();
        uv_close((uv_handle_t *)idle, NULL);
        return;
    }
    waitpid(child, &status, 0);
    printf("child ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    uv_close((uv_handle_t *)idle, NULL);
}

static void wake(uv_async_t *async)
{
    uv_close((uv_handle_t *)async, NULL);
}

static void send_soon(void *async)
{
    uv_sleep(5);
    must(uv_async_send(async));
}

int main(void)
{
    uv_loop_t loop;
    uv_idle_t idle;
    uv_async_t async;
    uv_thread_t thread;
    must(uv_loop_init(&loop));
    must(uv_idle_init(&loop, &idle));
    must(uv_idle_start(&idle, fork_inside));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_async_init(&loop, &async, wake));
    must(uv_thread_create(&thread, send_soon, &async));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_thread_join(&thread));
    must(uv_loop_close(&loop));
    printf("%d ticks\n", ticks);
    return 0;
}
