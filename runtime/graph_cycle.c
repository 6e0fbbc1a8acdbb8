/* SPDX-License-Identifier: MIT */
/*
 * An await that closes a ring of tasks, each of which waits for the next one directly: none of them
 * will ever go on unless somebody cancels one. It is reported when it happens. (Rings that lead
 * through a gather and the like are found by aiort_find_await_cycle().)
 */
#include "internal.h"

#include <stdio.h>

static aiort_task_t *next_of(const aiort_task_t *task)
{
    aiort_future_t *waiter = task->waiter;

    return waiter && waiter->object.kind == AIORT_KIND_TASK && waiter->object.state == AIORT_PENDING
               ? (aiort_task_t *)waiter
               : NULL;
}

/* "Task-1 -> Task-2 -> Task-1", as far as there is room. */
static void write_ring(const aiort_task_t *task, char *buf, size_t size)
{
    const aiort_task_t *t = task;
    char name[24];
    size_t at = 0;

    do {
        int n = snprintf(buf + at, size - at, "%s -> ", aiort__task_name(t, name));
        at += n > 0 ? (size_t)n : 0;
        t = next_of(t);
    } while (t != task && at < size - 1);
    if (at < size) {
        snprintf(buf + at, size - at, "%s", aiort__task_name(task, name));
    }
}

void aiort__await_cycle(aiort_task_t *task)
{
    enum { MOST = 4096 }; /* a ring that long is found by those who ask */
    char ring[512], message[640];
    int steps = 0;

    for (const aiort_task_t *t = next_of(task); t != task; t = next_of(t)) {
        if (!t || ++steps == MOST) {
            return;
        }
    }
    write_ring(task, ring, sizeof(ring));
    snprintf(message, sizeof(message), "Tasks wait for each other in a cycle: %s", ring);
    aiort_report_t report = {
        .message = message,
        .check = "await-cycle",
        .task = task,
    };
    aiort__report(task->future.object.loop, &report);
}
