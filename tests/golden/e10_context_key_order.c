/* SPDX-License-Identifier: MIT */
/* The program's own keys are printed in alphabetical order, among ours, before the error. */
#include <aiort.h>

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);
    aiort_raise(UV_EINVAL, "v");
    aiort_error_t *error = aiort_ref(aiort_current_error());
    aiort_report_item_t items[] = {
        {"zeta", "1"}, {"alpha", "'a'"}, {"transport", "none"}, {"protocol", "'x'"}};
    aiort_report_t report = {.message = "msg",
                             .future = future,
                             .error = error,
                             .items = items,
                             .nitems = sizeof(items) / sizeof(items[0])};
    aiort_loop_call_exception_handler(loop, &report);
    aiort_unref(error);
    aiort_unref(future);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
