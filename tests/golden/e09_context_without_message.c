/* SPDX-License-Identifier: MIT */
/* Reports without a message: "Unhandled exception in event loop". */
#include <aiort.h>

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_loop_call_exception_handler(loop, &(aiort_report_t){.message = NULL});
    aiort_raise(UV_EINVAL, "no message");
    aiort_error_t *error = aiort_ref(aiort_current_error());
    aiort_loop_call_exception_handler(loop, &(aiort_report_t){.error = error});
    aiort_unref(error);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
