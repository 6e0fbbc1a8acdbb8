/* SPDX-License-Identifier: MIT */
/* gcc splits bad_cleanup() and inlines its first lines (-O2): it shows as one frame all the same.
 */
#include <aiort.h>
#include <stdlib.h>

static int bad_cleanup(int n)
{
    if (n > 100)
        return 0;
    printf("a %d\n", n);
    printf("b %d\n", n * 3);
    if (aiort_raise(UV_EINVAL, "in the part that is not inlined %d", n) < 0) {
        printf("c %d\n", n);
        printf("d %d\n", n);
        printf("e %d\n", n);
    }
    return UV_EINVAL;
}

static int bug(void *arg, void **result)
{
    (void)result;
    int n = (int)(intptr_t)arg;
    return bad_cleanup(n) + bad_cleanup(n + 1) ? UV_EINVAL : 0;
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(aiort_create_task(AIORT_CORO(bug, (void *)(intptr_t)rand())));
    aiort_unref(aiort_create_task(AIORT_CORO(bug, (void *)(intptr_t)1)));
    return aiort_sleep(0);
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
