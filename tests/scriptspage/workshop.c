/* SPDX-License-Identifier: MIT */
/*
 * workshop: an order desk with most of the mistakes that the checks name, so that a report of it has
 * something to show. Two loops: the desk's, in the main thread, and the post room's, in another.
 *
 *     workshop [orders]
 */
#include <aiort.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned seed = 7;
static int orders = 60;
static aiort_loop_t *post_loop;

static double uniform(double low, double high)
{
    return low + (high - low) * ((double)rand_r(&seed) / RAND_MAX);
}

/* ---- work that keeps the thread ---- */

static double compute(double seconds)
{
    struct timespec start, now;
    volatile double x = 1;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (int i = 1; i < 2000; i++)
            x = x * 1.0000001 + 1.0 / i;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec) <
             seconds);
    return x;
}

static void doze(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    nanosleep(&time, NULL);
}

/* ---- callbacks ---- */

static int refresh_prices(void *arg)
{
    (void)arg;
    compute(uniform(0.012, 0.05));
    return 0;
}

static int write_journal(void *arg)
{
    (void)arg;
    doze(uniform(0.01, 0.09));
    return 0;
}

static int check_stock(void *arg)
{
    return *(int *)arg % 3 == 0 ? aiort_raise(UV_ENOENT, "no such article") : 0;
}

/* ---- tasks ---- */

static int parse_order(void *arg, void **result)
{
    (void)arg, (void)result;
    compute(uniform(0.002, 0.03));
    return aiort_sleep(0);
}

static int print_label(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_sleep(0.001);
}

static int audit(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_sleep(0.002);
    return aiort_raise(UV_EACCES, "ledger is locked");
}

static int wait_for_payment(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_sleep(3600);
}

static int handle_order(void *arg, void **result)
{
    int number = *(int *)arg;
    aiort_loop_t *loop = aiort_get_running_loop();
    int err = aiort_await(AIORT_CORO(parse_order, arg), NULL);

    (void)result;
    if (err < 0)
        return err;
    aiort_call_soon(loop, check_stock, arg, NULL);
    if (number % 4 == 0)
        aiort_call_soon(loop, refresh_prices, NULL, NULL);
    if (number % 9 == 0)
        aiort_unref(AIORT_CORO(print_label, NULL)); /* never awaited */
    if (number % 7 == 0)
        aiort_unref(aiort_create_task(AIORT_CORO(audit, NULL))); /* never retrieved */
    if (number % 5 == 0)
        aiort_unref(aiort_create_task(AIORT_CORO(wait_for_payment, NULL))); /* never done */
    compute(uniform(0.001, 0.02));
    return aiort_sleep(0.003);
}

static int sort_letters(void *arg)
{
    (void)arg;
    compute(uniform(0.01, 0.06));
    return 0;
}

static int frank_letter(void *arg, void **result)
{
    (void)arg, (void)result;
    doze(uniform(0.01, 0.12));
    return aiort_sleep(0.01);
}

/* ---- the post room, a loop of its own ---- */

static int post_room(void *arg, void **result)
{
    (void)arg, (void)result;
    for (int i = 0; i < orders / 3; i++) {
        aiort_call_soon(aiort_get_running_loop(), sort_letters, NULL, NULL);
        int err = aiort_await(AIORT_CORO(frank_letter, NULL), NULL);
        if (err == 0)
            err = aiort_sleep(uniform(0.005, 0.05));
        if (err < 0)
            return err;
    }
    return 0;
}

static void post_thread(void *arg)
{
    (void)arg;
    post_loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(post_loop, AIORT_CORO(post_room, NULL), NULL);
    aiort_loop_run_until_complete(post_loop, AIORT_FUTURE(task), NULL);
    aiort_unref(task);
    aiort_loop_close(post_loop);
}

/* ---- the desk ---- */

static void hurry(void *loop)
{
    aiort_call_soon(loop, refresh_prices, NULL, NULL); /* the wrong thread */
}

static int desk(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_future_t *once = aiort_future_new(loop);
    int *numbers = arg;
    uv_thread_t thread;

    (void)result;
    for (int i = 0; i < orders; i++) {
        aiort_task_t *task = aiort_create_task(AIORT_CORO(handle_order, &numbers[i]));
        char name[32];

        snprintf(name, sizeof(name), "order %d", numbers[i]);
        aiort_task_set_name(task, name);
        if (i % 6 == 5)
            aiort_call_later(loop, 0.002, write_journal, NULL, NULL);
        if (i % 15 == 14) {
            uv_thread_create(&thread, hurry, loop);
            uv_thread_join(&thread);
        }
        aiort_await(AIORT_FUTURE(task), NULL);
        aiort_unref(task);
        aiort_sleep(uniform(0.001, 0.02));
    }
    aiort_future_set_result(once, NULL);
    aiort_future_set_result(once, NULL); /* done already */
    aiort_unref(once);
    return 0;
}

int main(int argc, char **argv)
{
    uv_thread_t post;

    if (argc > 1)
        orders = atoi(argv[1]);
    int *numbers = calloc((size_t)orders + 1, sizeof(*numbers));
    for (int i = 0; i < orders; i++)
        numbers[i] = i + 1;
    uv_thread_create(&post, post_thread, NULL);
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(desk, numbers), NULL);
    int err = aiort_loop_run_until_complete(loop, AIORT_FUTURE(task), NULL);
    aiort_unref(task);
    aiort_loop_close(loop);
    aiort_unref(loop);
    uv_thread_join(&post); /* post_loop is never given back */
    free(numbers);
    return err < 0;
}
