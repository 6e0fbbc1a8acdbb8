/* SPDX-License-Identifier: MIT */
/*
 * chat_server [PORT]: whoever connects says a name first; every line after that goes to all others.
 * Without a port three guests of its own meet. A clean program: libaiodebug is silent.
 */
#include <aiort.h>
#include <stdlib.h>
#include <string.h>

enum { TOO_SLOW = 64 * 1024, LINE = 512 };

typedef struct guest {
    struct guest *next;
    aiort_stream_writer_t *writer;
    char name[32];
} guest_t;

static guest_t *guests;

/* One that does not read is thrown out, so that it holds up nobody. */
static void tell_others(const guest_t *sender, const char *text, int n)
{
    for (guest_t *guest = guests; guest; guest = guest->next) {
        aiort_transport_t *transport = aiort_stream_transport(guest->writer);
        if (guest == sender || aiort_stream_is_closing(guest->writer))
            continue;
        aiort_stream_write(guest->writer, text, (size_t)n);
        if (aiort_transport_get_write_buffer_size(transport) > TOO_SLOW)
            aiort_transport_abort(transport);
    }
}

static int listen_to(guest_t *self, aiort_stream_reader_t *reader)
{
    char text[LINE];
    const char *line;
    ssize_t n;

    tell_others(self, text, snprintf(text, sizeof text, "* %s is here\n", self->name));
    while ((n = aiort_stream_readline(reader, &line)) > 0)
        tell_others(self, text, snprintf(text, sizeof text, "%s: %.400s", self->name, line));
    return (int)n;
}

static int welcome(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    guest_t self = {.writer = connection->writer}; /* it leaves the list before we return */
    guest_t **link = &guests;
    const char *line;
    char text[LINE];
    ssize_t n = aiort_stream_readline(connection->reader, &line);

    (void)result;
    if (n > 0) {
        self.next = guests;
        guests = &self;
        snprintf(self.name, sizeof self.name, "%.*s", (int)n - 1, line);
        n = listen_to(&self, connection->reader);
        while (*link != &self)
            link = &(*link)->next;
        *link = self.next;
        tell_others(&self, text, snprintf(text, sizeof text, "* %s has gone\n", self.name));
    }
    aiort_stream_close(connection->writer);
    return n == UV_ECONNRESET || n == AIORT_ELIMIT ? 0 : (int)n;
}

/* ---- Guests to try it with: each awaits a line, says one, and goes ---- */

typedef struct {
    const char *name, *waits_for, *says;
    int port;
    double after;
    char heard[LINE];
} script_t;

static int meet(void *arg, void **result)
{
    script_t *script = arg;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    const char *line;
    char text[LINE];
    ssize_t n = 1;
    int err = aiort_sleep(script->after); /* they come one after another */

    (void)result;
    if (err == 0)
        err = aiort_open_connection("127.0.0.1", script->port, NULL, &reader, &writer);
    if (err < 0)
        return err;
    aiort_stream_write(writer, text, (size_t)snprintf(text, sizeof text, "%s\n", script->name));
    while (n > 0 && (n = aiort_stream_readline(reader, &line)) > 0) {
        strncat(script->heard, line, LINE - strlen(script->heard) - 1);
        if (strstr(line, script->waits_for) != NULL)
            break;
    }
    aiort_stream_write(writer, script->says, strlen(script->says));
    err = n < 0 ? (int)n : aiort_stream_write_eof(writer);
    if (err == 0)
        err = (int)aiort_stream_read_all(reader, &line); /* until the server has seen us go */
    aiort_stream_close(writer);
    aiort_unref(reader);
    aiort_unref(writer);
    return err < 0 ? err : 0;
}

static int demonstrate(int port)
{
    script_t scripts[] = {{"ann", "bob: hello ann", "goodbye\n", port, 0, ""},
                          {"bob", "carol is here", "hello ann\n", port, 0.5, ""},
                          {"carol", "ann has gone", "is nobody here?\n", port, 1.0, ""}};
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    if (err == 0) {
        for (int i = 0; i < 3 && err == 0; i++)
            err = aiort_task_group_create_task(group, AIORT_CORO(meet, &scripts[i]), NULL);
        err = aiort_task_group_exit(group, err);
    }
    for (int i = 0; i < 3; i++)
        printf("%s heard:\n%s", scripts[i].name, scripts[i].heard);
    aiort_unref(group);
    return err;
}

static int serve(void *port, void **result)
{
    aiort_server_t *server;
    int err = aiort_start_server(welcome, NULL, "127.0.0.1", *(int *)port, NULL, &server);

    (void)result;
    if (err)
        return err;
    err = *(int *)port ? aiort_server_serve_forever(server)
                       : demonstrate(aiort_server_port(server));
    aiort_server_close(server);
    int closed = aiort_server_wait_closed(server);
    aiort_unref(server);
    return err < 0 ? err : closed;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;

    return aiort_run(AIORT_CORO(serve, &port), NULL) < 0;
}
