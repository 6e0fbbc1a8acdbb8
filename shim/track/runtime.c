/* SPDX-License-Identifier: MIT */
/* What the shim knows of libaiort; see runtime.h. */
#include "runtime.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "../config.h"
#include "../init.h"
#include "clock.h"
#include "coarse.h"
#include "stacks.h"
#include "unwind.h"
#include "uv.h"

const aiort_instrument_api_t *aiodebug_aiort;
_Thread_local aiodebug_thread_t aiodebug_thread;

/* While a task runs, the stack of the loop itself is idle from where it was left, and there is more
 * of it. A page less, for what the saved stack pointer may not say. */
static void *idle_stack(void)
{
    enum { LESS = 4096 };
    const aiort_loop_t *loop = aiodebug_thread.loop;
    char *idle = loop ? aiodebug_aiort->idle_stack(loop) : NULL;

    return idle ? (void *)(((uintptr_t)idle - LESS) & ~(uintptr_t)15) : NULL;
}

void aiodebug_runtime_attach(const aiort_instrument_api_t *api)
{
    aiodebug_aiort = api;
    aiodebug_stack_elsewhere = api->version >= 2 ? idle_stack : NULL;
    aiodebug_stack_add_internal_object((const void *)(uintptr_t)api->repr);
    /* Its TLS is a library of its own, which a program that uses it has loaded by now. */
    void *tls = dlopen("libaiort-tls.so.0", RTLD_LAZY | RTLD_NOLOAD);
    if (tls) {
        aiodebug_stack_add_internal_object(dlsym(tls, "aiort_tls_of"));
        dlclose(tls);
    }
}

/* ---- The running loop ---- */

double aiodebug_runtime_slow_seconds(const aiort_loop_t *loop)
{
    double own = aiodebug_aiort->slow_callback_duration(loop);

    return own >= 0 ? own : aiodebug_config.slow_callback;
}

int64_t aiodebug_runtime_slow_ticks(const aiort_loop_t *loop)
{
    uint64_t ticks = aiodebug_ticks_from_seconds(aiodebug_runtime_slow_seconds(loop));

    return ticks < INT64_MAX ? (int64_t)ticks : INT64_MAX;
}

void aiodebug_runtime_thresholds(void)
{
    enum { RESTS = 64 };
    aiort_loop_t *loop = aiodebug_thread.loop;
    bool debug = loop && aiodebug_aiort->debug(loop);
    double seconds = debug ? aiodebug_runtime_slow_seconds(loop) : -1;

    if (aiodebug_thread.rests > 0 && seconds == aiodebug_thread.seconds) {
        aiodebug_thread.rests--;
        return;
    }
    aiodebug_thread.rests = RESTS;
    aiodebug_thread.seconds = seconds;
    aiodebug_thread.slow = debug ? aiodebug_runtime_slow_ticks(loop) : INT64_MAX;
    aiodebug_thread.notable = aiodebug_thread.slow;
    if (debug && aiodebug_uv_notable < aiodebug_thread.slow) {
        aiodebug_thread.notable = aiodebug_uv_notable;
    }
    aiodebug_runtime_precision();
}

void aiodebug_runtime_precision(void)
{
    aiodebug_thread.coarse = aiodebug_uv_unread > 0 && aiodebug_thread.slow >= aiodebug_uv_fine;
}

void aiodebug_runtime_count(void)
{
    aiodebug_thread_t *thread = &aiodebug_thread;

    if (thread->paced) {
        thread->left = thread->pace->left;
    }
    thread->steps += thread->spared - thread->left;
    thread->spared = thread->left;
}

void aiodebug_runtime_read(uint64_t now)
{
    aiodebug_thread_t *thread = &aiodebug_thread;

    aiodebug_runtime_count();
    thread->last = now;
    thread->spared = thread->left = thread->coarse && !thread->exact ? AIODEBUG_UNREAD : 0;
    if (thread->left > 0) {
        thread->stood = aiodebug_coarse();
    }
    if (thread->pace) {
        thread->pace->clock = aiodebug_coarse_word;
        thread->paced = thread->pace->clock != NULL;
        thread->pace->stood = thread->stood;
        thread->pace->left = thread->paced ? thread->left : 0;
    }
}

void aiodebug_runtime_turn(uint64_t now)
{
    aiodebug_thread.turn_start = now;
    aiodebug_thread.excused = 0;
    aiodebug_runtime_count();
    aiodebug_thread.steps = 0;
    aiodebug_thread.fresh = true;
    aiodebug_thread.exact = false;
}

void aiodebug_runtime_running(aiort_loop_t *loop)
{
    if (aiodebug_thread.pace) {
        aiodebug_thread.pace->left = 0;
    }
    aiodebug_thread.paced = false;
    aiodebug_thread.loop = loop;
    aiodebug_thread.pace = loop && aiodebug_aiort->version >= 3 ? aiodebug_aiort->pace(loop) : NULL;
    aiodebug_thread.spared = aiodebug_thread.left = 0;
    aiodebug_thread.rests = 0;
    aiodebug_runtime_thresholds();
    uint64_t now = aiodebug_ticks();
    aiodebug_runtime_turn(now);
    aiodebug_runtime_read(now);
}

/* ---- All loops ---- */

typedef struct known_loop {
    struct known_loop *next;
    aiort_loop_t *loop;
    uint32_t trace;
} known_loop_t;

static struct {
    pthread_mutex_t lock;
    known_loop_t *first;
} loops = {.lock = PTHREAD_MUTEX_INITIALIZER};

void aiodebug_loops_add(aiort_loop_t *loop, uint32_t trace)
{
    known_loop_t *known = malloc(sizeof(*known));

    if (!known) {
        return;
    }
    *known = (known_loop_t){.loop = loop, .trace = trace};
    pthread_mutex_lock(&loops.lock);
    known->next = loops.first;
    loops.first = known;
    pthread_mutex_unlock(&loops.lock);
}

bool aiodebug_loops_remove(aiort_loop_t *loop)
{
    bool known_one = false;

    pthread_mutex_lock(&loops.lock);
    for (known_loop_t **link = &loops.first; *link; link = &(*link)->next) {
        known_loop_t *known = *link;
        if (known->loop == loop) {
            known_one = true;
            *link = known->next;
            free(known);
            break;
        }
    }
    pthread_mutex_unlock(&loops.lock);
    return known_one;
}

void aiodebug_loops_unclosed(void (*fn)(aiort_loop_t *loop, uint32_t trace))
{
    pthread_mutex_lock(&loops.lock);
    for (known_loop_t *known = loops.first; known; known = known->next) {
        fn(known->loop, known->trace);
    }
    pthread_mutex_unlock(&loops.lock);
}

/* A lock that another thread held is nobody's now; the list itself is whole, or one node short. */
void aiodebug_loops_after_fork_child(void)
{
    loops.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

/* ---- Reprs and traces ---- */

const char *aiodebug_repr(const void *object, char *buf, size_t size)
{
    bool building = aiodebug_thread.building;

    aiodebug_thread.building = true;
    size_t length = aiodebug_aiort->repr(object, buf, size);
    aiodebug_thread.building = building;
    if (length >= size && size > 4) {
        /* Cut: a reference that lost its end would swallow what follows, so it goes as a whole. */
        char *open = NULL;
        for (char *p = buf; *p; p++) {
            if (*p == '\001') {
                open = open ? NULL : p;
            }
        }
        char *end = open ? open : buf + size - 4;
        end[0] = end[1] = end[2] = '.';
        end[3] = '\0';
        if (open && open + 4 > buf + size) {
            buf[size - 1] = '\0';
        }
    }
    return buf;
}

uint32_t aiodebug_trace_of_error(uint32_t trace)
{
    void *pcs[AIODEBUG_STACK_DEPTH_MAX];
    int n = aiodebug_stack_frames(trace, pcs, AIODEBUG_STACK_DEPTH_MAX);
    int end = 0;

    while (end < n && aiodebug_stack_internal_prefix(pcs + end, 1) == 0) {
        end++;
    }
    return end == n ? trace : aiodebug_stack_intern(pcs, end);
}

typedef struct {
    void *pcs[AIODEBUG_STACK_DEPTH_MAX];
    int count;
} suspended_t;

static void walked(void *arg)
{
    suspended_t *suspended = arg;

    suspended->count = aiodebug_unwind_here(suspended->pcs, AIODEBUG_STACK_DEPTH_MAX);
}

uint32_t aiodebug_trace_suspended(const aiort_task_t *task)
{
    suspended_t suspended = {.count = 0};

    if (aiodebug_aiort->walk(task, walked, &suspended) != 0) {
        return 0;
    }
    /* First the shim's and the runtime's own frames, this walk's included. */
    int skip = aiodebug_stack_internal_prefix(suspended.pcs, suspended.count);
    return aiodebug_stack_intern(suspended.pcs + skip, suspended.count - skip);
}
