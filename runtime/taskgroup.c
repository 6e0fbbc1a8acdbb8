/* SPDX-License-Identifier: MIT */
/*
 * Task groups: a block that ends when all of its tasks have.
 *
 * The group watches each of its tasks. While it has any, it holds itself and is attached to the
 * loop, whose close lets it go. The first failure aborts the group: the other tasks are cancelled,
 * and so is the parent, the task in whose block they were made, which the block's end takes back
 * (uncancel), so that a cancellation from outside can be told from the group's own.
 *
 * Room for a task's error is made with the task, so that a failure is never lost for want of
 * memory.
 */
#include "combine.h"
#include "graph.h"
#include "scope.h"

#include <stdio.h>
#include <string.h>

typedef struct member {
    struct member *previous, *next;
    aiort_task_group_t *group;
    aiort_task_t *task;    /* with a reference */
    aiort_handle_t *watch; /* with a reference */
} member_t;

struct aiort_task_group_s {
    aiort__extended_t base;
    aiort__attached_t attached; /* while there are members */
    aiort_task_t *parent;       /* with a reference from the block's beginning to its end */
    aiort_future_t *waiter;     /* of the block's end, while it waits */
    member_t *first, *last;     /* in the order in which they were made */
    aiort_error_t **errors;     /* with references */
    size_t nmembers, nerrors, room;
    bool entered, exiting, aborting;
    bool parent_cancelled; /* by us: the block's end has to uncancel it */
};

static const aiort_site_t done_site = AIORT__OWN_SITE("TaskGroup._on_task_done");

/* ---- Its tasks ---- */

static void member_free(member_t *member)
{
    aiort__unref(&member->task->future.object);
    aiort__free(member);
}

static void member_unlink(member_t *member)
{
    aiort_task_group_t *group = member->group;

    if (member->previous) {
        member->previous->next = member->next;
    } else {
        group->first = member->next;
    }
    if (member->next) {
        member->next->previous = member->previous;
    } else {
        group->last = member->previous;
    }
    group->nmembers--;
}

/* The loop is closed, and its tasks are gone: their callbacks will never be called. */
static void on_close(aiort__attached_t *attached)
{
    aiort_task_group_t *group =
        (aiort_task_group_t *)((char *)attached - offsetof(aiort_task_group_t, attached));

    while (group->first) {
        member_t *member = group->first;
        member_unlink(member);
        aiort__unwatch(&member->task->future, member->watch);
        member_free(member);
    }
    aiort__detach(group->base.object.loop, &group->attached);
    aiort__unref(&group->base.object);
}

static void abort_group(aiort_task_group_t *group)
{
    group->aborting = true;
    for (member_t *member = group->first; member; member = member->next) {
        aiort__task_cancel(member->task, NULL);
    }
}

AIORT__COLD static void report_orphan(aiort_task_group_t *group, aiort_task_t *task)
{
    aiort_loop_t *loop = group->base.object.loop;
    char task_repr[512], parent_repr[512], message[1200];

    if (!loop->handler) {
        aiort_instrument_building(loop, 1);
    }
    aiort_repr(task, task_repr, sizeof(task_repr));
    aiort_repr(group->parent, parent_repr, sizeof(parent_repr));
    if (!loop->handler) {
        aiort_instrument_building(loop, 0);
    }
    snprintf(message, sizeof(message),
             "Task %s has errored out but its parent task %s is already completed", task_repr,
             parent_repr);
    aiort_report_t report = {
        .message = message,
        .check = "task-exception-never-retrieved",
        .task = task,
        .error = task->future.u.error,
    };
    aiort__report(loop, &report);
}

static void failed(aiort_task_group_t *group, aiort_task_t *task)
{
    task->future.object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
    group->errors[group->nerrors++] = aiort_ref(task->future.u.error);
    if (!group->parent || group->parent->future.object.state != AIORT_PENDING) {
        report_orphan(group, task);
    } else if (!group->aborting && !group->parent_cancelled) {
        abort_group(group);
        group->parent_cancelled = true;
        aiort__task_cancel(group->parent, NULL);
    }
}

static int on_done(aiort_future_t *future, void *arg)
{
    member_t *member = arg;
    aiort_task_group_t *group = member->group;

    member_unlink(member);
    if (group->waiter && group->nmembers == 0 && group->waiter->object.state == AIORT_PENDING) {
        aiort__future_finish(group->waiter, NULL);
    }
    if (future->object.state == AIORT_FINISHED && (future->object.flags & AIORT__FAILED)) {
        failed(group, member->task);
    }
    aiort__unref(&member->watch->object);
    member_free(member);
    if (group->nmembers == 0) {
        aiort__detach(group->base.object.loop, &group->attached);
        aiort__unref(&group->base.object);
    }
    return 0;
}

void aiort__group_behind(const aiort_handle_t *handle, aiort__found_fn found, void *arg)
{
    if (handle->callback == (aiort_callback_fn)(uintptr_t)on_done) {
        aiort_task_t *parent = ((const member_t *)handle->arg)->group->parent;
        if (parent && parent->future.object.state == AIORT_PENDING) {
            found(arg, &parent->future, false);
        }
    }
}

/* Room for the errors of one more task, of all there are, and of the block. */
static int reserve(aiort_task_group_t *group)
{
    size_t need = group->nerrors + group->nmembers + 2;

    if (need <= group->room) {
        return 0;
    }
    size_t room = need < 8 ? 8 : need * 2;
    aiort_error_t **errors = aiort__realloc(group->errors, room * sizeof(*errors));
    if (!errors) {
        return aiort__fail(UV_ENOMEM);
    }
    group->errors = errors;
    group->room = room;
    return 0;
}

static int adopt(aiort_task_group_t *group, aiort_task_t *task)
{
    member_t *member = aiort__malloc(sizeof(*member));

    if (!member) {
        return aiort__fail(UV_ENOMEM);
    }
    *member = (member_t){.previous = group->last, .group = group, .task = aiort_ref(task)};
    member->watch = aiort__watch(&task->future, &done_site, on_done, member);
    if (!member->watch) {
        member_free(member);
        return UV_ENOMEM;
    }
    if (group->last) {
        group->last->next = member;
    } else {
        group->first = member;
    }
    group->last = member;
    if (group->nmembers++ == 0) {
        aiort__ref(&group->base.object);
        aiort__attach(group->base.object.loop, &group->attached, on_close);
    }
    return 0;
}

static int misused(const aiort_task_group_t *group, const char *how)
{
    char repr[128];

    aiort_repr(group, repr, sizeof(repr));
    return aiort__failf(AIORT_EMISUSE, "TaskGroup %s %s", repr, how);
}

static int check_create(aiort_task_group_t *group)
{
    int err = aiort__scope_check(&group->base, "aiort_task_group_create_task");

    if (err) {
        return err;
    }
    if (!group->entered) {
        return misused(group, "has not been entered");
    }
    if (group->exiting && group->nmembers == 0) {
        return misused(group, "is finished");
    }
    if (group->aborting) {
        return misused(group, "is shutting down");
    }
    return reserve(group);
}

int aiort_task_group_create_task_at(const aiort_site_t *site, aiort_task_group_t *group,
                                    aiort_coroutine_t *coroutine,
                                    const aiort_task_options_t *options, aiort_task_t **out)
{
    if (out) {
        *out = NULL;
    }
    if (!coroutine) {
        return aiort__not_made();
    }
    int err = check_create(group);
    if (err) {
        aiort_coroutine_close(coroutine);
        return err;
    }
    aiort_task_t *task = aiort_create_task_at(site, group->base.object.loop, coroutine, options);
    if (!task) {
        return aiort_last_error();
    }
    err = adopt(group, task);
    if (err) {
        aiort__task_cancel(task, NULL); /* before its first step */
    } else if (out) {
        *out = aiort_ref(task);
    }
    aiort__unref(&task->future.object);
    return err;
}

/* ---- The object ---- */

static size_t group_repr(const void *self, char *buf, size_t size)
{
    const aiort_task_group_t *group = self;
    char tasks[32] = "", errors[32] = "";

    if (group->nmembers) {
        snprintf(tasks, sizeof(tasks), " tasks=%zu", group->nmembers);
    }
    if (group->nerrors) {
        snprintf(errors, sizeof(errors), " errors=%zu", group->nerrors);
    }
    int length = snprintf(buf, size, "<TaskGroup%s%s%s>", tasks, errors,
                          group->aborting  ? " cancelling"
                          : group->entered ? " entered"
                                           : "");
    return length > 0 ? (size_t)length : 0;
}

static void drop_errors(aiort_task_group_t *group)
{
    for (size_t i = 0; i < group->nerrors; i++) {
        aiort_unref(group->errors[i]);
    }
    if (group->errors) {
        aiort__free(group->errors);
    }
    group->errors = NULL;
    group->nerrors = group->room = 0;
}

static void drop_parent(aiort_task_group_t *group)
{
    if (group->parent) {
        aiort_task_t *parent = group->parent;
        group->parent = NULL;
        aiort__unref(&parent->future.object);
    }
}

static void group_destroy(void *self)
{
    aiort_task_group_t *group = self;

    drop_errors(group);
    drop_parent(group);
    aiort__scope_free(&group->base);
}

aiort_task_group_t *aiort_task_group_new(void)
{
    aiort_task_group_t *group = aiort__malloc(sizeof(*group));

    if (!group) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(group, 0, sizeof(*group));
    aiort__scope_init(&group->base, aiort__tls.running, AIORT_KIND_TASK_GROUP, group_destroy,
                      group_repr);
    return group;
}

int aiort_task_group_enter(aiort_task_group_t *group)
{
    if (!group) {
        return aiort__not_made();
    }
    int err = aiort__scope_check(&group->base, "aiort_task_group_enter");
    if (err) {
        return err;
    }
    if (group->entered) {
        return misused(group, "has already been entered");
    }
    aiort_task_t *parent = aiort_current_task();
    if (!parent) {
        return aiort__tls.running ? misused(group, "cannot determine the parent task")
                                  : aiort__fail(AIORT_ENOLOOP);
    }
    err = aiort__scope_adopt(&group->base, parent->future.object.loop);
    if (!err) {
        err = reserve(group);
    }
    if (err) {
        return err;
    }
    group->parent = aiort_ref(parent);
    group->entered = true;
    return 0;
}

/* ---- The block's end ---- */

/* What is on its way out: errors with references. */
typedef struct {
    aiort_error_t *propagate; /* the cancellation that ends the block */
    aiort_error_t *pending;   /* the last one that came while it waited */
} cancellation_t;

static void replace(aiort_error_t **slot, aiort_error_t *error)
{
    aiort_unref(*slot);
    *slot = error;
}

/* Waits until no task is left. 0, or a code that ends the wait for good. */
static int wait_for_members(aiort_task_group_t *group, aiort_task_t *task, const aiort_site_t *site,
                            cancellation_t *cancellation)
{
    while (group->nmembers > 0) {
        aiort_future_t *waiter = aiort__future_new(group->base.object.loop);
        if (!waiter) {
            abort_group(group);
            return UV_ENOMEM;
        }
        group->waiter = waiter;
        int err = aiort__await_future(task, site, waiter, NULL);
        group->waiter = NULL;
        aiort__unref(&waiter->object);
        if (err == UV_ECANCELED) {
            replace(&cancellation->pending, aiort__take_error(err));
            if (!group->aborting) {
                replace(&cancellation->propagate, aiort_ref(cancellation->pending));
                abort_group(group);
            }
        } else if (err) {
            return err;
        }
    }
    return 0;
}

/* Takes our own cancellation of the parent back; what is left is somebody else's. */
static void settle(aiort_task_group_t *group, cancellation_t *cancellation)
{
    if (!group->parent_cancelled) {
        return;
    }
    if (aiort_task_uncancel(group->parent) == 0) {
        replace(&cancellation->propagate, NULL);
    } else if (!cancellation->propagate) {
        cancellation->propagate = aiort_ref(cancellation->pending);
    }
}

static int give_group(aiort_task_group_t *group, const aiort_site_t *site)
{
    char message[80];
    uint32_t n = (uint32_t)group->nerrors;

    snprintf(message, sizeof(message), "unhandled errors in a TaskGroup (%u sub-exception%s)",
             (unsigned)n, n == 1 ? "" : "s");
    aiort_error_t *error = aiort__error_group(site, message, group->errors, n);
    group->errors = NULL;
    group->nerrors = group->room = 0;
    int code = error->code; /* UV_ENOMEM when there is none for the group */
    aiort__set_current_error(error);
    aiort_unref(error);
    return code;
}

static int outcome(aiort_task_group_t *group, const aiort_site_t *site, aiort_error_t *body,
                   const cancellation_t *cancellation)
{
    if (cancellation->propagate && group->nerrors == 0) {
        aiort__set_current_error(cancellation->propagate);
        return UV_ECANCELED;
    }
    if (body && body->code != UV_ECANCELED) {
        group->errors[group->nerrors++] = aiort_ref(body);
    }
    if (group->nerrors == 0) {
        aiort__clear_error();
        return 0;
    }
    if (group->parent->cancel_requests > 0) {
        /* Somebody else's request stays, and will be delivered at the next await. */
        aiort_task_uncancel(group->parent);
        aiort__task_cancel(group->parent, NULL);
    }
    return give_group(group, site);
}

int aiort_task_group_exit_at(const aiort_site_t *site, aiort_task_group_t *group, int err)
{
    if (!group) {
        return err;
    }
    aiort_task_t *task = aiort_current_task();
    int misuse = aiort__scope_check(&group->base, "aiort_task_group_exit");
    if (misuse) {
        return misuse;
    }
    if (!group->entered || group->exiting) {
        return misused(group, group->entered ? "is finished" : "has not been entered");
    }
    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    aiort_error_t *body = err < 0 ? aiort__take_error(err) : NULL;
    cancellation_t cancellation = {.propagate = err == UV_ECANCELED ? aiort_ref(body) : NULL};
    group->exiting = true;
    if (body && !group->aborting) {
        abort_group(group);
    }
    if (err == AIORT_ECLOSED) {
        aiort__set_current_error(body); /* the task is being destroyed: it must not wait */
    } else {
        err = wait_for_members(group, task, site, &cancellation);
        if (!err) {
            settle(group, &cancellation);
            err = outcome(group, site, body, &cancellation);
        }
    }
    aiort_unref(body);
    aiort_unref(cancellation.propagate);
    aiort_unref(cancellation.pending);
    drop_parent(group);
    if (group->nmembers == 0) {
        drop_errors(group);
    }
    return err;
}
