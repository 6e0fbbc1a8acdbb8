/* SPDX-License-Identifier: MIT */
/* A timeout's repr in each of its states, and its misuse: errors, no reports. */
#include <aiort.h>

static void show(const aiort_timeout_t *timeout)
{
    char repr[128];

    aiort_repr(timeout, repr, sizeof(repr));
    puts(repr);
}

static void show_error(int err)
{
    if (err < 0)
        printf("%s: %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
}

static void states_and_misuse(void)
{
    aiort_timeout_t *timeout = aiort_timeout_at(1e9);

    show(timeout);
    show_error(aiort_timeout_reschedule(timeout, AIORT_NO_TIMEOUT));
    aiort_timeout_enter(timeout);
    show(timeout);
    show_error(aiort_timeout_enter(timeout));
    aiort_timeout_exit(timeout, 0);
    show(timeout);
    show_error(aiort_timeout_reschedule(timeout, AIORT_NO_TIMEOUT));
    aiort_unref(timeout);
}

static void expires(void)
{
    aiort_timeout_t *timeout = aiort_timeout(0.01);
    char cause[128];

    aiort_timeout_enter(timeout);
    int err = aiort_sleep(1);
    show(timeout);
    err = aiort_timeout_exit(timeout, err);
    aiort_repr(aiort_error_cause(aiort_current_error()), cause, sizeof(cause));
    printf("%s from %s\n", aiort_err_name(err), cause);
    show(timeout);
    printf("expired: %d\n", aiort_timeout_expired(timeout));
    aiort_unref(timeout);
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    states_and_misuse();
    expires();
    aiort_timeout_t *timeout = aiort_timeout(AIORT_NO_TIMEOUT);

    aiort_timeout_enter(timeout);
    show(timeout);
    aiort_timeout_exit(timeout, 0);
    aiort_unref(timeout);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
