/* SPDX-License-Identifier: MIT */
/*
 * aiort_run(): a loop for one main coroutine, and what is left cancelled at its end.
 */
#include "runner.h"

static int count_down(aiort_future_t *future, void *arg)
{
    size_t *left = arg;

    return --*left == 0 ? aiort_loop_stop(future->object.loop) : 0;
}

/* Runs until all of them are done. */
static int wait_for_all(aiort_loop_t *loop, aiort_task_t **tasks, size_t n)
{
    size_t left = 0;
    int err = 0;

    for (size_t i = 0; i < n && !err; i++) {
        err = aiort__future_add_callback(&tasks[i]->future, NULL, count_down, &left);
        left += !err;
    }
    while (!err && left > 0) {
        err = aiort_loop_run_forever(loop);
    }
    return err;
}

static void report_failed(aiort_loop_t *loop, aiort_task_t *task)
{
    aiort_error_t *error = NULL;

    if (aiort_future_error(&task->future, &error) || !error) {
        return;
    }
    aiort_report_t report = {
        .message = "unhandled exception during aiort_run() shutdown",
        .check = "task-exception-never-retrieved",
        .task = task,
        .error = error,
    };
    aiort__report(loop, &report);
}

/* asyncio's _cancel_all_tasks(). */
static int cancel_all(aiort_loop_t *loop)
{
    size_t n = loop->ntasks;
    int err = 0;

    if (n == 0) {
        return 0;
    }
    aiort_task_t **tasks = aiort__malloc(n * sizeof(*tasks));
    if (!tasks) {
        return aiort__fail(UV_ENOMEM);
    }
    aiort_all_tasks(loop, tasks, n);
    for (size_t i = 0; i < n; i++) {
        aiort__task_cancel(tasks[i], NULL);
    }
    err = wait_for_all(loop, tasks, n);
    for (size_t i = 0; i < n; i++) {
        if (!err) {
            report_failed(loop, tasks[i]);
        }
        aiort_unref(tasks[i]);
    }
    aiort__free(tasks);
    return err;
}

void aiort__run_close(aiort_loop_t *loop)
{
    cancel_all(loop);
    aiort__executor_finish(loop);
    aiort_loop_close(loop);
}

/* The main task, or future, with a reference. */
static aiort_future_t *main_of(const aiort_site_t *site, aiort_loop_t *loop,
                               aiort_awaitable_t *awaitable, aiort_context_t *context)
{
    const aiort_task_options_t options = {.context = context};

    if (((aiort__object_t *)awaitable)->kind != AIORT_KIND_COROUTINE) {
        return aiort__ensure_future(loop, awaitable);
    }
    aiort_task_t *task = aiort_create_task_at(site, loop, (aiort_coroutine_t *)awaitable, &options);
    if (!task) {
        return NULL;
    }
    task->future.object.flags |= AIORT__QUIET; /* that it did not end, who runs it is told */
    return &task->future;
}

/* As asyncio's: who was interrupted hears of that, unless others cancelled the task too. */
static int outcome(aiort_future_t *main, int err, bool interrupted)
{
    if (!interrupted || err != UV_ECANCELED) {
        return err;
    }
    if (main->object.kind == AIORT_KIND_TASK && aiort_task_uncancel((aiort_task_t *)main) > 0) {
        return err;
    }
    return aiort__failf(AIORT_EINTERRUPTED, "%s", aiort_strerror(AIORT_EINTERRUPTED));
}

int aiort__run_main(const aiort_site_t *site, aiort_loop_t *loop, aiort_awaitable_t *awaitable,
                    aiort_context_t *context, void **result)
{
    aiort__interrupt_t interrupt;
    aiort_future_t *main = main_of(site, loop, awaitable, context);

    if (!main) {
        return aiort_last_error();
    }
    int err = aiort__interrupt_begin(&interrupt, main);
    if (err) {
        (void)aiort__future_cancel(main, NULL);
    } else {
        err = aiort_loop_run_until_complete_at(site, loop, (aiort_awaitable_t *)main, result);
        err = outcome(main, err, aiort__interrupt_end(&interrupt));
    }
    aiort_unref(main);
    return err;
}

int aiort_run_at(const aiort_site_t *site, aiort_coroutine_t *coroutine, void **result,
                 const aiort_loop_options_t *options)
{
    if (!coroutine) {
        return aiort__not_made();
    }
    if (aiort__tls.running) {
        aiort_coroutine_close(coroutine);
        return aiort__fail(AIORT_ERUNNINGLOOP);
    }
    aiort_loop_t *loop = aiort_loop_new(options);
    if (!loop) {
        int err = aiort_last_error();
        aiort_coroutine_close(coroutine);
        return aiort__fail(err);
    }
    int err = aiort__run_main(site, loop, AIORT_AWAITABLE(coroutine), NULL, result);
    aiort_error_t *error = err ? aiort__take_error(err) : NULL;
    aiort__run_close(loop);
    aiort_unref(loop);
    if (error) {
        aiort__set_current_error(error);
        aiort_unref(error);
    }
    return err;
}
