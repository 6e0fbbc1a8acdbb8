/* SPDX-License-Identifier: MIT */
/*
 * C++ exceptions out of callbacks of every kind: the run ends and the loop can be run again, what was
 * queued is still called, and nothing that the callbacks held is lost.
 */
#include <aiort.h>
#include <stdio.h>

static int throws(void *arg)
{
    throw static_cast<const char *>(arg);
}

static int says(void *arg)
{
    puts(static_cast<const char *>(arg));
    return 0;
}

static int throws_when_done(aiort_future_t *future, void *arg)
{
    printf("done: %d\n", aiort_future_done(future));
    return throws(arg);
}

static int stops(void *loop)
{
    return aiort_loop_stop(static_cast<aiort_loop_t *>(loop));
}

static void run(aiort_loop_t *loop)
{
    try {
        aiort_loop_run_forever(loop);
        puts("stopped");
    } catch (const char *what) {
        printf("caught %s, running: %d, in this thread: %d\n", what, aiort_loop_is_running(loop),
               aiort_get_running_loop() != NULL);
    }
}

static int waits(void *, void **)
{
    return aiort_sleep(0.01);
}

/* One that is thrown out of must not stop the next run when its task is done. */
static void until_complete(aiort_loop_t *loop)
{
    aiort_task_t *task = aiort_create_task_at(NULL, loop, AIORT_CORO(waits, NULL), NULL);

    aiort_call_soon(loop, throws, (void *)"out of run_until_complete", NULL);
    try {
        aiort_loop_run_until_complete(loop, aiort_task_future(task), NULL);
    } catch (const char *what) {
        printf("caught %s\n", what);
    }
    aiort_call_later(loop, 0.03, says, (void *)"after the task's end", NULL);
    aiort_call_later(loop, 0.04, stops, loop, NULL);
    run(loop);
    printf("task done: %d\n", aiort_future_done(aiort_task_future(task)));
    aiort_unref(task);
}

int main()
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_future_t *future = aiort_future_new(loop);
    aiort_handle_t *kept = NULL;

    aiort_call_soon(loop, throws, (void *)"a callback", NULL);
    aiort_call_soon(loop, says, (void *)"the one behind it", NULL);
    aiort_call_soon(loop, throws, (void *)"one with a handle", &kept);
    aiort_future_add_done_callback(future, throws_when_done, (void *)"a done callback");
    aiort_future_set_result(future, NULL);
    aiort_unref(future);
    run(loop);
    run(loop);
    run(loop);
    aiort_unref(kept);
    aiort_call_later(loop, 0.001, throws, (void *)"a timer", NULL);
    run(loop);
    aiort_call_soon_threadsafe(loop, throws, (void *)"one from any thread", &kept);
    run(loop);
    aiort_handle_cancel(kept); /* would wait for a call that is under way */
    aiort_unref(kept);
    until_complete(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
