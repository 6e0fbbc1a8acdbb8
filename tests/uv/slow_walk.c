/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#93 "uv_walk passe wrong handle" walks from a callback; a walk over many handles whose
 * callback prints keeps the loop, and so does the callback that walks.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static uv_check_t check;

static void describe(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (handle == (uv_handle_t *)&check) {
        uv_sleep(TAKES);
    }
}

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    must(uv_check_init(&loop, &check)); /* @created */
    uv_walk(&loop, describe, NULL);
    finish(&loop);
    return 0;
}
