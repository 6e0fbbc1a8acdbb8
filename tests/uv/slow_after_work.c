/* SPDX-License-Identifier: MIT */
/*
 * nikhilm/uvbook#59 "`after` is called in main thread": the work is in the pool, but the
 * after-callback, which is not, does half of it.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void work(uv_work_t *req)
{
    (void)req;
    uv_sleep(150); /* not a slow callback: it runs in the pool */
}

static void after_work(uv_work_t *req, int status)
{
    (void)req;
    must(status);
    uv_sleep(TAKES);
}

int main(void)
{
    uv_loop_t loop;
    uv_work_t req;
    must(uv_loop_init(&loop));
    must(uv_queue_work(&loop, &req, work, after_work)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
