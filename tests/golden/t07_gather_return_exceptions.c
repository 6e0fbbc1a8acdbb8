/* SPDX-License-Identifier: MIT */
/* gather with AIORT_RETURN_ERRORS: outcomes in order, errors among them: NO diagnostic. */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "x");
}

static int ok(void *arg, void **result)
{
    *result = arg;
    return 0;
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_awaitable_t *three[] = {AIORT_AWAITABLE(AIORT_CORO(ok, "1")),
                                  AIORT_AWAITABLE(AIORT_CORO(bug, NULL)),
                                  AIORT_AWAITABLE(AIORT_CORO(ok, "1"))};
    aiort_future_t *all = aiort_gather(three, 3, AIORT_RETURN_ERRORS);
    void *value = NULL;
    int err = aiort_await(all, &value);
    const aiort_outcome_t *outcomes = value;
    char error[64];

    for (int i = 0; err == 0 && i < 3; i++) {
        aiort_repr(outcomes[i].error, error, sizeof(error));
        printf("%s%s", i == 0 ? "[" : ", ",
               outcomes[i].code < 0 ? error : (const char *)outcomes[i].result);
    }
    puts("]");
    aiort_unref(all);
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
