/* SPDX-License-Identifier: MIT */
/*
 * Looking at a task's stack: get_stack and print_stack.
 */
#include "internal.h"

#include <execinfo.h>

typedef struct {
    void **addresses;
    int max, count;
} walk_t;

enum { OWN_FRAMES = 2 }; /* walked() and aiort__context_walk() */

static void walked(void *arg)
{
    walk_t *walk = arg;
    void *raw[256];
    int n = backtrace(raw, sizeof(raw) / sizeof(raw[0]));

    walk->count = 0;
    for (int i = OWN_FRAMES; i < n && walk->count < walk->max; i++) {
        walk->addresses[walk->count++] = raw[i];
    }
}

int aiort_task_get_stack(aiort_task_t *task, void **addresses, int max)
{
    aiort_loop_t *loop = task->future.object.loop;
    walk_t walk = {addresses, max, 0};
    int err = aiort__check_thread(loop, task, "aiort_task_get_stack");

    if (err) {
        return aiort__fail(err);
    }
    if (loop->current == task) {
        int n = backtrace(addresses, max);
        return n;
    }
    if (!task->sp || !task->stack || max <= 0) {
        return 0;
    }
    aiort__context_walk(task->sp, walked, &walk);
    return walk.count;
}

static void print_frames(aiort_task_t *task, FILE *file)
{
    void *addresses[64];
    char line[512];
    int n = aiort_task_get_stack(task, addresses, 64);
    bool named = false;

    for (int i = n; i-- > 0;) {
        size_t length = aiort_instrument_frame(addresses[i], line, sizeof(line));
        if (length > 0 && length < sizeof(line)) {
            fprintf(file, "  %s\n", line);
            named = true;
        }
    }
    if (!named) {
        /* What is known without libaiodebug: the awaits, outermost first. */
        const aiort_coroutine_t *chain[64];
        int depth = 0;
        for (const aiort_coroutine_t *c = task->innermost; c && depth < 64;
             c = aiort__awaiter(c)) {
            chain[depth++] = c;
        }
        while (depth-- > 0) {
            const aiort_site_t *where = chain[depth]->u.where;
            if (where) {
                fprintf(file, "  File \"%s\", line %d, in %s\n", where->file, where->line,
                        where->function);
            }
        }
    }
}

static void print_error(const aiort_error_t *error, FILE *file)
{
    if (error->site) {
        fprintf(file, "  File \"%s\", line %d, in %s\n", error->site->file, error->site->line,
                error->site->function);
    }
    fprintf(file, "%s: %s\n", aiort_err_name(error->code),
            error->message[0] ? error->message : aiort_strerror(error->code));
}

void aiort_task_print_stack(aiort_task_t *task, FILE *file)
{
    char repr[1024];
    bool failed = !!(task->future.object.flags & AIORT__FAILED);

    aiort_repr(task, repr, sizeof(repr));
    if (failed) {
        fprintf(file, "Traceback for %s (most recent call last):\n", repr);
        print_error(task->future.u.error, file);
    } else if (task->coroutine->object.state == AIORT__CORO_RUNNING) {
        fprintf(file, "Stack for %s (most recent call last):\n", repr);
        print_frames(task, file);
    } else {
        fprintf(file, "No stack for %s\n", repr);
    }
}
