/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#1183 "uv_queue_work crash, and the after_work is not always work !!": the request is
 * queued again while the pool works on it. Here that goes well by luck, and both after-callbacks
 * come, with the shim as without.
 *
 * @expect request-reused scheduled call
 * @env UV_THREADPOOL_SIZE=2
 */
#include "program.h"

static uv_sem_t begun, go_on[2];
static int works, afters;

static void work(uv_work_t *req)
{
    (void)req;
    int which = works++;
    uv_sem_post(&begun);
    uv_sem_wait(&go_on[which]);
}

static void after_work(uv_work_t *req, int status)
{
    (void)req;
    must(status);
    uv_sem_post(&go_on[1]); /* the first is over: let the second end */
    afters++;
}

int main(void)
{
    uv_loop_t loop;
    uv_work_t req;
    must(uv_loop_init(&loop));
    must(uv_sem_init(&begun, 0));
    must(uv_sem_init(&go_on[0], 0));
    must(uv_sem_init(&go_on[1], 0));
    must(uv_queue_work(&loop, &req, work, after_work)); /* @scheduled */
    uv_sem_wait(&begun);
#ifdef FIXED
    uv_work_t another;
    must(uv_queue_work(&loop, &another, work, after_work));
#else
    must(uv_queue_work(&loop, &req, work, after_work)); /* @call */
#endif
    uv_sem_wait(&begun);
    uv_sem_post(&go_on[0]);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return afters == 2 ? 0 : 4;
}
