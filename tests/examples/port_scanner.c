/* SPDX-License-Identifier: MIT */
/*
 * port_scanner: tries the ports of this machine, so many at a time, and names those that are open.
 *
 *      port_scanner FROM TO
 *
 * Without arguments it opens three ports of its own and looks for them among their neighbours. A
 * clean program: libaiodebug is silent.
 */
#include <aiort.h>
#include <stdlib.h>

enum { SCANNERS = 16, PORTS = 65536 };
static const double patience = 3.0; /* seconds for one port */

static unsigned char open_ports[PORTS];

static int connect_to(void *port, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int err = aiort_open_connection("127.0.0.1", (int)(intptr_t)port, NULL, &reader, &writer);

    (void)result;
    if (err == 0) {
        aiort_stream_close(writer);
        aiort_stream_wait_closed(writer);
        aiort_unref(reader);
        aiort_unref(writer);
    }
    return err;
}

/* Takes ports from the queue until it is shut down. */
static int scan(void *queue, void **result)
{
    void *port;
    int err;

    (void)result;
    while ((err = aiort_queue_get((aiort_queue_t *)queue, &port)) == 0) {
        err = aiort_wait_for(AIORT_CORO(connect_to, port), patience, NULL);
        if (err == 0)
            open_ports[(intptr_t)port] = 1;
        else if (err != UV_ECONNREFUSED && err != UV_ETIMEDOUT)
            return err;
        aiort_queue_task_done((aiort_queue_t *)queue);
    }
    return err == AIORT_EQUEUESHUTDOWN ? 0 : err;
}

static int scan_range(int from, int to)
{
    aiort_queue_t *queue = aiort_queue_new(2 * SCANNERS);
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    if (err == 0) {
        for (int i = 0; i < SCANNERS && err == 0; i++)
            err = aiort_task_group_create_task(group, AIORT_CORO(scan, queue), NULL);
        for (int port = from; port <= to && err == 0; port++)
            err = aiort_queue_put(queue, (void *)(intptr_t)port); /* waits while it is full */
        if (err == 0)
            err = aiort_queue_join(queue);
        aiort_queue_shutdown(queue);
        err = aiort_task_group_exit(group, err);
    }
    aiort_unref(group);
    aiort_unref(queue);
    return err;
}

/* ---- Something to find ---- */

static int greet(void *arg, void **result)
{
    (void)result;
    return aiort_stream_close(((aiort_connection_t *)arg)->writer);
}

static int look_around(aiort_server_t *const *servers, int n)
{
    int found = 0, err = 0;

    for (int i = 0; i < n && err == 0; i++) {
        int port = aiort_server_port(servers[i]);
        err = scan_range(port > 50 ? port - 50 : 1, port < PORTS - 50 ? port + 50 : PORTS - 1);
        found += open_ports[port];
    }
    printf("%d of %d found\n", found, n);
    return err;
}

static int demonstrate(void *arg, void **result)
{
    aiort_server_t *servers[3];
    int n = 0, err = 0;

    (void)arg, (void)result;
    while (n < 3 && err == 0) {
        err = aiort_start_server(greet, NULL, "127.0.0.1", 0, NULL, &servers[n]);
        n += err == 0;
    }
    if (err == 0)
        err = look_around(servers, n);
    while (n-- > 0) {
        aiort_server_close(servers[n]);
        aiort_server_wait_closed(servers[n]);
        aiort_unref(servers[n]);
    }
    return err;
}

static int run(void *arg, void **result)
{
    const int *range = arg;
    int err = scan_range(range[0], range[1]);

    (void)result;
    for (int port = range[0]; err == 0 && port <= range[1]; port++) {
        if (open_ports[port])
            printf("%d is open\n", port);
    }
    return err;
}

int main(int argc, char **argv)
{
    int range[2] = {argc > 2 ? atoi(argv[1]) : 1, argc > 2 ? atoi(argv[2]) : 0};

    if (range[0] < 1 || range[1] >= PORTS) {
        fputs("ports are 1 to 65535\n", stderr);
        return 2;
    }
    return aiort_run(argc > 2 ? AIORT_CORO(run, range) : AIORT_CORO(demonstrate, NULL), NULL) < 0;
}
