/* SPDX-License-Identifier: MIT */
/*
 * The tasks that gather makes are not reported when they are destroyed pending; only the task that
 * waits for them is.
 */
#include <aiort.h>

static int child(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    int err = aiort_await(future, NULL);

    aiort_unref(future);
    return err;
}

static int parent(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_awaitable_t *children[] = {AIORT_AWAITABLE(AIORT_CORO(child, NULL)),
                                     AIORT_AWAITABLE(AIORT_CORO(child, NULL))};
    aiort_future_t *both = aiort_gather(children, 2, 0);
    int err = aiort_await(both, NULL);

    aiort_unref(both);
    return err;
}

static int stop(void *loop)
{
    return aiort_loop_stop(loop);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(parent, NULL),
                                                &(aiort_task_options_t){.name = "parent"});
    char repr[512];

    aiort_call_later(loop, 0.01, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_repr(task, repr, sizeof(repr));
    puts(repr);
    aiort_unref(task);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
