/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3266: growing a block is a mistake only when it moves. A structure whose tail grows,
 * and which does not move, is right; so is a table of pointers to handles. Both silent.
 *
 * @silent
 * @without address thread valgrind: blocks always move there
 */
#include "program.h"

#include <malloc.h>

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    uv_timer_t *timer = malloc(sizeof(*timer));
    uintptr_t before = (uintptr_t)timer;
    must(uv_timer_init(&loop, timer));
    timer = realloc(timer, malloc_usable_size(timer)); /* it fits where it is */
    if ((uintptr_t)timer != before) {
        return 4;
    }
    uv_timer_t **table = NULL;
    for (int i = 0; i < 100; i++) {
        table = realloc(table, (i + 1) * sizeof(*table));
        table[i] = malloc(sizeof(uv_timer_t));
        must(uv_timer_init(&loop, table[i]));
    }
    finish(&loop);
    for (int i = 0; i < 100; i++) {
        free(table[i]);
    }
    free(table);
    free(timer);
    return 0;
}
