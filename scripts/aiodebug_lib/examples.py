# SPDX-License-Identifier: MIT
"""For each check a mistake that makes it, and the same done right: what `aiodebug explain` shows. The meaning, the
usual cause and the advice are the shim's own and not repeated here.

Each piece is C at file scope; tests/scripts compiles them all behind tests/scripts/examples_prelude.h, which
declares what they call.
"""

# check -> (wrong, right)
EXAMPLES = {
    "task-destroyed-pending": ("""
int run(void *arg, void **result)
{
    aiort_unref(aiort_create_task(AIORT_CORO(fetch, "url")));
    aiort_loop_stop(aiort_get_running_loop());   /* and main() closes the loop */
    return aiort_sleep(0);
}
""", """
int run(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(fetch, "url"));
    int err = aiort_await(task, result);         /* or cancel it first, and await it then */
    aiort_unref(task);
    return err;
}
"""),
    "task-exception-never-retrieved": ("""
int run(void *arg, void **result)
{
    aiort_unref(aiort_create_task(AIORT_CORO(fetch, "url")));   /* fails, and nobody looks */
    return aiort_sleep(1);
}
""", """
int run(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(fetch, "url"));
    int err = aiort_sleep(1);
    int failed = aiort_await(task, NULL);        /* retrieves the error */
    aiort_unref(task);
    return err ? err : failed;
}
"""),
    "future-exception-never-retrieved": ("""
void answer(aiort_future_t *future)
{
    aiort_future_set_error(future, UV_ECONNRESET, "the peer is gone");
    aiort_unref(future);                         /* nobody has waited for it */
}
""", """
int ask(aiort_future_t *future, void **reply)
{
    int err = aiort_await(future, reply);
    aiort_unref(future);
    return err;
}
"""),
    "callback-exception": ("""
int on_tick(void *arg)
{
    return save(arg);                            /* the loop cannot do anything about -EIO */
}
""", """
int on_tick(void *arg)
{
    int err = save(arg);
    if (err < 0)
        fprintf(stderr, "not saved: %s\\n", aiort_strerror(err));
    return 0;
}
"""),
    "coroutine-never-awaited": ("""
int run(void *arg, void **result)
{
    aiort_coroutine_t *call = AIORT_CORO(fetch, "url");   /* runs nothing yet */
    aiort_unref(call);
    return 0;
}
""", """
int run(void *arg, void **result)
{
    return aiort_await(AIORT_CORO(fetch, "url"), result);
}
"""),
    "await-cycle": ("""
int child(void *arg, void **result)
{
    save(arg);
    return aiort_await((aiort_task_t *)arg, result);   /* the parent, which waits for this one */
}

int parent(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(child, aiort_current_task()));
    return aiort_await(task, result);
}
""", """
int child(void *arg, void **result)
{
    save(arg);
    return 0;                                    /* what the parent has to know is the result */
}
"""),
    "coroutine-ignored-close": ("""
int poll_forever(void *arg, void **result)
{
    while (aiort_sleep(1) != UV_ECANCELED)       /* AIORT_ECLOSED is taken for "try again" */
        save(arg);
    return 0;
}
""", """
int poll_forever(void *arg, void **result)
{
    int err;
    while ((err = aiort_sleep(1)) == 0)
        save(arg);
    return err;                                  /* any negative code: release and return it */
}
"""),
    "slow-callback": ("""
int handle(void *arg, void **result)
{
    compute(arg);                                /* 300 ms in which nothing else of the loop runs */
    return 0;
}
""", """
int handle(void *arg, void **result)
{
    return aiort_to_thread(compute_in_thread, arg, result);
}
"""),
    "slow-poll": ("""
/* Nothing in the program: it was stopped (SIGSTOP, a debugger), starved of processor time, or the
 * machine slept. In a container, look at the throttling of its CPU quota: */
/*     cat /sys/fs/cgroup/cpu.stat                                                                  */
""", """
/* Raise the quota, lower the load, or raise AIODEBUG_SLOW_POLL where such pauses are normal. */
"""),
    "non-thread-safe-call": ("""
void worker(void *arg)                           /* runs in a thread of its own */
{
    aiort_call_soon(arg, on_done, NULL, NULL);
}
""", """
void worker(void *arg)
{
    aiort_call_soon_threadsafe(arg, on_done, NULL, NULL);   /* plain libuv: uv_async_send() */
}
"""),
    "invalid-state": ("""
int on_reply(void *arg)
{
    aiort_future_t *future = arg;
    return aiort_future_set_result(future, "reply");   /* a timeout may have cancelled it */
}
""", """
int on_reply(void *arg)
{
    aiort_future_t *future = arg;
    return aiort_future_done(future) ? 0 : aiort_future_set_result(future, "reply");
}
"""),
    "unclosed-loop": ("""
void once(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_loop_run_forever(loop);
    aiort_unref(loop);
}
""", """
void once(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
}
"""),
    "unclosed-transport": ("""
int talk(aiort_stream_reader_t *reader, aiort_stream_writer_t *writer)
{
    int err = aiort_stream_write(writer, "hello\\n", 6);
    aiort_unref(reader);
    aiort_unref(writer);                         /* still open */
    return err;
}
""", """
int talk(aiort_stream_reader_t *reader, aiort_stream_writer_t *writer)
{
    int err = aiort_stream_write(writer, "hello\\n", 6);
    aiort_stream_close(writer);
    aiort_stream_wait_closed(writer);
    aiort_unref(reader);
    aiort_unref(writer);
    return err;
}
"""),
    "write-after-loss": ("""
int tick(aiort_stream_writer_t *writer)
{
    for (;;) {
        aiort_stream_write(writer, "tick\\n", 5);     /* the other end has gone long ago */
        aiort_sleep(1);
    }
}
""", """
int tick(aiort_stream_writer_t *writer)
{
    int err = 0;
    while (err == 0) {
        aiort_stream_write(writer, "tick\\n", 5);
        err = aiort_stream_drain(writer);            /* says so */
        err = err ? err : aiort_sleep(1);
    }
    return err;
}
"""),
    "accept-failed": ("""
int client(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    aiort_ref(connection->writer);               /* kept, and never closed */
    return 0;
}
""", """
int client(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    int err = aiort_stream_write(connection->writer, "bye\\n", 4);
    aiort_stream_close(connection->writer);
    return err;
}
"""),
    "pending-at-close": ("""
void once(aiort_loop_t *loop)
{
    aiort_unref(aiort_loop_create_task(loop, AIORT_CORO(fetch, "url"), NULL));
    aiort_loop_run_until_complete(loop, AIORT_CORO(handle, NULL), NULL);   /* fetch() may be still at it */
    aiort_loop_close(loop);
}
""", """
void once(void)
{
    aiort_run(AIORT_CORO(handle, NULL), NULL);   /* cancels what is left, and waits for it */
}
"""),
    "handle-destroyed-active": ("""
void stop(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    free(timer);                                 /* libuv still has it in its lists */
}
""", """
static void on_close(uv_handle_t *handle)
{
    free(handle);
}

void stop(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, on_close);
}
"""),
    "handle-reinitialized": ("""
void restart(uv_loop_t *loop, uv_tcp_t *tcp)
{
    uv_close((uv_handle_t *)tcp, NULL);
    uv_tcp_init(loop, tcp);                      /* its close callback has not run yet */
}
""", """
static void on_close(uv_handle_t *handle)
{
    uv_tcp_init(handle->loop, (uv_tcp_t *)handle);
}

void restart(uv_tcp_t *tcp)
{
    uv_close((uv_handle_t *)tcp, on_close);
}
"""),
    "handle-closed-twice": ("""
void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    if (n < 0)
        uv_close((uv_handle_t *)stream, NULL);   /* the timeout's callback closes it too */
}
""", """
void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    if (n < 0 && !uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, NULL);
}
"""),
    "handle-used-after-close": ("""
void on_written(uv_write_t *req, int status)
{
    uv_read_start(req->handle, on_alloc, on_read);   /* closed meanwhile: status is UV_ECANCELED */
}
""", """
void on_written(uv_write_t *req, int status)
{
    if (status == 0 && !uv_is_closing((uv_handle_t *)req->handle))
        uv_read_start(req->handle, on_alloc, on_read);
}
"""),
    "request-reused": ("""
static uv_write_t req;                           /* one for all writes */

void send_two(uv_stream_t *stream, uv_buf_t *bufs)
{
    uv_write(&req, stream, &bufs[0], 1, on_written);
    uv_write(&req, stream, &bufs[1], 1, on_written);
}
""", """
void send_two(uv_stream_t *stream, uv_buf_t *bufs)
{
    for (int i = 0; i < 2; i++) {
        uv_write_t *req = malloc(sizeof *req);   /* on_written() frees it */
        uv_write(req, stream, &bufs[i], 1, on_written);
    }
}
"""),
    "loop-busy-at-close": ("""
void finish(uv_loop_t *loop, uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    uv_loop_close(loop);                         /* UV_EBUSY: the timer is closing, not closed */
}
""", """
void finish(uv_loop_t *loop, uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    uv_run(loop, UV_RUN_DEFAULT);                /* until the close callbacks have run */
    uv_loop_close(loop);
}
"""),
    "loop-reentered": ("""
void on_timer(uv_timer_t *timer)
{
    uv_run(timer->loop, UV_RUN_NOWAIT);          /* this very loop is calling us */
}
""", """
void on_timer(uv_timer_t *timer)
{
    uv_timer_start(timer, on_timer, 10, 0);      /* return, and be called again */
}
"""),
    "unclosed-handle": ("""
int main(void)
{
    uv_timer_t timer;
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, on_timer, 10, 0);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
""", """
int main(void)
{
    uv_timer_t timer;
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, on_timer, 10, 0);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
"""),
    "request-pending-at-exit": ("""
int main(void)
{
    uv_getaddrinfo_t req;
    uv_getaddrinfo(uv_default_loop(), &req, on_resolved, "example.org", "80", NULL);
    return 0;                                    /* nobody has run the loop */
}
""", """
int main(void)
{
    uv_getaddrinfo_t req;
    uv_getaddrinfo(uv_default_loop(), &req, on_resolved, "example.org", "80", NULL);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
"""),
    "loop-hang": ("""
void on_timer(uv_timer_t *timer)
{
    while (!*(volatile int *)timer->data)        /* set by another callback of this loop: never */
        continue;
}
""", """
void on_timer(uv_timer_t *timer)
{
    if (!*(volatile int *)timer->data)
        uv_timer_start(timer, on_timer, 10, 0);  /* look again later */
}
"""),
    "blocking-call": ("""
int handle(void *arg, void **result)
{
    sleep(1);                                    /* the loop sleeps with it */
    return 0;
}
""", """
int handle(void *arg, void **result)
{
    return aiort_sleep(1);
}
"""),
    "threadpool-saturated": ("""
void start(uv_loop_t *loop, uv_work_t *reqs)
{
    for (int i = 0; i < 100; i++)                /* each takes a second; the pool has 4 threads */
        uv_queue_work(loop, &reqs[i], one_second_of_work, NULL);
}
""", """
int main(void)
{
    setenv("UV_THREADPOOL_SIZE", "32", 1);       /* before the pool's first use */
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
"""),
    "slow-iteration": ("""
int on_tick(void *arg)
{
    for (int i = 0; i < 100000; i++)             /* all of them in the very next turn */
        aiort_call_soon(NULL, on_done, NULL, NULL);
    return 0;
}
""", """
int feed(void *arg, void **result)
{
    for (int i = 0, err; i < 100000; i++) {
        aiort_call_soon(NULL, on_done, NULL, NULL);
        if (i % 100 == 0 && (err = aiort_sleep(0)) < 0)   /* other things come in between */
            return err;
    }
    return 0;
}
"""),
    "stack-overflow": ("""
int parse(void *arg, void **result)
{
    char buffer[256 * 1024];                     /* a coroutine's stack has 64 KiB */
    return fill(buffer, sizeof buffer);
}
""", """
int parse(void *arg, void **result)
{
    char *buffer = malloc(256 * 1024);           /* or aiort_task_options_t.stack_size */
    int err = buffer ? fill(buffer, 256 * 1024) : UV_ENOMEM;
    free(buffer);
    return err;
}
"""),
}
