/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#2 "uv__fs_done assertion explanation" ("you most likely corrupted one of libuv's data
 * structures by freeing the loop or request too early"): stat and open share one uv_fs_t.
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

static void on_stat(uv_fs_t *req)
{
    uv_fs_req_cleanup(req);
}

int main(void)
{
    uv_loop_t loop;
    uv_work_t first;
    uv_fs_t req;
    must(uv_loop_init(&loop));
    must(uv_sem_init(&begun, 0));
    must(uv_sem_init(&go_on, 0));
    must(uv_queue_work(&loop, &first, wait_in_pool, NULL));
    uv_sem_wait(&begun);
    must(uv_fs_stat(&loop, &req, "/", on_stat)); /* @scheduled */
#ifdef FIXED
    uv_fs_t another;
    must(uv_fs_lstat(&loop, &another, "/", on_stat));
    uv_sem_post(&go_on);
    finish(&loop);
    return 0;
#else
    must(uv_fs_lstat(&loop, &req, "/", on_stat)); /* @call */
    _exit(0);
#endif
}
