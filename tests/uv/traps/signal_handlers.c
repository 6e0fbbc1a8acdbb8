/* SPDX-License-Identifier: MIT */
/*
 * Trap 24: uv_async_send() is called in signal handlers, which interrupt the thread anywhere, in
 * malloc() and in the shim too; and libuv's own example calls uv_fs_unlink() and exit() in one.
 *
 * @silent
 * @exit 5
 */
#include "../program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>

static uv_async_t async;
static volatile sig_atomic_t signals;
static int woken;

static void on_alarm(int number)
{
    (void)number;
    signals++;
    uv_async_send(&async);
}

static void on_last(int number)
{
    uv_fs_t req;
    (void)number;
    uv_fs_unlink(NULL, &req, "made", NULL);
    exit(5);
}

static void on_async(uv_async_t *handle)
{
    (void)handle;
    woken++;
}

static void churn(uv_idle_t *idle)
{
    for (int i = 0; i < 20; i++) {
        uv_timer_t *timer = malloc(sizeof *timer);
        must(uv_timer_init(idle->loop, timer));
        uv_close((uv_handle_t *)timer, (uv_close_cb)free);
    }
    if (signals > 300) {
        struct itimerval none = {{0, 0}, {0, 0}};
        setitimer(ITIMER_REAL, &none, NULL);
        uv_close((uv_handle_t *)idle, NULL);
        uv_close((uv_handle_t *)&async, NULL);
    }
}

int main(void)
{
    uv_loop_t loop;
    uv_idle_t idle;
    struct itimerval often = {{0, 500}, {0, 500}};
    close(open("made", O_CREAT | O_WRONLY, 0600));
    signal(SIGALRM, on_alarm);
    signal(SIGTERM, on_last);
    must(uv_loop_init(&loop));
    must(uv_async_init(&loop, &async, on_async));
    must(uv_idle_init(&loop, &idle));
    must(uv_idle_start(&idle, churn));
    setitimer(ITIMER_REAL, &often, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    printf("%s\n", woken > 0 ? "woken" : "not woken");
    fflush(stdout);
    raise(SIGTERM);
    return 0;
}
