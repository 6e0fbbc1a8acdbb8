/* SPDX-License-Identifier: MIT */
/*
 * Accepting: a listening socket that can be read gives connections, each with a transport, a
 * reader, a writer and a task of its own.
 *
 * The sockets are polled and accepted from here, not by libuv, which closes connections unseen when
 * the process has no descriptor left. Here they stay in the kernel's queue: nothing is accepted for
 * a second, and then it is tried again. It is said when that begins, and when it ends how often it
 * was tried in vain.
 */
#include "server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_BACKLOG = 100 };

#define ACCEPT_RETRY_DELAY 1.0

static void on_readable(uv_poll_t *poll, int status, int events);

/* ---- A connection's end ---- */

static void free_client(aiort__client_t *client)
{
    aiort_server_t *server = client->server;

    if (client->previous) {
        client->previous->next = client->next;
    } else {
        server->clients = client->next;
    }
    if (client->next) {
        client->next->previous = client->previous;
    }
    aiort__free(client);
    aiort__ref(&server->base.object);
    aiort__server_settle(server);
    aiort__unref(&server->base.object);
}

/* The transport has ended. The task may go on. */
static void on_ended(aiort_transport_t *transport)
{
    aiort__client_t *client = transport->owner;

    client->transport = NULL;
    client->server->active--;
    if (!client->running) {
        free_client(client);
    } else {
        aiort__ref(&client->server->base.object);
        aiort__server_settle(client->server);
        aiort__unref(&client->server->base.object);
    }
}

void aiort__client_release(aiort__client_t *client)
{
    aiort_connection_t connection = client->connection;

    if (!client->running) {
        return;
    }
    client->running = false;
    client->connection = (aiort_connection_t){0};
    if (!client->transport) {
        free_client(client);
    }
    aiort_unref(connection.reader);
    aiort_unref(connection.writer);
}

/* As asyncio's: what nobody else will hear of is reported, a cancellation is none of that. */
static int on_client_done(aiort_future_t *task, void *arg)
{
    aiort__client_t *client = arg;
    char repr[256];

    if (task->object.state == AIORT_CANCELLED || (task->object.flags & AIORT__FAILED)) {
        aiort__ref(&client->connection.writer->base.object);
        aiort_transport_t *transport = client->connection.writer->transport;
        task->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
        if (task->object.state != AIORT_CANCELLED) {
            aiort_repr(transport, repr, sizeof(repr));
            aiort_report_item_t item = {"transport", repr};
            aiort_report_t report = {
                .message = "Unhandled exception in client_connected_cb",
                .check = "callback-exception",
                .error = task->u.error,
                .items = &item,
                .nitems = 1,
                .source_trace = client->server->base.object.trace,
            };
            aiort__report(task->object.loop, &report);
        }
        aiort__transport_close(transport);
        aiort__unref(&client->connection.writer->base.object);
    }
    aiort__client_release(client);
    return 0;
}

/* ---- A connection's beginning ---- */

static const aiort_site_t client_done_site = AIORT__OWN_SITE("start_server.<locals>.callback");

/* Its task. The callback is made first, so that nothing can fail once there is a task. */
static int start_task(aiort_server_t *server, aiort__client_t *client)
{
    aiort_loop_t *loop = server->base.object.loop;
    aiort_handle_t *done =
        aiort__handle_new(loop, &client_done_site, (aiort_callback_fn)(uintptr_t)on_client_done,
                          client, AIORT__DONE_CALLBACK);
    aiort_coroutine_t *coroutine =
        done ? aiort_coroutine_new(server->site, server->function, &client->connection, 0) : NULL;
    aiort_task_t *task =
        coroutine ? aiort_create_task_at(server->site, loop, coroutine, NULL) : NULL;

    if (!task) {
        aiort_unref(done);
        return UV_ENOMEM;
    }
    done->u.future = &task->future;
    aiort__future_append(&task->future, &done->object);
    aiort_unref(task);
    return 0;
}

static int open_client(aiort_server_t *server, const aiort__listener_t *listener, int fd)
{
    aiort_loop_t *loop = server->base.object.loop;
    aiort__client_t *client = aiort__malloc(sizeof(*client));
    aiort_transport_t *transport =
        client ? aiort__transport_uv(
                     loop, listener->family == AF_UNIX ? AIORT__UV_UNIX : AIORT__UV_TCP, -1)
               : NULL;
    int err = transport ? aiort__transport_open(transport, fd) : UV_ENOMEM;

    if (err) {
        close(fd);
        if (transport) {
            aiort__transport_discard(transport);
        }
        aiort__free(client);
        return err;
    }
    *client = (aiort__client_t){.server = server, .transport = transport, .running = true};
    client->connection.arg = server->arg;
    /* Nobody's call stands here: it was made where the server was. */
    transport->base.object.trace = server->base.object.trace;
    err = aiort__stream_start(transport, server->options.limit, &client->connection.reader,
                              &client->connection.writer);
    if (err) {
        aiort__free(client);
        return err;
    }
    transport->owner = client;
    transport->ended = on_ended;
    client->next = server->clients;
    if (server->clients) {
        server->clients->previous = client;
    }
    server->clients = client;
    server->active++;
    err = start_task(server, client);
    if (err) {
        aiort__transport_abort(transport, NULL);
        aiort__client_release(client);
    }
    return err;
}

static void creation_failed(aiort_server_t *server, int err)
{
    aiort_error_t *error = aiort__take_error(err);
    aiort_report_t report = {
        .message = "Error on transport creation for incoming connection",
        .check = "accept-failed",
        .error = error,
    };

    aiort__report(server->base.object.loop, &report);
    aiort_unref(error);
}

/* ---- Out of descriptors ---- */

static void say(aiort__listener_t *listener, const char *message, int err)
{
    char repr[300];
    aiort_error_t *error = err ? aiort__error_new(NULL, err, NULL, NULL) : NULL;

    aiort__socket_repr(listener->fd, repr, sizeof(repr));
    aiort_report_item_t item = {"socket", repr};
    aiort_report_t report = {
        .message = message,
        .check = "accept-failed",
        .error = error,
        .items = &item,
        .nitems = 1,
        .source_trace = listener->server->base.object.trace,
    };
    aiort__report(listener->server->base.object.loop, &report);
    aiort_unref(error);
}

static void recovered(aiort__listener_t *listener)
{
    char message[128];

    if (listener->out > 1) {
        snprintf(message, sizeof(message),
                 "socket.accept() was out of system resource for %.1f seconds (%u times)",
                 (double)(aiort__now() - listener->out_since) * 1e-9, listener->out);
        listener->out = 0;
        say(listener, message, 0);
    }
    listener->out = 0;
}

static int on_retry(void *arg)
{
    aiort__listener_t *listener = arg;

    aiort__timer_stop(listener->retry);
    listener->retry = NULL;
    return uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void out_of_resource(aiort__listener_t *listener, int err)
{
    aiort_loop_t *loop = listener->server->base.object.loop;
    uint64_t now = aiort__now();

    listener->retry =
        aiort__timer_start(loop, now + aiort__nanoseconds(ACCEPT_RETRY_DELAY), on_retry, listener);
    if (listener->retry) {
        uv_poll_stop(&listener->poll);
    } /* else it is tried again at once: there is no memory for better */
    if (listener->out++ == 0) {
        listener->out_since = now;
        say(listener, "socket.accept() out of system resource", err);
    }
}

/* ---- Listening ---- */

static void on_readable(uv_poll_t *poll, int status, int events)
{
    aiort__listener_t *listener = poll->data;
    aiort_server_t *server = listener->server;
    int backlog = server->options.backlog > 0 ? server->options.backlog : DEFAULT_BACKLOG;

    (void)status;
    (void)events;
    aiort__ref(&server->base.object);
    for (int i = 0; i < backlog && listener->server; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                out_of_resource(listener, -errno);
            }
            break;
        }
        recovered(listener);
        int err = open_client(server, listener, fd);
        if (err) {
            creation_failed(server, err);
        }
    }
    aiort__unref(&server->base.object);
}

int aiort__listener_start(aiort__listener_t *listener)
{
    const aiort_server_options_t *options = &listener->server->options;

    if (listen(listener->fd, options->backlog > 0 ? options->backlog : DEFAULT_BACKLOG)) {
        return -errno;
    }
    return uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void on_close(uv_handle_t *poll)
{
    aiort__free(poll->data);
}

/* The file of a Unix socket goes, if it is the one we made still. */
static void remove_path(const aiort__listener_t *listener)
{
    struct stat status;

    if (listener->unlink && stat(listener->path, &status) == 0 &&
        status.st_ino == listener->inode) {
        unlink(listener->path);
    }
}

void aiort__listener_close(aiort__listener_t *listener)
{
    if (listener->retry) {
        aiort__timer_stop(listener->retry);
        listener->retry = NULL;
    }
    remove_path(listener);
    listener->server = NULL;
    uv_close((uv_handle_t *)&listener->poll, on_close);
    close(listener->fd);
}
