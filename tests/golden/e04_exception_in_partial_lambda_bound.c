/* SPDX-License-Identifier: MIT */
/*
 * How a callback is named that is not given by its name: through a pointer, out of a table. In
 * debug mode by the function that it is, without by the words of the program.
 */
#include <aiort.h>

static int f(void *arg)
{
    (void)arg;
    return aiort_raise(UV_EINVAL, "partial");
}

static int method(void *arg)
{
    (void)arg;
    return aiort_raise(UV_EINVAL, "method");
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

struct object {
    aiort_callback_fn method;
};

int main(void)
{
    aiort_callback_fn table[] = {f, method};
    struct object object = {method};
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, table[0], NULL, NULL);
    aiort_call_soon(loop, object.method, &object, NULL);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
