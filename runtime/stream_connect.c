/* SPDX-License-Identifier: MIT */
/*
 * Opening connections: to a host, to a Unix socket, over a socket that is there.
 *
 * A host may have several addresses. They are tried one after another; with happy_eyeballs_delay
 * the next one is tried beside one that does not answer soon, and families alternate (RFC 8305).
 * All that lives on the stack of the task that connects: an attempt that is given up is told to
 * forget it.
 */
#include "transport.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 400 };

typedef struct {
    aiort_transport_t *transport; /* NULL: not tried yet, or it has failed */
    struct race *race;
} attempt_t;

typedef struct race {
    aiort_loop_t *loop;
    const aiort__addresses_t *to;
    const aiort__addresses_t *from; /* NULL: any */
    attempt_t *attempts;            /* one for each address */
    size_t next, running, failed;
    aiort_transport_t *winner;
    aiort_future_t *wake; /* what the task waits for, or NULL */
    int code;             /* of the last failure */
    size_t length;
    char message[MESSAGE_SIZE];
} race_t;

static const aiort_connection_options_t default_options;

/* ---- One attempt ---- */

static int wake(void *arg)
{
    race_t *race = arg;

    if (race->wake && race->wake->object.state == AIORT_PENDING) {
        aiort__future_finish(race->wake, NULL);
    }
    return 0;
}

AIORT_PRINTF(3, 4) static void failed(race_t *race, int code, const char *format, ...)
{
    va_list args;

    race->code = code;
    if (race->failed++ > 0 && race->length + 2 < MESSAGE_SIZE) {
        memcpy(race->message + race->length, ", ", 3);
        race->length += 2;
    }
    va_start(args, format);
    int n = vsnprintf(race->message + race->length, MESSAGE_SIZE - race->length, format, args);
    va_end(args);
    race->length += n > 0 ? (size_t)n : 0;
    if (race->length >= MESSAGE_SIZE) {
        race->length = MESSAGE_SIZE - 1;
    }
}

static void connect_failed(race_t *race, const attempt_t *attempt, int code)
{
    size_t i = (size_t)(attempt - race->attempts);
    char address[128];

    aiort__address_repr((const struct sockaddr *)&race->to->at[i].address, race->to->at[i].length,
                        address, sizeof(address));
    failed(race, code, "[%s] Connect call failed %s", aiort_err_name(code), address);
}

static void on_connected(void *arg, int status)
{
    attempt_t *attempt = arg;
    race_t *race = attempt->race;

    race->running--;
    if (status == 0 && !race->winner) {
        race->winner = attempt->transport;
        attempt->transport = NULL;
    } else {
        aiort__transport_discard(attempt->transport);
        attempt->transport = NULL;
        connect_failed(race, attempt, status ? status : UV_ECANCELED);
    }
    wake(race);
}

/* Of the local addresses the first one of that family. */
static const struct sockaddr *local_for(const race_t *race, int family)
{
    for (size_t i = 0; race->from && i < race->from->n; i++) {
        if (race->from->at[i].address.ss_family == family) {
            return (const struct sockaddr *)&race->from->at[i].address;
        }
    }
    return NULL;
}

static void try_next(race_t *race)
{
    attempt_t *attempt = &race->attempts[race->next];
    const struct sockaddr *to = (const struct sockaddr *)&race->to->at[race->next].address;
    const struct sockaddr *from = local_for(race, to->sa_family);

    race->next++;
    if (race->from && !from) {
        failed(race, UV_EADDRNOTAVAIL, "no matching local address with family=%d found",
               to->sa_family);
        return;
    }
    attempt->race = race;
    attempt->transport = aiort__transport_uv(race->loop, AIORT__UV_TCP, -1);
    int err = attempt->transport
                  ? aiort__transport_connect(attempt->transport, to, from, on_connected, attempt)
                  : aiort_last_error();
    if (!err) {
        race->running++;
        return;
    }
    if (attempt->transport) {
        aiort__transport_discard(attempt->transport);
        attempt->transport = NULL;
    }
    connect_failed(race, attempt, err);
}

/* ---- All of them ---- */

/* Until an attempt ends, or for that long (0: no matter how long). */
static int wait_for_one(race_t *race, aiort_task_t *task, const aiort_site_t *site, double delay)
{
    aiort_handle_t *timer = NULL;
    int err = UV_ENOMEM;

    race->wake = aiort__future_new(race->loop);
    if (race->wake && delay > 0) {
        timer =
            aiort__timer_start(race->loop, aiort__now() + aiort__nanoseconds(delay), wake, race);
    }
    if (race->wake && (timer || delay <= 0)) {
        err = aiort__await_future(task, site, race->wake, NULL);
    }
    if (timer) {
        aiort__timer_stop(timer);
    }
    aiort_unref(race->wake);
    race->wake = NULL;
    return err ? aiort__fail(err) : 0;
}

static int run_race(race_t *race, aiort_task_t *task, const aiort_site_t *site, double delay)
{
    size_t n = race->to->n;
    int err = 0;

    while (!race->winner && !err && (race->next < n || race->running > 0)) {
        if (race->next < n) {
            try_next(race);
        }
        /* One that failed at once leaves nothing to wait for. */
        while (race->running > 0 && !race->winner && !err) {
            size_t before = race->failed;
            err = wait_for_one(race, task, site, race->next < n ? delay : 0);
            if (race->failed > before || (race->next < n && delay > 0)) {
                break;
            }
        }
    }
    for (size_t i = 0; i < race->next; i++) {
        if (race->attempts[i].transport) {
            aiort__transport_forget(race->attempts[i].transport);
            aiort__transport_discard(race->attempts[i].transport);
        }
    }
    if (err && race->winner) {
        aiort__transport_discard(race->winner);
    }
    return err;
}

/* The families by turns, in the order of the first of each. */
static void interleave(aiort__addresses_t *list)
{
    for (size_t i = 1; i < list->n; i++) {
        size_t k = i;
        while (k < list->n && list->at[k].address.ss_family == list->at[i - 1].address.ss_family) {
            k++;
        }
        if (k == list->n) {
            return;
        }
        __typeof__(list->at[0]) next = list->at[k];
        memmove(&list->at[i + 1], &list->at[i], (k - i) * sizeof(next));
        list->at[i] = next;
    }
}

static int all_failed(const race_t *race)
{
    if (race->code == UV_ENOMEM) {
        return aiort__fail(UV_ENOMEM);
    }
    if (race->failed == 1) {
        /* Without the code's name in front: it is the error's own. */
        const char *text = strchr(race->message, ']');
        return aiort__failf(race->code, "%s", text ? text + 2 : race->message);
    }
    return aiort__failf(race->code, "Multiple exceptions: %s", race->message);
}

static int connect_to(aiort_task_t *task, const aiort_site_t *site, const aiort__addresses_t *to,
                      const aiort__addresses_t *from, double delay, aiort_transport_t **transport)
{
    race_t race = {.loop = task->future.object.loop, .to = to, .from = from};

    if (to->n == 0) {
        return aiort__failf(UV_EAI_NODATA, "getaddrinfo() returned empty list");
    }
    race.attempts = aiort__malloc(to->n * sizeof(attempt_t));
    if (!race.attempts) {
        return aiort__fail(UV_ENOMEM);
    }
    memset(race.attempts, 0, to->n * sizeof(attempt_t));
    int err = run_race(&race, task, site, delay);
    if (!err && !race.winner) {
        err = all_failed(&race);
    }
    aiort__free(race.attempts);
    if (!err) {
        aiort__transport_opened(race.winner);
        *transport = race.winner;
    }
    return err;
}

int aiort_open_connection_at(const aiort_site_t *site, const char *host, int port,
                             const aiort_connection_options_t *options,
                             aiort_stream_reader_t **reader, aiort_stream_writer_t **writer)
{
    const aiort_connection_options_t *o = options ? options : &default_options;
    aiort__addresses_t *to = NULL, *from = NULL;
    aiort_transport_t *transport;
    aiort_task_t *task = aiort_current_task();

    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    if (!host || !*host) {
        return aiort__failf(UV_EINVAL, "host and port was not specified and no sock specified");
    }
    int err = aiort__resolve(site, host, port, o->family, 0, &to);
    if (!err && (o->local_host || o->local_port)) {
        err = aiort__resolve(site, o->local_host, o->local_port, o->family, AI_PASSIVE, &from);
    }
    if (!err && o->happy_eyeballs_delay > 0) {
        interleave(to);
    }
    if (!err) {
        err = connect_to(task, site, to, from, o->happy_eyeballs_delay, &transport);
    }
    aiort__free(to);
    aiort__free(from);
    return err ? err : aiort__stream_start(transport, o->limit, reader, writer);
}

/* ---- Over a descriptor ---- */

/* The descriptor is taken over, also on failure. */
static int over(aiort_loop_t *loop, aiort__uv_kind_t kind, int fd, size_t limit,
                aiort_stream_reader_t **reader, aiort_stream_writer_t **writer)
{
    aiort_transport_t *transport = aiort__transport_uv(loop, kind, -1);
    int err = transport ? aiort__transport_open(transport, fd) : aiort_last_error();

    if (err) {
        close(fd);
        if (transport) {
            aiort__transport_discard(transport);
        }
        return aiort__fail(err);
    }
    return aiort__stream_start(transport, limit, reader, writer);
}

int aiort_open_socket_at(const aiort_site_t *site, int fd,
                         const aiort_connection_options_t *options, aiort_stream_reader_t **reader,
                         aiort_stream_writer_t **writer)
{
    const aiort_connection_options_t *o = options ? options : &default_options;
    aiort_loop_t *loop = aiort__tls.running;
    int type = 0, family = 0;
    socklen_t length = sizeof(int);

    (void)site;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) || type != SOCK_STREAM ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length)) {
        close(fd);
        return aiort__failf(UV_EINVAL, "A Stream Socket was expected, got descriptor %d", fd);
    }
    if (!loop) {
        close(fd);
        return aiort__fail(AIORT_ENOLOOP);
    }
    return over(loop, family == AF_UNIX ? AIORT__UV_UNIX : AIORT__UV_TCP, fd, o->limit, reader,
                writer);
}

/* ---- Unix sockets ---- */

/* The kernel says at once, but when too many wait to be accepted: then there is nothing to wait for
 * but time. */
static int connect_unix(const aiort_site_t *site, int fd, const struct sockaddr_storage *address,
                        socklen_t size)
{
    for (;;) {
        if (connect(fd, (const struct sockaddr *)address, size) == 0) {
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        int err = errno == EINTR ? 0 : aiort_sleep_at(site, 0.01);
        if (err) {
            return err;
        }
    }
}

int aiort_open_unix_connection_at(const aiort_site_t *site, const char *path, size_t length,
                                  const aiort_connection_options_t *options,
                                  aiort_stream_reader_t **reader, aiort_stream_writer_t **writer)
{
    const aiort_connection_options_t *o = options ? options : &default_options;
    aiort_task_t *task = aiort_current_task();
    struct sockaddr_storage address;
    socklen_t size;
    char repr[160];

    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    int err = aiort__unix_address(path, length, &address, &size);
    if (err) {
        return err;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return aiort__fail(-errno);
    }
    err = connect_unix(site, fd, &address, size);
    if (err) {
        close(fd);
        if (err == UV_ECANCELED || err == AIORT_ECLOSED || err == UV_ENOMEM) {
            return aiort__fail(err);
        }
        aiort__address_repr((const struct sockaddr *)&address, size, repr, sizeof(repr));
        return aiort__failf(err, "%s: %s", repr, aiort_strerror(err));
    }
    return over(task->future.object.loop, AIORT__UV_UNIX, fd, o->limit, reader, writer);
}
