/* SPDX-License-Identifier: MIT */
/*
 * Trap 22: a daemon closes every descriptor but its standard ones, the log's among them, and the
 * next socket gets its number. What is logged later goes to the log and not to the socket.
 *
 * @env AIODEBUG_SLOW_CALLBACK=20ms
 * @log slow-callback 2
 */
#include "../program.h"

#include <sys/resource.h>

static char received[256];
static ssize_t length;

static void slow(uv_timer_t *timer)
{
    uv_sleep(40);
    uv_close((uv_handle_t *)timer, NULL);
}

static void once(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, slow, 0, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
}

int main(void)
{
    int pairs[500][2];
    struct rlimit limit;
    once();
    uv_sleep(300); /* the log is open by now */
    must(getrlimit(RLIMIT_NOFILE, &limit));
    for (int fd = 3; fd < (int)(limit.rlim_cur < 65536 ? limit.rlim_cur : 65536); fd++) {
        close(fd);
    }
    for (int i = 0; i < 500; i++) {
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]));
    }
    once();
    uv_sleep(300);
    for (int i = 0; i < 500; i++) {
        for (int end = 0; end < 2; end++) {
            ssize_t n = recv(pairs[i][end], received, sizeof received, 0);
            length += n > 0 ? n : 0;
        }
    }
    printf("%zd bytes in the sockets\n", length);
    return 0;
}
