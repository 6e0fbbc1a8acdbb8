/* SPDX-License-Identifier: MIT */
/*
 * Trap 12: where NULL is allowed for a callback, what it means where the call is then synchronous
 * (no loop needed, any thread), and where it is an error after which no callback comes. And trap
 * 13: a cancelled request's callback still comes.
 *
 * @silent
 */
#include "../program.h"

static uv_loop_t loop;
static int cancelled;

static void synchronous(void *arg)
{
    uv_fs_t req;
    uv_getaddrinfo_t lookup;
    uv_random_t random;
    char bytes[8];
    must(uv_fs_stat(arg, &req, "/", NULL));
    uv_fs_req_cleanup(&req);
    must(uv_fs_access(arg, &req, "/", 0, NULL));
    uv_fs_req_cleanup(&req);
    must(uv_getaddrinfo(&loop, &lookup, NULL, "127.0.0.1", NULL, NULL));
    uv_freeaddrinfo(lookup.addrinfo);
    must(uv_random(NULL, &random, bytes, sizeof bytes, 0, NULL));
}

static void block(uv_work_t *req)
{
    (void)req;
    uv_sleep(50);
}

static void after(uv_work_t *req, int status)
{
    (void)req;
    cancelled += status == UV_ECANCELED;
}

int main(void)
{
    uv_async_t async;
    uv_timer_t timer;
    uv_pipe_t from, to;
    uv_udp_t udp;
    uv_write_t write_req;
    uv_shutdown_t shutdown_req;
    uv_udp_send_t send_req;
    uv_connect_t connect_req;
    uv_tcp_t tcp;
    uv_thread_t thread;
    uv_work_t jobs[8];
    struct sockaddr_in to_port = any_port();
    uv_buf_t buf = uv_buf_init((char *)"x", 1);

    must(uv_loop_init(&loop));
    must(uv_async_init(&loop, &async, NULL));
    must(uv_async_send(&async));
    must(uv_pipe_init(&loop, &from, 0));
    must(uv_pipe_init(&loop, &to, 0));
    connect_pair(&from, &to);
    must(uv_write(&write_req, (uv_stream_t *)&from, &buf, 1, NULL));
    must(uv_shutdown(&shutdown_req, (uv_stream_t *)&from, NULL));
    must(uv_udp_init(&loop, &udp));
    to_port.sin_port = htons(9);
    must(uv_udp_send(&send_req, &udp, &buf, 1, as_sockaddr(&to_port), NULL));
    must(uv_tcp_init(&loop, &tcp));
    must(uv_tcp_connect(&connect_req, &tcp, as_sockaddr(&to_port), NULL));
    must(uv_timer_init(&loop, &timer));
    printf("timer without a callback: %s\n", uv_err_name(uv_timer_start(&timer, NULL, 1, 0)));
    printf("read without callbacks: %s\n",
           uv_err_name(uv_read_start((uv_stream_t *)&to, NULL, NULL)));
    printf("stat without a request: %s\n", uv_err_name(uv_fs_stat(&loop, NULL, "/", NULL)));
    must(uv_thread_create(&thread, synchronous, NULL));
    for (int i = 0; i < 8; i++) {
        must(uv_queue_work(&loop, &jobs[i], block, after));
    }
    int asked = 0;
    for (int i = 7; i >= 4; i--) {
        asked += uv_cancel((uv_req_t *)&jobs[i]) == 0;
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    synchronous(&loop);
    must(uv_thread_join(&thread));
    uv_walk(&loop, close_unless_closing, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("as many cancelled as asked for: %d\n", asked == cancelled);
    must(uv_loop_close(&loop));
    return 0;
}
