/* SPDX-License-Identifier: MIT */
/*
 * Whether a loop starts its tasks at once. How that is done is in scheduler.c.
 */
#include "internal.h"

int aiort_loop_set_eager_tasks(aiort_loop_t *loop, int eager)
{
    int err = aiort__check_thread(loop, NULL, "aiort_loop_set_eager_tasks");

    if (err) {
        return aiort__fail(err);
    }
    loop->eager_tasks = eager != 0;
    loop->hooks = eager ? loop->hooks | AIORT__ALL_EAGER : loop->hooks & ~AIORT__ALL_EAGER;
    return 0;
}

int aiort_loop_get_eager_tasks(const aiort_loop_t *loop)
{
    return loop->eager_tasks;
}
