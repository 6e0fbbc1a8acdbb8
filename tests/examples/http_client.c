/* SPDX-License-Identifier: MIT */
/*
 * http_client HOST PORT PATH...: fetches many pages at once, but so many at a time only, each with a
 * deadline. Without arguments it fetches from a small server of its own, of which one page is slow
 * and one is missing. A clean program: libaiodebug is silent.
 */
#include <aiort.h>
#include <stdlib.h>
#include <string.h>

enum { AT_A_TIME = 4 };
static const double patience = 1.0; /* seconds for one page */

typedef struct {
    const char *host, *path;
    int port, status;
    size_t bytes;
    aiort_semaphore_t *limit;
} page_t;

/* "HTTP/1.1 200 OK", header lines, an empty line; the body is all the rest. */
static int read_answer(page_t *page, aiort_stream_reader_t *reader)
{
    const char *text;
    long length = -1;
    ssize_t n = aiort_stream_readline(reader, &text);

    if (n >= 0 && sscanf(text, "HTTP/1.%*d %d", &page->status) != 1)
        return aiort_raise(UV_EPROTO, "this is no HTTP");
    while (n >= 0 && (n = aiort_stream_readline(reader, &text)) > 2) {
        if (strncasecmp(text, "content-length:", 15) == 0)
            length = atol(text + 15);
    }
    n = n < 0 ? n : aiort_stream_read_all(reader, &text); /* the server closes: we asked it to */
    if (n >= 0 && length >= 0 && n != length)
        return aiort_raise(UV_EPROTO, "%zd bytes of %ld", n, length);
    page->bytes = n > 0 ? (size_t)n : 0;
    return n < 0 ? (int)n : 0;
}

static int get(void *arg, void **result)
{
    page_t *page = arg;
    char request[512];
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int err = aiort_open_connection(page->host, page->port, NULL, &reader, &writer);

    (void)result;
    if (err < 0)
        return err;
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n"
                     "Connection: close\r\n\r\n", page->path, page->host);
    aiort_stream_write(writer, request, (size_t)n);
    err = read_answer(page, reader);
    aiort_stream_close(writer);
    aiort_unref(reader);
    aiort_unref(writer);
    return err;
}

static int fetch(void *arg, void **result)
{
    page_t *page = arg;
    int err = aiort_semaphore_acquire(page->limit);

    if (err == 0) {
        err = aiort_wait_for(AIORT_CORO(get, page), patience, result);
        aiort_semaphore_release(page->limit);
    }
    return err;
}

static int fetch_all(page_t *pages, size_t n)
{
    aiort_semaphore_t *limit = aiort_semaphore_new(AT_A_TIME);
    aiort_awaitable_t **fetches = calloc(n, sizeof *fetches);
    void *outcomes = NULL;

    for (size_t i = 0; i < n; i++) {
        pages[i].limit = limit;
        fetches[i] = AIORT_AWAITABLE(AIORT_CORO(fetch, &pages[i]));
    }
    aiort_future_t *all = aiort_gather(fetches, n, AIORT_RETURN_ERRORS);
    int err = all ? aiort_await(all, &outcomes) : aiort_last_error();
    for (size_t i = 0; err == 0 && i < n; i++) {
        int code = ((const aiort_outcome_t *)outcomes)[i].code;
        printf("%-8s %s", pages[i].path, code < 0 ? aiort_err_name(code) : "");
        printf(code < 0 ? "\n" : "%d, %zu bytes\n", pages[i].status, pages[i].bytes);
    }
    aiort_unref(all);
    aiort_unref(limit);
    free(fetches);
    return err;
}

/* ---- A server to try it with: /N has N bytes ---- */

static int answer(void *arg, void **result)
{
    aiort_stream_writer_t *writer = ((aiort_connection_t *)arg)->writer;
    const char *head;
    char text[4096]; /* enough for the pages we ask for */
    ssize_t n = aiort_stream_readuntil(((aiort_connection_t *)arg)->reader, "\r\n\r\n", 4, &head);
    int size = n > 5 ? atoi(head + 5) : 0;
    int err = n < 0 ? (int)n : strncmp(head, "GET /slow", 9) == 0 ? aiort_sleep(5) : 0;

    (void)result;
    n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%*s",
                 size ? "200 OK" : "404 Not Found", size, size, "");
    err = err ? err : aiort_stream_write(writer, text, (size_t)n);
    aiort_stream_close(writer);
    return err == UV_ECANCELED ? err : 0; /* clients may go away as they like */
}

/* argv: a host, a port, paths, NULL. */
static int run(void *arg, void **result)
{
    char **argv = arg;
    page_t pages[64];
    size_t n = 0;

    (void)result;
    for (; n < 64 && argv[n + 2]; n++)
        pages[n] = (page_t){.host = argv[0], .port = atoi(argv[1]), .path = argv[n + 2]};
    return fetch_all(pages, n);
}

static int demonstrate(void *arg, void **result)
{
    char port[8];
    char *argv[] = {"127.0.0.1", port, "/10", "/2000", "/slow", "/none", "/30", "/40", NULL};
    aiort_server_t *server;
    int err = aiort_start_server(answer, NULL, "127.0.0.1", 0, NULL, &server);

    (void)arg;
    if (err < 0)
        return err;
    snprintf(port, sizeof port, "%d", aiort_server_port(server));
    err = run(argv, result);
    aiort_server_close(server);
    aiort_unref(server);
    return err;
}

int main(int argc, char **argv)
{
    return aiort_run(argc < 4 ? AIORT_CORO(demonstrate, NULL) : AIORT_CORO(run, argv + 1), NULL) < 0;
}
