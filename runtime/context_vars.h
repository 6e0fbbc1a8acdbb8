/* SPDX-License-Identifier: MIT */
/*
 * The inside of contexts, for context_vars.c (the values), contexts.c (the objects) and those who
 * run something in one.
 */
#ifndef AIORT_CONTEXT_VARS_H
#define AIORT_CONTEXT_VARS_H

#include "scope.h"

struct aiort_context_s {
    aiort__extended_t base;        /* references are counted atomically */
    struct aiort__context *values; /* with a reference, never a box; NULL: none was ever set */
};

/* The box that stands in the place of values, or NULL. */
static inline aiort_context_t *aiort__context_box(struct aiort__context *context)
{
    return (uintptr_t)context & 1 ? (aiort_context_t *)((uintptr_t)context - 1) : NULL;
}

/* A box in the place of values: takes over the reference. */
static inline struct aiort__context *aiort__context_boxed(aiort_context_t *box)
{
    return (struct aiort__context *)((uintptr_t)box | 1);
}

/* Where the current task, or thread, has its values or its box. */
AIORT__HIDDEN struct aiort__context **aiort__context_slot(void);
AIORT__HIDDEN void *aiort__context_get(struct aiort__context *context,
                                       const aiort_context_var_t *var);
AIORT__HIDDEN uint32_t aiort__context_size(const struct aiort__context *context);

#endif
