/* SPDX-License-Identifier: MIT */
/*
 * kill_me: a task waits for a future that only itself knows, so nobody can ever complete it. It is
 * still waiting when its loop is closed.
 */
#include <aiort.h>

static int kill_me(void *arg, void **result)
{
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    int err = aiort_await(future, NULL);

    (void)arg, (void)result;
    aiort_unref(future); /* runs in the end: the await returned AIORT_ECLOSED */
    return err;
}

static int stop(void *loop)
{
    return aiort_loop_stop(loop);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);

    aiort_unref(aiort_loop_create_task(loop, AIORT_CORO(kill_me, NULL), NULL));
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
