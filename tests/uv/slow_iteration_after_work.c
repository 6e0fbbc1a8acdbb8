/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#154 "Fast-completing io may starve other callbacks" in the shape of finished jobs:
 * the after-callbacks of thirty jobs that ended in the meantime are called in one turn.
 *
 * @expect slow-iteration
 * @env AIODEBUG_SLOW_ITERATION=0.25
 */
#include "program.h"

enum { JOBS = 30 };

static uv_sem_t done;

static void work(uv_work_t *req)
{
    (void)req;
    uv_sem_post(&done);
}

static void after_work(uv_work_t *req, int status)
{
    (void)req;
    must(status);
#ifdef FIXED
    uv_sleep(1);
#else
    uv_sleep(10);
#endif
}

int main(void)
{
    uv_loop_t loop;
    static uv_work_t jobs[JOBS];
    must(uv_loop_init(&loop));
    must(uv_sem_init(&done, 0));
    for (int i = 0; i < JOBS; i++) {
        must(uv_queue_work(&loop, &jobs[i], work, after_work));
    }
    for (int i = 0; i < JOBS; i++) {
        uv_sem_wait(&done);
    }
    uv_sleep(20);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
