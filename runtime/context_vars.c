/* SPDX-License-Identifier: MIT */
/*
 * Context variables.
 *
 * Values are an array of variables and values. A new task shares its maker's; whoever sets a
 * variable in values that others share gets a copy of them first. So making a task costs nothing
 * where nothing was ever set, and a count where something was.
 *
 * A context object (contexts.c) is a box with values in it. Where a task or a thread has its
 * values, it may have such a box instead, with the lowest bit set: then what it sets is seen by all
 * who have the box.
 */
#include "context_vars.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct aiort_context_var_s {
    aiort__extended_t base; /* shared between threads */
    void *default_value;
    char name[];
};

typedef struct {
    aiort_context_var_t *var; /* with a reference */
    void *value;
} entry_t;

typedef struct aiort__context {
    _Atomic uint32_t refs; /* a loop may be run by another thread than the one it was filled in */
    uint32_t n;
    entry_t entries[];
} context_t;

context_t *aiort__context_ref(context_t *context)
{
    if (aiort__context_box(context)) {
        aiort_ref(aiort__context_box(context));
    } else if (context) {
        atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    }
    return context;
}

context_t *aiort__context_take(context_t *context)
{
    const aiort_context_t *box = aiort__context_box(context);

    return aiort__context_ref(box ? box->values : context);
}

void aiort__context_unref(context_t *context)
{
    if (!context) {
        return;
    }
    if (aiort__context_box(context)) {
        aiort_unref(aiort__context_box(context));
        return;
    }
    if (atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (uint32_t i = 0; i < context->n; i++) {
        aiort_unref(context->entries[i].var);
    }
    aiort__free(context);
}

context_t **aiort__context_slot(void)
{
    aiort_loop_t *loop = aiort__tls.running;

    return loop && loop->current ? &loop->current->context : &aiort__tls.context;
}

/* Where the values are. */
static context_t **current(void)
{
    context_t **slot = aiort__context_slot();
    aiort_context_t *box = aiort__context_box(*slot);

    return box ? &box->values : slot;
}

static entry_t *find(context_t *context, const aiort_context_var_t *var)
{
    for (uint32_t i = 0; context && i < context->n; i++) {
        if (context->entries[i].var == var) {
            return &context->entries[i];
        }
    }
    return NULL;
}

/* A thread that ends lets go of its context. */
static pthread_key_t thread_end;
static bool thread_end_known;

static void on_thread_end(void *slot)
{
    context_t **context = slot;

    aiort__context_unref(*context);
    *context = NULL;
}

static void make_thread_end(void)
{
    thread_end_known = pthread_key_create(&thread_end, on_thread_end) == 0;
}

static void watch_thread_end(context_t **slot)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_thread_end);
    if (thread_end_known) {
        (void)pthread_setspecific(thread_end, slot); /* fails: that one is lost at the end */
    }
}

/* One of our own, with room for one entry more than there are when var is not among them. */
static context_t *copy(context_t *old, const aiort_context_var_t *var)
{
    uint32_t n = old ? old->n : 0;
    size_t room = n + (find(old, var) ? 0 : 1);
    context_t *context = aiort__malloc(sizeof(*context) + room * sizeof(entry_t));

    if (!context) {
        return NULL;
    }
    atomic_init(&context->refs, 1);
    context->n = n;
    for (uint32_t i = 0; i < n; i++) {
        context->entries[i] = old->entries[i];
        aiort_ref(old->entries[i].var);
    }
    return context;
}

int aiort_context_var_set(aiort_context_var_t *var, void *value)
{
    context_t **slot = current();
    entry_t *entry = find(*slot, var);

    if (entry && atomic_load_explicit(&(*slot)->refs, memory_order_acquire) == 1) {
        entry->value = value;
        return 0;
    }
    context_t *context = copy(*slot, var);
    if (!context) {
        return aiort__fail(UV_ENOMEM);
    }
    entry = find(context, var);
    if (!entry) {
        entry = &context->entries[context->n++];
        entry->var = aiort_ref(var);
    }
    entry->value = value;
    if (*slot) {
        aiort__context_unref(*slot);
    } else if (slot == &aiort__tls.context) {
        watch_thread_end(slot);
    }
    *slot = context;
    return 0;
}

void *aiort__context_get(context_t *context, const aiort_context_var_t *var)
{
    const entry_t *entry = find(context, var);

    return entry ? entry->value : var->default_value;
}

void *aiort_context_var_get(const aiort_context_var_t *var)
{
    return aiort__context_get(*current(), var);
}

uint32_t aiort__context_size(const context_t *context)
{
    return context ? context->n : 0;
}

/* ---- The object ---- */

static size_t var_repr(const void *self, char *buf, size_t size)
{
    const aiort_context_var_t *var = self;
    int length = snprintf(buf, size, "<ContextVar name='%.200s' at %p>", var->name, self);

    return length > 0 ? (size_t)length : 0;
}

static void var_destroy(void *self)
{
    aiort__free(self);
}

aiort_context_var_t *aiort_context_var_new(const char *name, void *default_value)
{
    if (!name) {
        aiort__failf(UV_EINVAL, "context variable name must be a string");
        return NULL;
    }
    size_t size = strlen(name) + 1;
    aiort_context_var_t *var = aiort__malloc(sizeof(*var) + size);
    if (!var) {
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort__scope_init(&var->base, NULL, AIORT_KIND_CONTEXT_VAR, var_destroy, var_repr);
    var->base.object.flags = AIORT__SHARED;
    var->default_value = default_value;
    memcpy(var->name, name, size);
    return var;
}
