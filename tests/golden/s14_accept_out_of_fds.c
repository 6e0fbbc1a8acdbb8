/* SPDX-License-Identifier: MIT */
/* A server that has no descriptor left for a connection: said once, and tried again after a second. */
#include <aiort.h>
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int client(void *arg, void **result)
{
    aiort_connection_t *connection = arg;

    (void)result;
    puts("accepted");
    return aiort_stream_close(connection->writer);
}

static int connect_to(const aiort_server_t *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)aiort_server_port(server))};
    struct rlimit limit, low;
    int fd = socket(AF_INET, SOCK_STREAM, 0), next = dup(fd);

    close(next);
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = (rlim_t)next; /* not one more */
    setrlimit(RLIMIT_NOFILE, &low);
    int err = connect(fd, (struct sockaddr *)&address, sizeof address);
    aiort_sleep(0.3);
    setrlimit(RLIMIT_NOFILE, &limit);
    return err ? -1 : fd;
}

static int test(void *arg, void **result)
{
    aiort_server_t *server;

    (void)arg, (void)result;
    /* A first report: what the log needs is open then. */
    aiort_loop_call_exception_handler(aiort_get_running_loop(),
                                      &(aiort_report_t){.message = "soon out of descriptors"});
    aiort_sleep(0.3);
    int err = aiort_start_server(client, NULL, "127.0.0.1", 0, NULL, &server);
    if (err)
        return err;
    int fd = connect_to(server);
    aiort_sleep(1.2);
    close(fd);
    aiort_server_close(server);
    aiort_unref(server);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(test, NULL), NULL) < 0;
}
