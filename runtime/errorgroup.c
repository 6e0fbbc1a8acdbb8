/* SPDX-License-Identifier: MIT */
/*
 * Error groups: one error for several that came up together. Python: ExceptionGroup.
 */
#include "internal.h"

aiort_error_t *aiort__error_group(const aiort_site_t *site, const char *message,
                                  aiort_error_t **errors, uint32_t n)
{
    aiort_error_t *group = aiort__error_new(site, AIORT_EGROUP, message, NULL);

    if (AIORT__UNLIKELY(group->code != AIORT_EGROUP)) {
        /* The static error for no memory: it is everybody's and holds nothing. */
        for (uint32_t i = 0; i < n; i++) {
            aiort_unref(errors[i]);
        }
        aiort__free(errors);
        return group;
    }
    group->errors = errors;
    group->nerrors = n;
    return group;
}

size_t aiort_error_count(const aiort_error_t *group)
{
    return group->nerrors;
}

aiort_error_t *aiort_error_at(const aiort_error_t *group, size_t i)
{
    return i < group->nerrors ? group->errors[i] : NULL;
}
