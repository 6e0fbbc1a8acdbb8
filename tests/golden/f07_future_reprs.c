/* SPDX-License-Identifier: MIT */
/* How futures print: pending with 0, 1, 2, 3 and 5 callbacks, finished, failed, cancelled. */
#include <aiort.h>
#include <stdio.h>

static int cb1(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    puts("cb1");
    return 0;
}

static int cb2(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    puts("cb2");
    return 0;
}

static int cb3(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    puts("cb3");
    return 0;
}

static void print(const void *object)
{
    char buf[512];
    aiort_repr(object, buf, sizeof(buf));
    puts(buf);
}

static void print_and_drop(aiort_future_t *future)
{
    aiort_error_t *error;
    print(future);
    aiort_future_error(future, &error);
    aiort_unref(future);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);
    print(future);
    aiort_future_add_done_callback(future, cb1, NULL);
    print(future);
    aiort_future_add_done_callback(future, cb2, NULL);
    print(future);
    aiort_future_add_done_callback(future, cb3, NULL);
    print(future);
    aiort_future_add_done_callback(future, cb1, loop);
    aiort_future_add_done_callback(future, cb2, loop);
    print(future);
    printf("removed %d\n", aiort_future_remove_done_callback(future, cb2, NULL));

    aiort_future_t *other = aiort_future_new(loop);
    aiort_future_set_result(other, NULL);
    print_and_drop(other);
    other = aiort_future_new(loop);
    aiort_future_set_error(other, UV_EINVAL, "eeeeeeeeeeeeeeeeeeeeeeeeeeeeee%s",
                           "eeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
    print_and_drop(other);
    other = aiort_future_new(loop);
    aiort_future_cancel(other, NULL);
    print_and_drop(other);
    other = aiort_future_new(loop);
    aiort_future_set_result(other, other);
    print_and_drop(other);

    aiort_future_cancel(future, NULL);
    aiort_unref(future);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
