/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2618 "uv_fs_read hangs" keeps the pool busy with opens that wait; a watchdog then
 * uses the same uv_fs_t to look at the file. Both callbacks come, with the shim as without.
 *
 * @expect request-reused scheduled call
 */
#include "program.h"

#include <fcntl.h>
#include <sys/stat.h>

static char path[] = "/tmp/uv-fifo-XXXXXX";
static int callbacks;

static void open_other_end(void)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0) {
        perror(path);
        exit(3);
    }
    close(fd);
}

static uv_sem_t begun;

static void behind_it(uv_work_t *work)
{
    (void)work;
    uv_sem_post(&begun);
}

static void on_fs(uv_fs_t *req)
{
    if (req->result < 0) {
        exit(4);
    }
    uv_fs_req_cleanup(req);
#ifndef FIXED
    if (callbacks == 0) {
        open_other_end(); /* the open that waits in the pool goes on */
    }
#endif
    callbacks++;
}

int main(void)
{
    uv_loop_t loop;
    uv_fs_t req;
    uv_work_t behind;
    must(uv_sem_init(&begun, 0));
    if (!mkdtemp(path) || rmdir(path) != 0 || mkfifo(path, 0600) != 0) {
        return 3;
    }
    must(uv_loop_init(&loop));
    must(uv_fs_open(&loop, &req, path, O_RDONLY, 0, on_fs)); /* @scheduled */
    must(uv_queue_work(&loop, &behind, behind_it, NULL));
    uv_sem_wait(&begun);
    uv_sleep(50); /* now the open waits in the pool */
#ifdef FIXED
    uv_fs_t another;
    must(uv_fs_stat(&loop, &another, "/", on_fs));
    open_other_end();
#else
    must(uv_fs_stat(&loop, &req, "/", on_fs)); /* @call */
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    unlink(path);
    return callbacks == 2 ? 0 : 4;
}
