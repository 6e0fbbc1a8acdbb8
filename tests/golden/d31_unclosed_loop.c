/* SPDX-License-Identifier: MIT */
/* A loop is destroyed without close, which warns, and closes it. */
#include <aiort.h>
#include <stdio.h>

static int nothing(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_sleep(0);
}

int main(void)
{
    uv_loop_t uv_loop;
    uv_loop_init(&uv_loop);
    aiort_loop_t *loop = aiort_loop_new(&(aiort_loop_options_t){.uv_loop = &uv_loop});
    aiort_loop_run_until_complete(loop, AIORT_CORO(nothing, NULL), NULL);
    aiort_unref(loop);
    uv_run(&uv_loop, UV_RUN_DEFAULT);
    printf("nothing of it is left: %d\n", uv_loop_close(&uv_loop) == 0);
    return 0;
}
