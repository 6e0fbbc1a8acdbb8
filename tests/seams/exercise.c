/* SPDX-License-Identifier: MIT */
/*
 * A program whose run passes through every seam of the runtime at least once. What it prints does
 * not matter; which seams were called is noted by the preloaded interposer.
 */
#include <aiort.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int callback(void *arg)
{
    (void)arg;
    return 0;
}

/* report, enrich: an error that the default exception handler gets. */
static int failing_callback(void *arg)
{
    (void)arg;
    return aiort_raise(UV_EINVAL, "on purpose");
}

static int sleeper(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(60);
}

/* wrong_thread: the loop runs in the main thread meanwhile. */
static void *other_thread(void *loop)
{
    aiort_call_soon((aiort_loop_t *)loop, callback, NULL, NULL);
    return NULL;
}

/* created_at, function_name, function_line: reprs; frame: the stack of a suspended task. */
static void describe(aiort_loop_t *loop, aiort_task_t *task)
{
    char text[1024];
    aiort_handle_t *handle = NULL;

    aiort_repr(task, text, sizeof text);
    puts(text);
    if (aiort_call_later(loop, 60, callback, NULL, &handle) == 0) {
        aiort_repr(handle, text, sizeof text);
        puts(text);
        aiort_handle_cancel(handle);
        aiort_unref(handle);
    }
    aiort_task_print_stack(task, stdout);
}

/* open: a transport is made and closed. */
static void connect_to_itself(void)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 &&
        aiort_open_socket(fds[0], NULL, &reader, &writer) == 0) {
        aiort_stream_close(writer);
        aiort_unref(reader);
        aiort_unref(writer);
        close(fds[1]);
    }
}

static int run(void *arg, void **result)
{
    aiort_loop_t *loop = (aiort_loop_t *)arg;
    aiort_future_t *future = aiort_future_new(loop);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(sleeper, NULL));
    pthread_t thread;

    (void)result;
    aiort_call_soon(loop, failing_callback, NULL, NULL);
    aiort_sleep(0.01); /* scheduled, step, awaited, poll */
    describe(loop, task);
    connect_to_itself();
    if (pthread_create(&thread, NULL, other_thread, loop) == 0)
        pthread_join(thread, NULL);

    aiort_future_set_result(future, NULL);
    aiort_future_set_result(future, NULL); /* invalid_state */
    aiort_await(future, NULL);
    aiort_unref(future); /* destroyed */
    aiort_unref(task);
    aiort_loop_set_debug(loop, 1); /* set_debug */
    return 0;
}

static volatile int sink;

static int deeper(volatile char *above)
{
    volatile char frame[512];
    frame[0] = above != NULL ? above[0] : 1;
    sink += frame[0];
    if (sink < 0)
        return 0; /* never: it is a stack that runs out, not a number */
    return deeper(frame) + frame[511];
}

static int overflowing(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return deeper(NULL);
}

/* stack_overflow: the process dies of it, so a child has to. */
static void overflow(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        aiort_run(AIORT_CORO(overflowing, NULL), NULL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);

    overflow();
    aiort_loop_run_until_complete(loop, AIORT_CORO(run, loop), NULL);
    aiort_loop_close(loop); /* close, with the sleeper pending */
    aiort_unref(loop);
    return 0;
}
