/* SPDX-License-Identifier: MIT */
/*
 * Between two iterations: the clock, the selector, and libuv's handles below a loop.
 *
 * libuv's handles live in aiort__uv_t, apart from the loop, since they may close after it: over a
 * given uv_loop_t their close callbacks come when the program runs that loop next. The last one
 * frees the struct.
 *
 * While tasks keep the ready queue busy, the selector is not asked after every iteration, as asyncio
 * does: that would cost a hundred times a task's step. The look is taken after `spins` iterations;
 * their number doubles while they take less than 20 us together and falls back to one as soon as
 * they take more than 100 us, so that I/O and timers wait for that long at most.
 *
 * Over a given uv_loop_t that the program itself runs (uv_run), a prepare handle runs one iteration
 * in each turn; while something is ready an idle handle keeps libuv from sleeping. Both, and the
 * timer, keep uv_run() alive only while there is something to do.
 */
#include "internal.h"

#include <string.h>

enum { SPIN_LIMIT = 64, FAST_LOOK = 20000, SLOW_LOOK = 100000, POLL_INTERVAL = 50000 };

/* aiort__timers_next() where there mostly are none. */
static inline uint64_t next_timer(aiort_loop_t *loop)
{
    return AIORT__LIKELY(loop->ntimers == 0 && !loop->burst) ? 0 : aiort__timers_next(loop);
}

static inline bool timers_due(aiort_loop_t *loop, uint64_t now)
{
    return AIORT__UNLIKELY(loop->ntimers > 0 || loop->burst) && aiort__timers_due(loop, now);
}

static inline void incoming_drain(aiort_loop_t *loop)
{
    if (AIORT__UNLIKELY(atomic_load_explicit(&loop->incoming, memory_order_relaxed) != NULL)) {
        aiort__incoming_drain(loop);
    }
}

/* ---- libuv's handles ---- */

static void on_timer(uv_timer_t *timer)
{
    aiort__uv_t *uv = timer->data;

    uv->armed = 0;
}

static void on_async(uv_async_t *async)
{
    /* Waking was all: the queue is drained by the look that follows. Embedded, the turn that
     * comes next does it, if something keeps libuv from sleeping before it. */
    aiort__uv_t *uv = async->data;

    if (uv->owner) {
        aiort__wake_embedded(uv->owner);
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

/* Ends a turn of a loop that the program drives, also by a C++ exception (see loop.c). */
static void turn_over(aiort_loop_t **running)
{
    aiort_loop_t *loop = *running;

    aiort__handle_left(loop);
    aiort__loop_leave(loop);
    if (aiort__ready(loop) == 0) {
        uv_idle_stop(&loop->uv->idle);
    }
    aiort__uv_arm(loop, aiort__now());
    aiort__loop_release(loop);
}

/*
 * Right before the selector. When we drive: libuv calls timers before it polls, ours among them, and
 * what they have made ready must not wait until something else happens. Else, one iteration in each
 * turn of a uv_run() that the program called.
 */
AIORT__HOT static void on_prepare(uv_prepare_t *prepare)
{
    aiort__uv_t *uv = prepare->data;
    aiort_loop_t *loop = uv->owner;

    if (loop && loop->driving) {
        if (aiort__ready(loop) > 0 || loop->stopping || next_timer(loop) != uv->armed) {
            uv_stop(uv->loop); /* which makes its timeout 0, for this turn */
        }
        return;
    }
    if (loop && !aiort__tls.running && !aiort__loop_enter(loop)) {
        __attribute__((cleanup(turn_over))) aiort_loop_t *running = loop;
        loop->children++;
        aiort__incoming_drain(running);
        aiort__timers_due(loop, aiort__now());
        loop->spins = 1;
        aiort__run_ready(loop);
    }
}

void aiort__wake_embedded(aiort_loop_t *loop)
{
    if (!loop->embedded || loop->driving || loop->closed) {
        return;
    }
    if (aiort__ready(loop) > 0 || atomic_load_explicit(&loop->incoming, memory_order_relaxed)) {
        uv_idle_start(&loop->uv->idle, on_idle);
    }
    if (!atomic_load_explicit(&loop->owner, memory_order_relaxed)) {
        aiort__uv_arm(loop, aiort__now());
    }
}

void aiort__pushed_hook(aiort_loop_t *loop, aiort__object_t *object)
{
    if (aiort__seam(AIORT__SEAM_SCHEDULED)) {
        aiort_instrument_scheduled(loop, object);
    }
    aiort__wake_embedded(loop);
}

static void on_close(uv_handle_t *handle)
{
    aiort__uv_t *uv = handle->data;

    if (--uv->open == 0 && !uv->own) {
        aiort__free(uv);
    }
}

static void close_handle(aiort__uv_t *uv, uv_handle_t *handle)
{
    handle->data = uv;
    uv_close(handle, on_close);
}

/* The own loop: closes every handle, the program's left-overs too, and frees the memory. */
static void close_leftover(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void aiort__uv_close(aiort_loop_t *loop)
{
    aiort__uv_t *uv = loop->uv;

    uv->owner = NULL;
    close_handle(uv, (uv_handle_t *)&uv->timer);
    close_handle(uv, (uv_handle_t *)&uv->async);
    close_handle(uv, (uv_handle_t *)&uv->prepare);
    if (!uv->own) {
        close_handle(uv, (uv_handle_t *)&uv->idle);
        loop->uv = NULL;
        return;
    }
    uv_run(uv->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(uv->loop) == UV_EBUSY) {
        uv_walk(uv->loop, close_leftover, NULL);
        uv_run(uv->loop, UV_RUN_DEFAULT);
        uv_loop_close(uv->loop);
    }
    loop->uv = NULL;
    aiort__free(uv);
}

/* Undoes what uv_open() got done of an own loop. */
static int open_failed(aiort__uv_t *uv, int err)
{
    if (uv->own) {
        uv_walk(uv->loop, close_leftover, NULL);
        uv_run(uv->loop, UV_RUN_DEFAULT);
        uv_loop_close(uv->loop);
    }
    aiort__free(uv);
    return err;
}

int aiort__uv_open(aiort_loop_t *loop, uv_loop_t *given)
{
    aiort__uv_t *uv = aiort__malloc(sizeof(*uv));
    int err = 0;

    if (!uv) {
        return UV_ENOMEM;
    }
    memset(uv, 0, sizeof(*uv));
    uv->own = given == NULL;
    uv->loop = given ? given : &uv->storage;
    uv->owner = loop;
    if (uv->own && (err = uv_loop_init(uv->loop))) {
        aiort__free(uv);
        return err;
    }
    /* The only one that can fail comes first: over a given loop nothing else must be undone. */
    err = uv_async_init(uv->loop, &uv->async, on_async);
    if (err) {
        return open_failed(uv, err);
    }
    uv_timer_init(uv->loop, &uv->timer);
    uv->async.data = uv->timer.data = uv;
    uv_unref((uv_handle_t *)&uv->async);
    uv_prepare_init(uv->loop, &uv->prepare);
    uv->prepare.data = uv;
    uv_prepare_start(&uv->prepare, on_prepare);
    uv_unref((uv_handle_t *)&uv->prepare);
    uv->open = 3;
    if (given) {
        uv_idle_init(uv->loop, &uv->idle);
        uv->idle.data = uv;
        uv->open = 4;
        loop->embedded = true;
        loop->hooks |= AIORT__EMBEDDED;
    }
    loop->uv = uv;
    return 0;
}

/* While run_forever() drives, the async handle keeps the selector waiting though there is nothing
 * else to wait for. */
void aiort__uv_hold(aiort_loop_t *loop, bool hold)
{
    aiort__uv_t *uv = loop->uv;

    if (hold) {
        uv_ref((uv_handle_t *)&uv->async);
        if (loop->embedded) {
            uv_idle_stop(&uv->idle);
        }
        return;
    }
    uv_unref((uv_handle_t *)&uv->async);
    uv_timer_stop(&uv->timer);
    uv->armed = 0;
    loop->driving = false;
    aiort__wake_embedded(loop);
}

/* Sets the timer to the next time of the heap. libuv counts in milliseconds: rounded up. */
AIORT__HOT void aiort__uv_arm(aiort_loop_t *loop, uint64_t now)
{
    aiort__uv_t *uv = loop->uv;
    uint64_t next = next_timer(loop);

    if (next == uv->armed) {
        return; /* 0: it is not set */
    }
    uv->armed = next;
    if (next == 0) {
        uv_timer_stop(&uv->timer);
        return;
    }
    uint64_t delay = next > now ? (next - now + 999999) / 1000000 : 0;
    uv_update_time(uv->loop);
    uv_timer_start(&uv->timer, on_timer, delay, 0);
}

/* ---- The look ---- */

AIORT__HOT static void poll(aiort_loop_t *loop, bool wait, uint64_t now)
{
    uv_run_mode mode = wait ? UV_RUN_ONCE : UV_RUN_NOWAIT;
    double timeout = 0;

    if (wait) {
        uint64_t next = next_timer(loop);
        if (next != loop->uv->armed) {
            aiort__uv_arm(loop, now);
        }
        timeout = next == 0 ? -1 : next > now ? (double)(next - now) * 1e-9 : 0;
    }
    if (!aiort__seam(AIORT__SEAM_POLL)) {
        uv_run(loop->uv->loop, mode);
        return;
    }
    uint32_t before = aiort__ready(loop);
    aiort_instrument_poll(loop, timeout, -1);
    uv_run(loop->uv->loop, mode);
    aiort_instrument_poll(loop, timeout, (int)(aiort__ready(loop) - before));
}

/* How many iterations may pass before the next look. */
static void adapt(aiort_loop_t *loop, uint64_t now)
{
    uint64_t elapsed = now - loop->looked;

    if (elapsed < FAST_LOOK) {
        if (loop->spin_limit < SPIN_LIMIT) {
            loop->spin_limit *= 2;
        }
    } else if (elapsed > SLOW_LOOK) {
        loop->spin_limit = 1;
    }
}

/* Whether more timers are due than were queued. Without timers the time is not read: who serves many
 * short requests need not know it, and the next look takes what it finds for long ago. */
AIORT__HOT static bool sleep_and_look(aiort_loop_t *loop)
{
    uint64_t next = next_timer(loop);
    uint64_t now = next ? aiort__now() : 0;

    poll(loop, next == 0 || next > now, now);
    now = next || next_timer(loop) ? aiort__now() : 0;
    loop->spin_limit = 1;
    loop->polled = loop->looked = now;
    incoming_drain(loop);
    return timers_due(loop, now);
}

AIORT__HOT void aiort__look(aiort_loop_t *loop)
{
    bool more;

    incoming_drain(loop);
    if (aiort__ready(loop) == 0 && !loop->stopping) {
        /* Nothing to run: time to sleep, unless a timer is due already. */
        more = sleep_and_look(loop);
    } else if (loop->spins <= 1 || loop->stopping) {
        uint64_t now = aiort__now();
        adapt(loop, now);
        if (now - loop->polled >= POLL_INTERVAL || loop->spin_limit <= 2) {
            poll(loop, false, now);
            loop->polled = now;
            aiort__incoming_drain(loop);
        }
        loop->looked = now;
        more = aiort__timers_due(loop, now);
    } else {
        loop->spins--;
        return;
    }
    if (AIORT__UNLIKELY(more)) {
        loop->spin_limit = 1;
    }
    loop->spins = loop->stopping ? 1 : loop->spin_limit;
}
