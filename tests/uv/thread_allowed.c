/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#1269 "uv_tcp_init thread safe" ("The only thread safe function involving a handle is
 * uv_async_send"): what another thread may well do while a loop runs: wake it, work without a loop
 * or on a loop of its own, ask what touches no loop. Silent.
 *
 * @silent
 */
#include "program.h"

static uv_async_t async;
static uv_sem_t running;

static void on_async(uv_async_t *handle)
{
    uv_stop(handle->loop);
}

static void own_loop(void)
{
    uv_loop_t own;
    uv_timer_t timer;
    must(uv_loop_init(&own));
    must(uv_timer_init(&own, &timer));
    finish(&own);
}

static void other_thread(void *arg)
{
    uv_fs_t req;
    uv_getaddrinfo_t lookup;
    struct addrinfo hints = {0};
    char buffer[64];
    size_t size = sizeof(buffer);
    (void)arg;
    uv_sem_wait(&running);
    uv_sleep(10);
    must(uv_fs_stat(NULL, &req, "/", NULL));
    uv_fs_req_cleanup(&req);
    hints.ai_flags = AI_NUMERICHOST;
    must(uv_getaddrinfo(async.loop, &lookup, NULL, "127.0.0.1", NULL, &hints));
    uv_freeaddrinfo(lookup.addrinfo);
    must(uv_random(NULL, NULL, buffer, sizeof(buffer), 0, NULL));
    must(uv_os_gethostname(buffer, &size));
    uv_hrtime();
    own_loop();
    uv_handle_set_data((uv_handle_t *)&async, buffer);
    uv_handle_get_loop((uv_handle_t *)&async);
    uv_handle_type_name(uv_handle_get_type((uv_handle_t *)&async));
    uv_async_send(&async);
}

int main(void)
{
    uv_loop_t loop;
    uv_thread_t thread;
    must(uv_loop_init(&loop));
    must(uv_async_init(&loop, &async, on_async));
    tell_when_running(&loop, &running);
    must(uv_thread_create(&thread, other_thread, NULL));
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_thread_join(&thread);
    finish(&loop);
    return 0;
}
