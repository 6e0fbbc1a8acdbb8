/* SPDX-License-Identifier: MIT */
/*
 * Trap 11: a close callback frees the structure, gets the same address for the next one and makes a
 * handle there; a request's callback submits the request again. Both are right.
 *
 * @silent
 */
#include "../program.h"

typedef struct {
    char before[24];
    uv_timer_t timer;
} session_t;

static uv_loop_t loop;
static int sessions, same, stats;

static void start_session(const void *was);

static void on_close(uv_handle_t *handle)
{
    session_t *session = (session_t *)((char *)handle - offsetof(session_t, timer));
    free(session);
    if (++sessions < 100) {
        start_session(session);
    }
}

static void end_session(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, on_close);
}

static void start_session(const void *was)
{
    session_t *session = malloc(sizeof *session);
    same += session == was;
    must(uv_timer_init(&loop, &session->timer));
    must(uv_timer_start(&session->timer, end_session, 0, 0));
}

static void on_stat(uv_fs_t *req)
{
    uv_fs_req_cleanup(req);
    if (++stats < 100) {
        must(uv_fs_stat(&loop, req, ".", on_stat));
    }
}

/* A handle that was closed and is initialised again in its own close callback. */
static void again(uv_handle_t *handle)
{
    static int times;
    if (++times < 50) {
        must(uv_check_init(&loop, (uv_check_t *)handle));
        uv_close(handle, again);
    }
}

int main(void)
{
    uv_fs_t req;
    uv_check_t check;
    must(uv_loop_init(&loop));
    start_session(NULL);
    must(uv_fs_stat(&loop, &req, ".", on_stat));
    must(uv_check_init(&loop, &check));
    uv_close((uv_handle_t *)&check, again);
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("%d sessions at %s address, %d stats\n", sessions, same > 50 ? "the same" : "another",
           stats);
    must(uv_loop_close(&loop));
    return 0;
}
