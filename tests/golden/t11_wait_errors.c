/* SPDX-License-Identifier: MIT */
/*
 * Wrong arguments of wait, ensure_future, create_task, as_completed and gather: errors, no reports.
 * What asyncio finds out about types, the compiler says here, unless it is cast away.
 */
#include <aiort.h>

static int c(void *arg, void **result)
{
    (void)arg, (void)result;
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void show(const char *what, int err)
{
    printf("%s %s %s\n", what, aiort_err_name(err), aiort_error_message(aiort_current_error()));
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(c, NULL));
    aiort_future_t *futures[] = {AIORT_FUTURE(task)};
    aiort_handle_t *handle;

    aiort_call_soon(aiort_get_running_loop(), nothing, NULL, &handle);
    show("wait(none)", aiort_wait(futures, 0, -1, AIORT_ALL_COMPLETED));
    show("wait(return_when)", aiort_wait(futures, 1, -1, (aiort_return_when_t)5));
    aiort_await(task, NULL);

    aiort_awaitable_t *bad[] = {(aiort_awaitable_t *)(void *)handle};
    if (aiort_ensure_future(NULL, bad[0]) == NULL)
        show("ensure_future(handle)", aiort_last_error());
    if (aiort_create_task(NULL) == NULL)
        show("create_task(NULL)", aiort_last_error());
    if (aiort_gather(bad, 1, 0) == NULL)
        show("gather(handle)", aiort_last_error());
    if (aiort_as_completed(bad, 1, -1) == NULL)
        show("as_completed(handle)", aiort_last_error());

    aiort_future_t *none = aiort_gather(NULL, 0, 0);
    char repr[256];

    aiort_repr(none, repr, sizeof(repr));
    printf("gather() %s\n", repr);
    aiort_unref(none);
    aiort_unref(handle);
    aiort_unref(task);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
