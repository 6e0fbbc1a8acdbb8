/* SPDX-License-Identifier: MIT */
/* Raw libuv: what it has of the same kind. See bench.h. */
#include <pthread.h>
#include <uv.h>

#include "bench.h"

static long called, limit;

static void on_idle(uv_idle_t *idle)
{
    if (++called == limit) {
        uv_idle_stop(idle);
    }
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    called++;
}

/* uv_async_send() has no queue, sends run together: who wants each of his calls made keeps one
 * beside it. */
typedef struct call {
    struct call *next;
    void (*fn)(void *arg);
    void *arg;
} call_t;

static uv_mutex_t lock;
static call_t *first, **last = &first;

static void count(void *arg)
{
    (void)arg;
    called++;
}

static void on_async(uv_async_t *async)
{
    uv_mutex_lock(&lock);
    call_t *call = first;
    first = NULL;
    last = &first;
    uv_mutex_unlock(&lock);
    while (call) {
        call_t *next = call->next;
        call->fn(call->arg);
        free(call);
        call = next;
    }
    if (called == limit) {
        uv_close((uv_handle_t *)async, NULL);
    }
}

static void *send_all(void *arg)
{
    uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);

    for (long i = 0; i < limit; i++) {
        call_t *call = malloc(sizeof(*call));
        *call = (call_t){NULL, count, NULL};
        uv_mutex_lock(&lock);
        *last = call;
        last = &call->next;
        uv_mutex_unlock(&lock);
        uv_async_send(arg);
    }
    result("threadsafe", (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)limit);
    return NULL;
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_idle_t idle;
    uv_async_t async;
    pthread_t thread;

    /* A callback that has nothing to wait for costs an iteration, selector included. */
    limit = scaled(2000000);
    uv_idle_init(loop, &idle);
    uv_idle_start(&idle, on_idle);
    uint64_t start = cpu_ns();
    uv_run(loop, UV_RUN_DEFAULT);
    result("call_soon", (double)(cpu_ns() - start) / (double)limit);

    long n = scaled(1000000);
    uv_timer_t *timers = malloc((size_t)n * sizeof(*timers));
    unsigned seed = 1;
    start = cpu_ns();
    for (long i = 0; i < n; i++) {
        seed = seed * 1103515245U + 12345U;
        uv_timer_init(loop, &timers[i]);
        uv_timer_start(&timers[i], on_timer, 1 + (seed >> 8 & 0x3f), 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    result("call_later", (double)(cpu_ns() - start) / (double)n);

    called = 0;
    limit = scaled(500000);
    uv_mutex_init(&lock);
    uv_async_init(loop, &async, on_async);
    pthread_create(&thread, NULL, send_all, &async);
    pthread_join(thread, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return 0;
}
