/* SPDX-License-Identifier: MIT */
/*
 * Runners: one loop, and one context, for several main coroutines one after another. The loop is
 * made when it is needed first, and goes with the runner.
 */
#include "runner.h"

#include <stdio.h>
#include <string.h>

enum { CREATED, OPEN, CLOSED };

struct aiort_runner_s {
    aiort__extended_t base; /* loop is NULL: the runner holds it as the program does */
    int state;
    aiort_loop_t *loop;       /* OPEN: with a reference */
    aiort_context_t *context; /* OPEN: with a reference */
    aiort_loop_options_t options;
};

static size_t runner_repr(const void *self, char *buf, size_t size)
{
    static const char *const states[] = {"created", "open", "closed"};
    const aiort_runner_t *runner = self;
    int length = snprintf(buf, size, "<Runner object at %p %s>", self, states[runner->state]);

    return length > 0 ? (size_t)length : 0;
}

static void runner_destroy(void *self)
{
    (void)aiort_runner_close(self);
    aiort__free(self);
}

aiort_runner_t *aiort_runner_new(const aiort_loop_options_t *options)
{
    aiort_runner_t *runner = aiort__malloc(sizeof(*runner));

    if (!runner) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(runner, 0, sizeof(*runner));
    aiort__scope_init(&runner->base, NULL, AIORT_KIND_RUNNER, runner_destroy, runner_repr);
    if (options) {
        runner->options = *options;
    }
    return runner;
}

static int open_runner(aiort_runner_t *runner)
{
    if (runner->state == CLOSED) {
        return aiort__failf(AIORT_EMISUSE, "Runner is closed");
    }
    if (runner->state == OPEN) {
        return 0;
    }
    runner->context = aiort_copy_context();
    runner->loop = runner->context ? aiort_loop_new(&runner->options) : NULL;
    if (!runner->loop) {
        int err = aiort_last_error();
        aiort_unref(runner->context);
        runner->context = NULL;
        return aiort__fail(err);
    }
    runner->state = OPEN;
    return 0;
}

aiort_loop_t *aiort_runner_get_loop(aiort_runner_t *runner)
{
    return open_runner(runner) ? NULL : runner->loop;
}

int aiort_runner_run_at(const aiort_site_t *site, aiort_runner_t *runner,
                        aiort_awaitable_t *awaitable, void **result)
{
    if (!awaitable) {
        return aiort__not_made();
    }
    int err = 0;
    if (aiort__tls.running) {
        err = aiort__failf(AIORT_ERUNNINGLOOP,
                           "aiort_runner_run() cannot be called from a running event loop");
    } else {
        err = open_runner(runner);
    }
    if (err) {
        if (((aiort__object_t *)awaitable)->kind == AIORT_KIND_COROUTINE) {
            aiort_coroutine_close((aiort_coroutine_t *)awaitable);
        }
        return err;
    }
    return aiort__run_main(site, runner->loop, awaitable, runner->context, result);
}

int aiort_runner_close(aiort_runner_t *runner)
{
    if (runner->state == OPEN) {
        if (aiort_loop_is_running(runner->loop)) {
            return aiort__fail(AIORT_ECLOSERUNNING);
        }
        aiort__run_close(runner->loop);
        aiort_unref(runner->loop);
        aiort_unref(runner->context);
        runner->loop = NULL;
        runner->context = NULL;
    }
    runner->state = CLOSED;
    return 0;
}
