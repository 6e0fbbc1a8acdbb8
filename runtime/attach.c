/* SPDX-License-Identifier: MIT */
/*
 * How a tool finds the library: which seams are somebody else's, and the table of accessors that it
 * gets. Runs once, from the constructor, before any object exists.
 */
#include "seam.h"

#include <stdatomic.h>

unsigned aiort__seams;

static bool interposed(void (*exported)(void), void (*own)(void))
{
    return exported != own;
}

#define TAKEN(name)                                                                                \
    interposed((void (*)(void))name, (void (*)(void))aiort__default_##name)

unsigned aiort__seams_find(void)
{
    unsigned found = 0;

    found |= TAKEN(aiort_instrument_created) ? AIORT__SEAM_CREATED : 0U;
    found |= TAKEN(aiort_instrument_scheduled) ? AIORT__SEAM_SCHEDULED : 0U;
    found |= TAKEN(aiort_instrument_step) ? AIORT__SEAM_STEP : 0U;
    found |= TAKEN(aiort_instrument_awaited) ? AIORT__SEAM_AWAITED : 0U;
    found |= TAKEN(aiort_instrument_destroyed) ? AIORT__SEAM_DESTROYED : 0U;
    found |= TAKEN(aiort_instrument_running) ? AIORT__SEAM_RUNNING : 0U;
    found |= TAKEN(aiort_instrument_poll) ? AIORT__SEAM_POLL : 0U;
    found |= TAKEN(aiort_instrument_close) ? AIORT__SEAM_CLOSE : 0U;
    return found;
}

static uint32_t api_trace(const void *object)
{
    return ((const aiort__object_t *)object)->trace;
}

static void api_set_trace(void *object, uint32_t trace)
{
    ((aiort__object_t *)object)->trace = trace;
}

static aiort_loop_t *api_loop_of(const void *object)
{
    const aiort__object_t *header = object;

    return header->kind == AIORT_KIND_LOOP ? (aiort_loop_t *)(uintptr_t)object : header->loop;
}

static uint64_t api_id(const void *object)
{
    return ((const aiort__object_t *)object)->id;
}

static void *api_running(const aiort_loop_t *loop)
{
    return loop->current ? (void *)loop->current : loop->running_object;
}

static int api_running_tid(const aiort_loop_t *loop)
{
    return atomic_load_explicit(&loop->owner, memory_order_relaxed) ? loop->tid : 0;
}

static int api_debug(const aiort_loop_t *loop)
{
    return loop->debug;
}

static double api_slow(const aiort_loop_t *loop)
{
    return loop->slow_callback_duration;
}

static uv_loop_t *api_uv_loop(const aiort_loop_t *loop)
{
    return loop->uv ? loop->uv->loop : NULL;
}

static aiort_task_t *api_next_task(const aiort_loop_t *loop, const aiort_task_t *after)
{
    return after ? after->following : loop->tasks;
}

static int api_walk(const aiort_task_t *task, void (*fn)(void *), void *arg)
{
    const aiort_loop_t *loop = task->future.object.loop;

    if (task->sp == NULL || task->stack == NULL || loop->current == task) {
        return -1;
    }
    aiort__context_walk(task->sp, fn, arg);
    return 0;
}

static aiort_callback_fn api_handle_callback(const aiort_handle_t *handle)
{
    return handle->callback;
}

static const aiort_site_t *api_site(const void *object)
{
    switch (((const aiort__object_t *)object)->kind) {
    case AIORT_KIND_HANDLE:
        return ((const aiort_handle_t *)object)->site;
    case AIORT_KIND_COROUTINE:
        return ((const aiort_coroutine_t *)object)->site;
    case AIORT_KIND_ERROR:
        return ((const aiort_error_t *)object)->site;
    default:
        return NULL;
    }
}

static aiort_coroutine_fn api_coroutine_function(const aiort_coroutine_t *coroutine)
{
    return coroutine->function;
}

static aiort_coroutine_t *api_task_coroutine(const aiort_task_t *task)
{
    return task->coroutine;
}

static const aiort_site_t *api_coroutine_where(const aiort_coroutine_t *coroutine)
{
    return coroutine->object.state == AIORT__CORO_RUNNING ? coroutine->u.where : NULL;
}

static const aiort_site_t *api_completed_site(const aiort_future_t *future)
{
    return future->completed;
}

static size_t api_error_members(const aiort_error_t *error, aiort_error_t *const **members)
{
    *members = error->errors;
    return error->nerrors;
}

static void *api_idle_stack(const aiort_loop_t *loop)
{
    return loop->current ? loop->hub_sp : NULL;
}

static aiort_instrument_pace_t *api_pace(aiort_loop_t *loop)
{
    return &loop->pace;
}

const aiort_instrument_api_t aiort__api = {
    .version = 3,
    .repr = aiort_repr,
    .kind = aiort_kind,
    .trace = api_trace,
    .set_trace = api_set_trace,
    .loop_of = api_loop_of,
    .id = api_id,
    .running = api_running,
    .running_tid = api_running_tid,
    .debug = api_debug,
    .slow_callback_duration = api_slow,
    .uv_loop = api_uv_loop,
    .next_task = api_next_task,
    .walk = api_walk,
    .handle_callback = api_handle_callback,
    .site = api_site,
    .coroutine_function = api_coroutine_function,
    .task_coroutine = api_task_coroutine,
    .coroutine_where = api_coroutine_where,
    .error_code = aiort_error_code,
    .error_message = aiort_error_message,
    .error_cause = aiort_error_cause,
    .completed_site = api_completed_site,
    .err_name = aiort_err_name,
    .strerror = aiort_strerror,
    .error_members = api_error_members,
    .idle_stack = api_idle_stack,
    .pace = api_pace,
};

static const char *stack_owner_name(const void *stack)
{
    const aiort__stack_t *record = stack;
    const aiort_task_t *task = record->owner;

    return task && task->coroutine && task->coroutine->site ? task->coroutine->site->what : NULL;
}

static bool stack_is_current(const void *stack)
{
    const aiort_loop_t *loop = aiort__tls.running;

    return loop && loop->current && loop->current->stack == stack;
}

__attribute__((constructor)) static void attach(void)
{
    aiort__seams = aiort__seams_find();
    aiort__stack_owner_name = stack_owner_name;
    aiort__stack_is_current = stack_is_current;
    aiort__stack_overflow_hook = aiort_instrument_stack_overflow;
    aiort_instrument_attach(&aiort__api);
}
