/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#1968 "carshed when use uv_queue_work": one uv_work_t is queued again before its
 * after-callback ran. In the pool, work->work is NULL then.
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

static void work(uv_work_t *req)
{
    (void)req;
}

static void after_work(uv_work_t *req, int status)
{
    (void)req;
    (void)status;
}

int main(void)
{
    uv_loop_t loop;
    uv_work_t first, req;
    must(uv_loop_init(&loop));
    must(uv_sem_init(&begun, 0));
    must(uv_sem_init(&go_on, 0));
    must(uv_queue_work(&loop, &first, wait_in_pool, after_work));
    uv_sem_wait(&begun);                                /* the pool's one thread is busy */
    must(uv_queue_work(&loop, &req, work, after_work)); /* @scheduled */
#ifdef FIXED
    uv_work_t another;
    must(uv_queue_work(&loop, &another, work, after_work));
    uv_sem_post(&go_on);
    finish(&loop);
    return 0;
#else
    must(uv_queue_work(&loop, &req, work, after_work)); /* @call */
    _exit(0);
#endif
}
