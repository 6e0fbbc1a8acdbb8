/* SPDX-License-Identifier: MIT */
/* The repr of a task in every state: pending, waiting, with callbacks, running, cancelled, done. */
#include <aiort.h>

/* They return different things (which mean the same) lest the compiler make them one function. */
static int cb1(aiort_future_t *task, void *arg)
{
    (void)task, (void)arg;
    return 0;
}

static int cb2(aiort_future_t *task, void *arg)
{
    (void)task, (void)arg;
    return 1;
}

static int cb3(aiort_future_t *task, void *arg)
{
    (void)task, (void)arg;
    return 2;
}

static void show(const char *what, const void *object)
{
    char repr[1024];

    aiort_repr(object, repr, sizeof(repr));
    printf("%s: %s\n", what, repr);
}

static int work(void *future, void **result)
{
    return aiort_await((aiort_future_t *)future, result);
}

static int fails(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "bad");
}

static int selfrepr(void *arg, void **result)
{
    (void)arg, (void)result;
    show("running ", aiort_current_task());
    return 0;
}

static int answers(void *arg, void **result)
{
    static int answer = 42;

    (void)arg;
    *result = &answer;
    return aiort_sleep(0);
}

static aiort_task_t *create(aiort_coroutine_t *coroutine, const char *name)
{
    aiort_task_t *task = aiort_create_task(coroutine);

    if (name != NULL)
        aiort_task_set_name(task, name);
    return task;
}

static void await_and_show(const char *what, aiort_task_t *task)
{
    aiort_await(task, NULL);
    if (what != NULL)
        show(what, task);
    aiort_unref(task);
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    aiort_task_t *task = create(AIORT_CORO(work, future), "my name");

    show("new     ", task);
    aiort_sleep(0);
    show("waiting ", task);
    aiort_future_add_done_callback(AIORT_FUTURE(task), cb1, NULL);
    show("1 cb    ", task);
    aiort_future_add_done_callback(AIORT_FUTURE(task), cb2, NULL);
    show("2 cb    ", task);
    aiort_future_add_done_callback(AIORT_FUTURE(task), cb3, NULL);
    show("3 cb    ", task);
    await_and_show(NULL, create(AIORT_CORO(selfrepr, NULL), "self"));
    aiort_task_cancel(task, NULL);
    show("cancelled future", task);
    await_and_show("cancelled", task);

    task = create(AIORT_CORO(work, future), NULL);
    aiort_task_cancel(task, NULL);
    show("cancelling new", task);
    await_and_show(NULL, task);
    await_and_show("error", create(AIORT_CORO(fails, NULL), "T3"));
    await_and_show("finished", create(AIORT_CORO(answers, NULL), "T4"));
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
