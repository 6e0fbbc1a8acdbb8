/* SPDX-License-Identifier: MIT */
/*
 * Awaiting what cannot be awaited. The compiler refuses it ("no match in _Generic") unless it is
 * cast, as here; then the await returns an error.
 */
#include <aiort.h>

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_handle_t *handle;

    aiort_call_soon(loop, nothing, NULL, &handle);
    void *others[] = {NULL, handle, loop};
    for (int i = 0; i < 3; i++) {
        int err = aiort_await((aiort_awaitable_t *)others[i], NULL);

        printf("%s: %s\n", aiort_err_name(err), aiort_strerror(err));
    }
    aiort_unref(handle);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
