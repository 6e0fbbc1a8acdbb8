/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2165 "Why throw pthread_mutex_lock(mutex) error?": each read callback has its
 * uv_getaddrinfo_t in the same place (there, on the stack), while libuv still works on the one
 * before. Here it is one request for all names.
 *
 * @expect request-reused scheduled call
 * @env UV_THREADPOOL_SIZE=1
 */
#include "program.h"

static uv_sem_t begun, go_on;

static void wait_in_pool(uv_work_t *req)
{
    (void)req;
    uv_sem_post(&begun);
    uv_sem_wait(&go_on);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *result)
{
    (void)req;
    (void)status;
    uv_freeaddrinfo(result);
}

static void resolve(uv_loop_t *loop, uv_getaddrinfo_t *req, const char *name)
{
    struct addrinfo hints = {0};
    hints.ai_flags = AI_NUMERICHOST;
    must(uv_getaddrinfo(loop, req, on_resolved, name, NULL, &hints)); /* @scheduled @call */
}

int main(void)
{
    uv_loop_t loop;
    uv_work_t first;
    uv_getaddrinfo_t reqs[2];
    must(uv_loop_init(&loop));
    must(uv_sem_init(&begun, 0));
    must(uv_sem_init(&go_on, 0));
    must(uv_queue_work(&loop, &first, wait_in_pool, NULL));
    uv_sem_wait(&begun);
    resolve(&loop, &reqs[0], "127.0.0.1");
#ifdef FIXED
    resolve(&loop, &reqs[1], "127.0.0.2");
    uv_sem_post(&go_on);
    finish(&loop);
    return 0;
#else
    resolve(&loop, &reqs[0], "127.0.0.2");
    _exit(0);
#endif
}
