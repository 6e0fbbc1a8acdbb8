/* SPDX-License-Identifier: MIT */
/* How handles and timer handles print, pending and cancelled. */
#include <aiort.h>
#include <stdio.h>

static int f(void *arg)
{
    (void)arg;
    return 0;
}

static void print(const void *object)
{
    char buf[512];
    aiort_repr(object, buf, sizeof(buf));
    puts(buf);
}

int main(void)
{
    aiort_callback_fn pointer = f;
    aiort_handle_t *handles[5];
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, f, NULL, &handles[0]);
    print(handles[0]);
    aiort_call_soon(loop, f, loop, &handles[1]);
    print(handles[1]);
    aiort_call_soon(loop, pointer, NULL, &handles[2]);
    print(handles[2]);
    aiort_call_soon(loop, f, loop, &handles[3]);
    aiort_handle_cancel(handles[3]);
    print(handles[3]);
    aiort_call_at(loop, 123.5, f, loop, &handles[4]);
    print(handles[4]);
    aiort_handle_cancel(handles[4]);
    print(handles[4]);
    for (int i = 0; i < 5; i++)
        aiort_unref(handles[i]);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
