/* SPDX-License-Identifier: MIT */
/*
 * queue_pipeline: which number below a limit takes the longest way to 1 (halve it when it is even,
 * else triple it and add one)? Three stages with queues between them: one task hands out ranges,
 * four measure them, one keeps the best in a priority queue. Each queue is small, so who is ahead
 * waits for the others; the end goes through them as a shutdown. A clean program.
 *
 *     queue_pipeline [LIMIT]
 */
#include <aiort.h>
#include <stdlib.h>

enum { RANGE = 1000, MEASURERS = 4, BEST = 5 };

typedef struct {
    long first, end;  /* what to measure */
    long number, way; /* the longest in it */
} range_t;

typedef struct {
    long limit;
    aiort_queue_t *ranges, *measured;
} pipeline_t;

/* ---- The stages: each ends when its queue is shut down and empty ---- */

static int hand_out(void *arg, void **result)
{
    pipeline_t *p = arg;
    int err = 0;

    (void)result;
    for (long first = 1; first < p->limit && !err; first += RANGE) {
        range_t *range = calloc(1, sizeof *range);
        if (!range)
            return UV_ENOMEM;
        range->first = first;
        range->end = first + RANGE < p->limit ? first + RANGE : p->limit;
        err = aiort_queue_put(p->ranges, range);
        if (err)
            free(range); /* with any code it is not in the queue */
    }
    return err ? err : aiort_queue_shutdown(p->ranges);
}

static void find_longest(range_t *range)
{
    for (long number = range->first; number < range->end; number++) {
        long way = 0;
        for (long n = number; n != 1; way++)
            n = n % 2 ? 3 * n + 1 : n / 2;
        if (way > range->way) {
            range->way = way;
            range->number = number;
        }
    }
}

static int measure(void *arg, void **result)
{
    pipeline_t *p = arg;
    void *range;
    int err;

    (void)result;
    while ((err = aiort_queue_get(p->ranges, &range)) == 0) {
        find_longest(range);
        err = aiort_queue_put(p->measured, range);
        if (err) {
            free(range);
            break;
        }
        aiort_queue_task_done(p->ranges);
    }
    return err == AIORT_EQUEUESHUTDOWN ? 0 : err;
}

static int shortest_first(const void *a, const void *b)
{
    const range_t *one = a, *two = b;

    if (one->way != two->way)
        return one->way < two->way ? -1 : 1;
    return one->number > two->number ? -1 : one->number < two->number;
}

static int keep_best(void *arg, void **result)
{
    pipeline_t *p = arg;
    aiort_queue_t *best = aiort_priority_queue_new(0, shortest_first);
    void *range;
    int err = best ? 0 : aiort_last_error();

    while (!err && (err = aiort_queue_get(p->measured, &range)) == 0) {
        err = aiort_queue_put_nowait(best, range);
        if (!err && aiort_queue_size(best) > BEST) {
            aiort_queue_get_nowait(best, &range); /* the shortest of them goes */
            free(range);
        }
    }
    *result = best;
    return err == AIORT_EQUEUESHUTDOWN ? 0 : err;
}

/* ---- All of them ---- */

static int run_pipeline(void *arg, void **result)
{
    pipeline_t *p = arg;
    aiort_task_t *keeper = aiort_create_task(AIORT_CORO(keep_best, p));
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    if (!err) {
        err = aiort_task_group_create_task(group, AIORT_CORO(hand_out, p), NULL);
        for (int i = 0; i < MEASURERS && !err; i++)
            err = aiort_task_group_create_task(group, AIORT_CORO(measure, p), NULL);
        err = aiort_task_group_exit(group, err);
    }
    aiort_unref(group);
    aiort_queue_shutdown(p->measured); /* nobody is left who puts something in */
    int kept = keeper ? aiort_await(keeper, result) : aiort_last_error();
    aiort_unref(keeper);
    return err ? err : kept;
}

int main(int argc, char **argv)
{
    pipeline_t p = {.limit = argc > 1 ? atol(argv[1]) : 100000};
    void *best = NULL, *range;

    p.ranges = aiort_queue_new(MEASURERS);
    p.measured = aiort_queue_new(MEASURERS);
    int err = aiort_run(AIORT_CORO(run_pipeline, &p), &best);
    while (best && aiort_queue_get_nowait(best, &range) == 0) {
        printf("%ld takes %ld steps\n", ((range_t *)range)->number, ((range_t *)range)->way);
        free(range);
    }
    if (err < 0)
        fprintf(stderr, "queue_pipeline: %s\n", aiort_err_name(err));
    aiort_unref(best);
    aiort_queue_shutdown_immediate(p.ranges, free);
    aiort_queue_shutdown_immediate(p.measured, free);
    aiort_unref(p.ranges);
    aiort_unref(p.measured);
    return err < 0;
}
