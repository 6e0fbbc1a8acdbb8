/* SPDX-License-Identifier: MIT */
/*
 * producer_thread: a thread that only knows blocking calls feeds tasks of a loop. It puts what it
 * reads into a queue of the loop, by a coroutine that it starts there, and waits until there was
 * room: so it is never far ahead. What must not wait, a note that it is alive, goes by
 * aiort_call_soon_threadsafe(). A clean program.
 *
 *     producer_thread < FILE        without a file: a few lines of its own
 */
#include <aiort.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    aiort_loop_t *loop;
    aiort_queue_t *lines;
    FILE *file;
    int notes; /* the loop's */
    size_t words;
} feed_t;

typedef struct {
    aiort_queue_t *lines;
    char *line;
} put_t;

/* ---- In the loop ---- */

static int put(void *arg, void **result)
{
    const put_t *self = arg; /* a copy, the coroutine's own */

    (void)result;
    return aiort_queue_put(self->lines, self->line);
}

static int note(void *feed)
{
    ((feed_t *)feed)->notes++;
    return 0;
}

static int no_more(void *feed)
{
    return aiort_queue_shutdown(((feed_t *)feed)->lines);
}

static size_t count_words(char *line)
{
    size_t n = 0;

    for (char *rest = NULL, *word = strtok_r(line, " \t\n", &rest); word;
         word = strtok_r(NULL, " \t\n", &rest))
        n++;
    return n;
}

static int consume(void *arg, void **result)
{
    feed_t *feed = arg;
    void *line;
    int err;

    (void)result;
    while ((err = aiort_queue_get(feed->lines, &line)) == 0) {
        feed->words += count_words(line);
        free(line);
        err = aiort_sleep(0.001); /* slower than the producer */
        if (err)
            break;
    }
    return err == AIORT_EQUEUESHUTDOWN ? 0 : err;
}

/* ---- In the thread ---- */

static void *produce(void *arg)
{
    feed_t *feed = arg;
    char *line = NULL;
    size_t room = 0;
    int err = 0;

    while (!err && getline(&line, &room, feed->file) > 0) {
        put_t one = {feed->lines, strdup(line)};
        aiort_concurrent_t *done =
            aiort_run_coroutine_threadsafe(AIORT_CORO_BY_VALUE(put, one), feed->loop);
        err = done ? aiort_concurrent_result(done, 10, NULL) : aiort_last_error();
        if (err)
            free(one.line);
        aiort_unref(done);
        if (!err)
            aiort_call_soon_threadsafe(feed->loop, note, feed, NULL);
    }
    free(line);
    aiort_call_soon_threadsafe(feed->loop, no_more, feed, NULL);
    return NULL;
}

/* ---- Both ---- */

static int join(void *thread, void **result)
{
    (void)result;
    return -pthread_join(*(pthread_t *)thread, NULL);
}

static int run(void *arg, void **result)
{
    feed_t *feed = arg;
    pthread_t thread;

    feed->loop = aiort_get_running_loop();
    if (pthread_create(&thread, NULL, produce, feed))
        return aiort_raise(UV_EAGAIN, "no thread");
    int err = aiort_await(AIORT_CORO(consume, feed), result);
    aiort_queue_shutdown_immediate(feed->lines, free); /* after a failure: the producer stops */
    /* The thread may need the loop still: waiting for it must not hold the loop up. */
    int joined = aiort_to_thread(join, &thread, NULL);
    return err ? err : joined;
}

static FILE *own_lines(void)
{
    static char text[] = "what is read\nin one thread\nis counted in another\n"
                         "by a task\nthat takes its time\n\nand nobody is far ahead\n";

    return fmemopen(text, sizeof text - 1, "r");
}

int main(void)
{
    feed_t feed = {.lines = aiort_queue_new(2), .file = isatty(0) ? own_lines() : stdin};

    if (feed.file == stdin && ungetc(getc(stdin), stdin) == EOF)
        feed.file = own_lines();
    int err = feed.lines && feed.file ? aiort_run(AIORT_CORO(run, &feed), NULL) : UV_ENOMEM;
    if (err < 0)
        fprintf(stderr, "producer_thread: %s\n", aiort_err_name(err));
    else
        printf("%d lines, %zu words\n", feed.notes, feed.words);
    aiort_unref(feed.lines);
    return err < 0;
}
