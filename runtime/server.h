/* SPDX-License-Identifier: MIT */
/*
 * What the files of servers share: the server, its listeners, its connections.
 *
 * A server is in its loop's list from the beginning until it is closed and has no connection any
 * more; so long its memory stays, with or without references. A connection stays until its
 * transport has ended and its task is done. A listener is a handle of libuv's of its own and
 * outlives the server until its close callback.
 */
#ifndef AIORT_SERVER_H
#define AIORT_SERVER_H

#include "stream.h"

typedef struct aiort__listener {
    uv_poll_t poll;
    aiort_server_t *server; /* NULL: it is being closed */
    aiort_handle_t *retry;  /* the timer while there are no descriptors */
    uint64_t out_since;     /* when that began */
    unsigned out;           /* how often it was tried since then */
    int fd;
    int family;
    bool open; /* poll is initialised */
    bool unlink;
    char path[108]; /* of a Unix socket that we made, with what it was: */
    uint64_t inode;
} aiort__listener_t;

typedef struct aiort__client {
    struct aiort__client *previous, *next;
    aiort_server_t *server;
    aiort_transport_t *transport;  /* NULL once it has ended */
    aiort_connection_t connection; /* with references, until the task is done */
    bool running;                  /* the task is not done */
} aiort__client_t;

struct aiort_server_s {
    aiort__extended_t base;
    aiort__attached_t attached;
    const aiort_site_t *site;
    aiort_coroutine_fn function;
    void *arg;
    void (*release)(void *arg); /* when the server's memory goes; or NULL */
    aiort_server_options_t options;
    aiort__listener_t **listeners;
    size_t nlisteners;
    aiort__client_t *clients;
    size_t active;            /* clients with a transport */
    aiort__parking_t waiting; /* in wait_closed() */
    aiort__parking_t serving_forever;
    bool in_loop; /* attached */
    bool serving;
    bool closed;
    bool forever; /* somebody is in serve_forever() */
};

/* A server with these sockets, which it takes over, also on failure. keep_path of the options is
 * heeded for the path, if there is one. NULL: the code is the current error. */
AIORT__HIDDEN aiort_server_t *aiort__server_new(const aiort_site_t *site, aiort_loop_t *loop,
                                                aiort_coroutine_fn function, void *arg,
                                                const aiort_server_options_t *options,
                                                const int *fds, size_t n, const char *path);
/* A connection has gone, or a task: the server may be over with it. */
AIORT__HIDDEN void aiort__server_settle(aiort_server_t *server);
AIORT__HIDDEN size_t aiort__socket_repr(int fd, char *buf, size_t size);

/* server_accept.c */
AIORT__HIDDEN int aiort__listener_start(aiort__listener_t *listener);
AIORT__HIDDEN void aiort__listener_close(aiort__listener_t *listener);
AIORT__HIDDEN void aiort__client_release(aiort__client_t *client);

/* server_bind.c: a socket bound to the address. 0 and *fd, or a code. */
AIORT__HIDDEN int aiort__bind(const struct sockaddr *address, socklen_t length,
                              const aiort_server_options_t *options, int *fd);
AIORT__HIDDEN int aiort__bind_unix(const char *path, size_t length, int *fd);

#endif
