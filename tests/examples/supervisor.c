/* SPDX-License-Identifier: MIT */
/*
 * supervisor: keeps programs running, as init does. Each is started by the shell, what it prints is
 * passed on line by line with its number in front, and when it ends it is started again: after a
 * pause that doubles with each failure, and only so often. SIGTERM or SIGINT ends them all, the
 * slow ones by force. A clean program.
 *
 *     supervisor [RESTARTS] [COMMAND...]
 */
#include <aiort.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { GRACE = 2 }; /* seconds between SIGTERM and SIGKILL */

typedef struct {
    const char *command;
    int number, restarts;
    aiort_process_t *process; /* while it runs */
} service_t;

/* ---- One service ---- */

static int pass_on(service_t *service)
{
    aiort_stream_reader_t *out = aiort_process_stdout(service->process);
    const char *line;
    ssize_t n;

    while ((n = aiort_stream_readline(out, &line)) > 0) {
        printf("%d: %.*s\n", service->number, (int)n - (line[n - 1] == '\n'), line);
    }
    return (int)n;
}

/* Runs it once; *status gets how it ended. When this task is cancelled the child is ended first. */
static int run_once(service_t *service, int *status)
{
    aiort_process_options_t options = {.out = AIORT_PROCESS_PIPE, .err = AIORT_PROCESS_STDOUT};
    int err = aiort_create_subprocess_shell(service->command, &options, &service->process);

    if (err) {
        return err;
    }
    err = pass_on(service);
    err = err ? err : aiort_process_wait(service->process, status);
    if (err == UV_ECANCELED && aiort_process_terminate(service->process) == 0) {
        aiort_timeout_t *grace = aiort_timeout(GRACE);
        aiort_timeout_enter(grace);
        int late = aiort_timeout_exit(grace, aiort_process_wait(service->process, status));
        aiort_unref(grace);
        if (late == UV_ETIMEDOUT) {
            printf("%d: does not end, is killed\n", service->number);
            aiort_process_kill(service->process);
            aiort_process_wait(service->process, status);
        }
    }
    aiort_unref(service->process);
    service->process = NULL;
    return err;
}

static int keep_running(void *arg, void **result)
{
    service_t *service = arg;
    double pause = 0.01;

    (void)result;
    for (int run = 0; run <= service->restarts; run++) {
        int status = 0;
        int err = run_once(service, &status);
        if (err == UV_ECANCELED) {
            printf("%d: stopped\n", service->number);
        }
        if (err) {
            return err;
        }
        if (status == 0) {
            printf("%d: done\n", service->number);
            return 0;
        }
        printf("%d: ended with %d\n", service->number, status);
        if (run < service->restarts && (err = aiort_sleep(pause)) != 0) {
            return err;
        }
        pause *= 2;
    }
    printf("%d: given up\n", service->number);
    return 0;
}

/* ---- All of them ---- */

static int stop_all(void *arg)
{
    aiort_future_t *services = arg;

    aiort_future_cancel(services, NULL);
    return 0;
}

typedef struct {
    service_t *services;
    size_t n;
} all_t;

static int supervise(void *arg, void **result)
{
    const all_t *all = arg;
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_awaitable_t **each = calloc(all->n, sizeof *each);

    (void)result;
    for (size_t i = 0; each && i < all->n; i++) {
        each[i] = AIORT_AWAITABLE(AIORT_CORO(keep_running, &all->services[i]));
    }
    aiort_future_t *services = each ? aiort_gather(each, all->n, 0) : NULL;
    free(each);
    if (!services)
        return aiort_last_error();
    aiort_add_signal_handler(loop, SIGTERM, stop_all, services);
    aiort_add_signal_handler(loop, SIGINT, stop_all, services);
    int err = aiort_await(services, NULL);
    aiort_remove_signal_handler(loop, SIGTERM);
    aiort_remove_signal_handler(loop, SIGINT);
    aiort_unref(services);
    return err == UV_ECANCELED ? 0 : err;
}

int main(int argc, char **argv)
{
    char *shown[] = {"echo working; sleep 0.1; echo finished", "sleep 0.8; echo oh no; exit 3",
                     "sleep 5; kill -TERM $PPID; exec sleep 60"};
    char **commands = argc > 2 ? argv + 2 : shown;
    size_t n = argc > 2 ? (size_t)argc - 2 : sizeof shown / sizeof shown[0];
    all_t all = {calloc(n, sizeof *all.services), n};

    for (size_t i = 0; all.services && i < n; i++) {
        all.services[i].command = commands[i];
        all.services[i].number = (int)i + 1;
        all.services[i].restarts = argc > 1 ? atoi(argv[1]) : 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int err = all.services ? aiort_run(AIORT_CORO(supervise, &all), NULL) : UV_ENOMEM;
    free(all.services);
    return err < 0;
}
