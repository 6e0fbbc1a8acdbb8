/* SPDX-License-Identifier: MIT */
/*
 * The variables of the sanitizers' annotations in context.h. Empty without a sanitizer.
 */
#include "context.h"

#if defined(AIORT__FIBER_ASAN)
_Thread_local aiort__fiber_t *aiort__fiber_previous;
#elif defined(AIORT__FIBER_TSAN)
_Thread_local void *aiort__fiber_dead;
_Thread_local sigset_t aiort__fiber_signals;
#endif
