/* SPDX-License-Identifier: MIT */
/* The exception handler fails: "Unhandled error in exception handler", and what it was given. */
#include <aiort.h>

static int handler(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    (void)loop, (void)report, (void)arg;
    return aiort_raise(UV_EPERM, "handler failed");
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_loop_set_exception_handler(loop, handler, NULL);
    aiort_raise(UV_EINVAL, "orig exc");
    aiort_error_t *error = aiort_ref(aiort_current_error());
    aiort_report_item_t extra = {"extra", "1"};
    aiort_report_t report = {.message = "original", .error = error, .items = &extra, .nitems = 1};
    aiort_loop_call_exception_handler(loop, &report);
    aiort_unref(error);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
