/* SPDX-License-Identifier: MIT */
/* The list of the seams, and the hidden names of their defaults. */
#ifndef AIORT_SEAM_H
#define AIORT_SEAM_H

#include "internal.h"

/* X(function): every aiort_instrument_* function of aiort.h. */
#define AIORT__SEAMS(X)                                                                            \
    X(aiort_instrument_attach)                                                                     \
    X(aiort_instrument_created)                                                                    \
    X(aiort_instrument_scheduled)                                                                  \
    X(aiort_instrument_step)                                                                       \
    X(aiort_instrument_awaited)                                                                    \
    X(aiort_instrument_destroyed)                                                                  \
    X(aiort_instrument_open)                                                                       \
    X(aiort_instrument_running)                                                                    \
    X(aiort_instrument_poll)                                                                       \
    X(aiort_instrument_close)                                                                      \
    X(aiort_instrument_wrong_thread)                                                               \
    X(aiort_instrument_invalid_state)                                                              \
    X(aiort_instrument_enrich)                                                                     \
    X(aiort_instrument_report)                                                                     \
    X(aiort_instrument_building)                                                                   \
    X(aiort_instrument_created_at)                                                                 \
    X(aiort_instrument_function_name)                                                              \
    X(aiort_instrument_function_line)                                                              \
    X(aiort_instrument_frame)                                                                      \
    X(aiort_instrument_set_debug)                                                                  \
    X(aiort_instrument_stack_overflow)

#define AIORT__SEAM_DECLARE(name) extern AIORT__HIDDEN __typeof__(name) aiort__default_##name;
AIORT__SEAMS(AIORT__SEAM_DECLARE)
#undef AIORT__SEAM_DECLARE

#endif
