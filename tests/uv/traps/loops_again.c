/* SPDX-License-Identifier: MIT */
/*
 * Trap 15: loops are closed and made again at the same address, on stacks, in freed memory, and the
 * default loop in its own place. A loop that was freed with handles in it takes nothing with it.
 *
 * @log unclosed-handle 1
 */
#include "../program.h"

static int fired;

static void fire(uv_timer_t *timer)
{
    fired++;
    uv_close((uv_handle_t *)timer, NULL);
}

static void turn(uv_loop_t *loop)
{
    uv_timer_t timer;
    must(uv_timer_init(loop, &timer));
    must(uv_timer_start(&timer, fire, 0, 0));
    uv_run(loop, UV_RUN_DEFAULT);
}

static __attribute__((noinline)) void on_stack(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    turn(&loop);
    must(uv_loop_close(&loop));
}

int main(void)
{
    static uv_idle_t left;
    for (int i = 0; i < 100; i++) {
        on_stack();
        uv_loop_t *loop = malloc(sizeof *loop);
        must(uv_loop_init(loop));
        turn(loop);
        must(uv_loop_close(loop));
        free(loop);
        turn(uv_default_loop());
        must(uv_loop_close(uv_default_loop()));
    }
    /* Made again at the same place without a close: the first one's handle is forgotten, not found.
     */
    static uv_loop_t twice;
    must(uv_loop_init(&twice));
    must(uv_idle_init(&twice, &left));
    must(uv_loop_init(&twice));
    must(uv_idle_init(&twice, &left));
    turn(&twice);
    printf("fired %d\n", fired);
    return 0;
}
