/* SPDX-License-Identifier: MIT */
/*
 * harness.c - runs the cases that harness.h registers.
 *
 * The parent never runs a case itself: it forks, reads the child's output from a pipe until the
 * child is gone or late, kills the rest of its process group, and judges the wait status. cmocka
 * gives the assertions only; its runner jumps back over the stack on failure, which a coroutine's
 * stack does not survive. With CMOCKA_TEST_ABORT it prints and aborts instead.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#define SKIPPED 77

typedef struct {
    char *text;
    size_t length, size;
} output_t;

static harness_case_t *cases;

void harness_register(harness_case_t *test)
{
    harness_case_t **place = &cases;
    while (*place != NULL && (*place)->line < test->line)
        place = &(*place)->next;
    test->next = *place;
    *place = test;
}

double harness_slow(void)
{
    const char *text = getenv("AIORT_TEST_SLOW");
    double factor = text != NULL ? atof(text) : 1.0;
    return factor > 1.0 ? factor : 1.0;
}

int harness_on_valgrind(void)
{
    return RUNNING_ON_VALGRIND;
}

double harness_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void harness_skip(const char *file, int line, const char *reason)
{
    fprintf(stderr, "%s:%d: skipped: %s\n", file, line, reason);
    fflush(NULL);
    _exit(SKIPPED);
}

static void fail_at(const char *file, int line)
{
    _fail(file, line);
}

void harness_assert_time_near(const char *file, int line, const char *what, double actual,
                              double expected)
{
    /* libuv's clock has milliseconds; a busy machine of two cores loses tens of them. */
    double early = expected - 0.002, late = expected * 1.25 + 0.15 * harness_slow();
    if (actual >= early && actual <= late)
        return;
    print_error("%s is %.6f s, not within %.6f to %.6f\n", what, actual, early, late);
    fail_at(file, line);
}

void harness_assert_contains(const char *file, int line, const char *text, const char *part)
{
    if (text != NULL && strstr(text, part) != NULL)
        return;
    print_error("not found: %s\nin: %s\n", part, text != NULL ? text : "(null)");
    fail_at(file, line);
}

void harness_assert_lacks(const char *file, int line, const char *text, const char *part)
{
    if (text != NULL && strstr(text, part) == NULL)
        return;
    print_error("found: %s\nin: %s\n", part, text != NULL ? text : "(null)");
    fail_at(file, line);
}

/* Reads what there is; false at the end of the pipe. What goes beyond a megabyte is dropped. */
static bool output_read(output_t *out, int fd)
{
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    if (out->length + (size_t)n + 1 > out->size) {
        size_t size = (out->length + (size_t)n + 1) * 2;
        char *text = size < 2u << 20 ? realloc(out->text, size) : NULL;
        if (text == NULL)
            return true;
        out->text = text;
        out->size = size;
    }
    memcpy(out->text + out->length, chunk, (size_t)n);
    out->length += (size_t)n;
    out->text[out->length] = '\0';
    return true;
}

/*
 * Reads the child's output until it is gone. A grandchild may hold the pipe open after that, so the
 * child itself is asked about every 20 ms; whatever is left of its group is killed.
 */
static int await_child(pid_t pid, int fd, double seconds, output_t *out, bool *late)
{
    double deadline = harness_now() + seconds;
    bool open = true;
    int status = 0;

    *late = false;
    for (;;) {
        if (open) {
            struct pollfd pfd = {fd, POLLIN, 0};
            if (poll(&pfd, 1, 20) > 0)
                open = output_read(out, fd);
        }
        pid_t got = waitpid(pid, &status, open ? WNOHANG : 0);
        if (got == pid)
            break;
        if (!*late && harness_now() > deadline) {
            *late = true;
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
    }
    kill(-pid, SIGKILL);
    for (int i = 0; open && i < 1000; i++) {
        struct pollfd pfd = {fd, POLLIN, 0};
        if (poll(&pfd, 1, 0) <= 0)
            break;
        open = output_read(out, fd);
    }
    return status;
}

/* Forks; the child has stdout and stderr in a pipe whose other end is *fd. */
static pid_t fork_piped(int *fd, bool group)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (group)
            setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        setvbuf(stdout, NULL, _IOLBF, 0);
        return 0;
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -1;
    }
    if (group)
        setpgid(pid, pid); /* both sides, so that neither has to wait for the other */
    *fd = ends[0];
    return pid;
}

int harness_child(void (*run)(void *), void *arg, double seconds, char **output)
{
    int fd = -1;
    bool late;
    output_t out = {calloc(1, 1), 0, 0};
    pid_t pid = fork_piped(&fd, true);

    if (pid == 0) {
        run(arg);
        exit(0);
    }
    assert_true(pid > 0);
    int status = await_child(pid, fd, seconds * harness_slow(), &out, &late);
    close(fd);
    if (output != NULL)
        *output = out.text;
    else
        free(out.text);
    return status;
}

static void run_here(const harness_case_t *test)
{
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    test->run();
    fflush(NULL);
}

static void explain(const harness_case_t *test, int status, bool late, const output_t *out)
{
    printf("FAILED  %s (%s:%d): ", test->name, test->file, test->line);
    if (late)
        printf("took more than %g seconds\n", test->seconds * harness_slow());
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
        printf("aborted\n");
    else if (WIFSIGNALED(status))
        printf("killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        printf("exited with status %d\n", WEXITSTATUS(status));

    for (char *line = out->text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        int length = end != NULL ? (int)(end - line) : (int)strlen(line);
        printf("    %.*s\n", length, line);
        line = end != NULL ? end + 1 : NULL;
    }
}

/* 1 passed, 0 failed, -1 skipped. */
static int run_case(const harness_case_t *test, bool verbose)
{
    int fd = -1;
    bool late;
    output_t out = {NULL, 0, 0};
    double start = harness_now();
    pid_t pid = fork_piped(&fd, true);

    if (pid == 0) {
        run_here(test);
        exit(0);
    }
    if (pid < 0) {
        printf("FAILED  %s: cannot fork: %s\n", test->name, strerror(errno));
        return 0;
    }
    int status = await_child(pid, fd, test->seconds * harness_slow(), &out, &late);
    close(fd);

    int verdict = 0;
    if (!late && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        verdict = 1;
    else if (!late && WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        verdict = -1;

    if (verdict == 0)
        explain(test, status, late, &out);
    else if (verdict < 0)
        printf("skipped %s: %s", test->name, out.text != NULL ? out.text : "\n");
    else if (verbose)
        printf("ok      %s (%.3f s)\n", test->name, harness_now() - start);
    fflush(stdout);
    free(out.text);
    return verdict;
}

static bool wanted(const harness_case_t *test, char *const *patterns)
{
    if (*patterns == NULL)
        return true;
    for (; *patterns != NULL; patterns++)
        if (fnmatch(*patterns, test->name, 0) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    bool verbose = false, list = false, here = false;
    int passed = 0, failed = 0, skipped = 0, option;
    const char *program = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];

    while ((option = getopt(argc, argv, "vln")) != -1) {
        verbose |= option == 'v';
        list |= option == 'l';
        here |= option == 'n';
        if (option == '?')
            return 2;
    }
    for (harness_case_t *test = cases; test != NULL; test = test->next) {
        if (!wanted(test, argv + optind))
            continue;
        if (list) {
            printf("%s\n", test->name);
        } else if (here) {
            run_here(test);
            passed++;
        } else {
            int verdict = run_case(test, verbose);
            passed += verdict == 1;
            failed += verdict == 0;
            skipped += verdict < 0;
        }
    }
    if (list)
        return 0;
    if (passed + failed + skipped == 0) {
        printf("%s: no case of that name\n", program);
        failed = 1;
    }
    printf("%s: %d passed, %d failed", program, passed, failed);
    if (skipped > 0)
        printf(", %d skipped", skipped);
    printf("\n");
    return failed > 0;
}
