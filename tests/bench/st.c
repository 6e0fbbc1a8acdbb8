/* SPDX-License-Identifier: MIT */
/* libs: -lst */
/* State Threads. See bench.h. */
#include <st.h>

#include "bench.h"

static void *yielder(void *arg)
{
    for (long i = (intptr_t)arg; i > 0; i--) {
        st_usleep(0);
    }
    return NULL;
}

static void yields(const char *name, int threads, long steps)
{
    st_thread_t *all = calloc((size_t)threads, sizeof(*all));

    for (int i = 0; i < threads; i++) {
        all[i] = st_thread_create(yielder, (void *)(intptr_t)steps, 1, 0);
    }
    uint64_t start = cpu_ns();
    for (int i = 0; i < threads; i++) {
        st_thread_join(all[i], NULL);
    }
    result(name, (double)(cpu_ns() - start) / ((double)threads * (double)steps));
    free(all);
}

static void *nothing(void *arg)
{
    return arg;
}

static st_cond_t ping, pong;

static void *keeper(void *arg)
{
    for (long i = (intptr_t)arg; i > 0; i--) {
        st_cond_wait(ping);
        st_cond_signal(pong);
    }
    return NULL;
}

/* One condition variable for each wait, as a future is made for each. */
static void *ponger(void *arg)
{
    for (long i = (intptr_t)arg; i > 0; i--) {
        st_cond_t mine = ping;
        st_cond_wait(mine);
        st_cond_destroy(mine);
        ping = st_cond_new();
        st_cond_signal(pong);
    }
    return NULL;
}

static void hand_over(const char *name, void *(*partner)(void *), long n)
{
    ping = st_cond_new();
    pong = st_cond_new();
    st_thread_t other = st_thread_create(partner, (void *)(intptr_t)n, 1, 0);
    st_usleep(0);
    uint64_t start = cpu_ns();
    for (long i = 0; i < n; i++) {
        st_cond_t mine = pong;
        if (partner == ponger) {
            mine = pong = st_cond_new();
        }
        st_cond_signal(ping);
        st_cond_wait(mine);
        if (partner == ponger) {
            st_cond_destroy(mine);
        }
    }
    result(name, (double)(cpu_ns() - start) / (2.0 * (double)n));
    st_thread_join(other, NULL);
}

int main(void)
{
    st_init();
    yields("yield2", 2, scaled(500000));
    yields("yield1000", 1000, scaled(500));
    long n = scaled(300000);
    uint64_t start = cpu_ns();
    for (long i = 0; i < n; i++) {
        st_thread_join(st_thread_create(nothing, NULL, 1, 0), NULL);
    }
    result("spawn", (double)(cpu_ns() - start) / (double)n);
    hand_over("pingpong", ponger, scaled(1000000));
    hand_over("handover", keeper, scaled(1000000));
    return 0;
}
