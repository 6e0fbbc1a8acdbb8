/* SPDX-License-Identifier: MIT */
/* A slow callback cancels its own handle: debug mode still knows what it was. */
#include <aiort.h>
#include <stdio.h>

static aiort_handle_t *handle;

static int slow(void *arg)
{
    (void)arg;
    aiort_handle_cancel(handle);
    uv_sleep(150);
    return 0;
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    char buf[512];
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, slow, "tag", &handle);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_repr(handle, buf, sizeof(buf));
    puts(buf);
    aiort_unref(handle);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
