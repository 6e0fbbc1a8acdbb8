/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2030 "windows libuv_1.x uv__handle_close crash": the object is closed on the loop's
 * thread and deleted by another, which does not wait for the close callback.
 *
 * @expect handle-destroyed-active created closed freed
 */
#include "program.h"

typedef struct {
    char name[100];
    uv_timer_t timer;
} object_t;

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}
#else
static int deleted;

static void delete_object(void *arg)
{
    free(arg); /* @freed */
    deleted = 1;
}
#endif

static void on_timer(uv_timer_t *timer)
{
#ifdef FIXED
    uv_close((uv_handle_t *)timer, on_close);
#else
    uv_thread_t thread;
    uv_close((uv_handle_t *)timer, NULL); /* @closed */
    must(uv_thread_create(&thread, delete_object, timer->data));
    uv_thread_join(&thread);
    _exit(deleted ? 0 : 4);
#endif
}

int main(void)
{
    uv_loop_t loop;
    object_t *object = malloc(sizeof(*object));
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &object->timer)); /* @created */
    object->timer.data = object;
    must(uv_timer_start(&object->timer, on_timer, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
