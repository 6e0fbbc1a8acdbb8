/* SPDX-License-Identifier: MIT */
/* The program of most tests: driver MODE [ARGUMENT]. What it logs, run.sh looks at. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "produce.h"

enum { WARNING = 30 };

static char *argument;

/* Distinct records, none of which is grouped with another. */
static void produce(int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char text[32];
        snprintf(text, sizeof text, "record %d.", i);
        produce_record("slow-callback", 0, (uint64_t)i + 1, text);
    }
}


/* ------------------------------------------------------------------------------ ways to end */

static void *end_thread(void *arg)
{
    (void)arg;
    usleep(20000);
    produce(10, 10);
    return NULL;
}

static void on_signal(int signal)
{
    (void)signal;
    _exit(3);
}

static void late_record(void)
{
    produce(100, 1);
}

static void still_there(void)
{
    fflush(stdout);
    produce(200, 1);
}

static int end_by(const char *way)
{
    produce(0, 10);
    if (strcmp(way, "exit") == 0)
        exit(0);
    if (strcmp(way, "exit5") == 0)
        exit(5);
    if (strcmp(way, "_exit") == 0)
        _exit(0);
    if (strcmp(way, "_exit5") == 0)
        _exit(5);
    if (strcmp(way, "_Exit") == 0)
        _Exit(0);
    if (strcmp(way, "quick_exit") == 0)
        quick_exit(0);
    if (strcmp(way, "quick_exit5") == 0)
        quick_exit(5);
    if (strcmp(way, "abort") == 0)
        abort();
    if (strcmp(way, "assert") == 0)
        assert(!"this");
    if (strcmp(way, "thread") == 0 || strcmp(way, "pthread_exit") == 0 ||
        strcmp(way, "thrd_exit") == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, end_thread, NULL);
        if (strcmp(way, "pthread_exit") == 0)
            pthread_exit(NULL);
        if (strcmp(way, "thrd_exit") == 0)
            thrd_exit(0);
        pthread_join(thread, NULL);
    }
    if (strcmp(way, "alone") == 0)
        pthread_exit(NULL);
    if (strcmp(way, "raw") == 0) /* the main thread ends and nobody is told */
        syscall(SYS_exit, 0);
    if (strcmp(way, "handlers") == 0) {
        atexit(late_record);
        produce_at_exit(still_there);
    }
    if (strcmp(way, "signal") == 0) {
        signal(SIGUSR1, on_signal);
        raise(SIGUSR1);
    }
    char *const args[] = {"sh", "-c", "echo $0 $1 $V", "execed", "ok", NULL};
    char *const env[] = {"V=env", NULL};
    if (strcmp(way, "execv") == 0)
        execv("/bin/sh", args);
    if (strcmp(way, "execve") == 0)
        execve("/bin/sh", args, env);
    if (strcmp(way, "execvp") == 0)
        execvp("sh", args);
    if (strcmp(way, "execvpe") == 0)
        execvpe("sh", args, env);
    if (strcmp(way, "execl") == 0)
        execl("/bin/sh", "sh", "-c", "echo $0 $1 $V", "execed", "ok", (char *)NULL);
    if (strcmp(way, "execlp") == 0)
        execlp("sh", "sh", "-c", "echo $0 $1 $V", "execed", "ok", (char *)NULL);
    if (strcmp(way, "execle") == 0)
        execle("/bin/sh", "sh", "-c", "echo $0 $1 $V", "execed", "ok", (char *)NULL, env);
    if (strcmp(way, "fexecve") == 0)
        fexecve(open("/bin/sh", O_RDONLY), args, env);
    if (strcmp(way, "execveat") == 0)
        execveat(AT_FDCWD, "/bin/sh", args, env, 0);
    if (strcmp(way, "exec-fails") == 0) {
        for (int i = 0; i < 9; i++)
            produce_record("slow-callback", 0, 5000, "again");
        execv("/nonexistent", args);
        printf("errno %d\n", errno);
        produce_record("slow-callback", 0, 5000, "again");
    }
    return strcmp(way, "return5") == 0 ? 5 : 0;
}


/* ------------------------------------------------------------------------------------- fork */

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void fork_once(const char *how)
{
    produce(0, 20);
    for (int i = 0; i < 9; i++)
        produce_record("slow-callback", 0, 5000, "again");
    if (strcmp(how, "vfork") == 0) {
        pid_t child = vfork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(9);
        }
        printf("child %d\n", wait_for(child));
        child = vfork();
        if (child == 0)
            _exit(7);
        printf("child %d\n", wait_for(child));
        return;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (strcmp(how, "exec") == 0)
            execl("/bin/true", "true", (char *)NULL);
        if (strcmp(how, "quiet") == 0)
            exit(0);
        if (strcmp(how, "records") == 0) {
            produce(1000, 20);
            exit(0);
        }
        if (strcmp(how, "_exit") == 0)
            _exit(0);
        if (strcmp(how, "nested") == 0) {
            produce(1000, 5);
            pid_t grandchild = fork();
            if (grandchild == 0) {
                produce(2000, 5);
                _exit(0);
            }
            exit(wait_for(grandchild));
        }
    }
    printf("child %d\n", wait_for(child));
}

/* Forks while other threads report without pause: no deadlock, nothing of one process in the other.
 */
static _Atomic bool stop;

static void *busy(void *arg)
{
    for (int i = *(int *)arg; !stop; i++) {
        produce(i, 1);
        usleep(200);
    }
    return NULL;
}

static int fork_storm(void)
{
    pthread_t threads[2];
    int firsts[2] = {100000, 200000}, failed = 0;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, busy, &firsts[i]);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            produce(i, 1);
            _exit(0);
        }
        failed += wait_for(child) != 0;
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return failed;
}


/* ------------------------------------------------------------------------------------ queue */

static void *eight(void *arg)
{
    int first = *(int *)arg;
    for (int i = 0; i < 500; i += 50) {
        produce(first + i, 50);
        produce_flush(10); /* so that the eight never have more than 400 waiting */
    }
    return NULL;
}

static void eight_threads(void)
{
    pthread_t threads[8];
    int firsts[8];
    for (int i = 0; i < 8; i++) {
        firsts[i] = i * 1000;
        pthread_create(&threads[i], NULL, eight, &firsts[i]);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

/* The log is a pipe, fd 4, that is full: its reader, at fd 5, waits until 5000 records have been
 * offered. */
static void *copy(void *arg)
{
    static char bytes[1 << 20];
    size_t length = 0;
    ssize_t n;
    while (!strstr(bytes, "record 6000.") &&
           (n = read(5, bytes + length, sizeof bytes - length - 1)) > 0)
        length += (size_t)n;
    fwrite(bytes, 1, length, stdout);
    return arg;
}

static void overflow(void)
{
    pthread_t reader;
    char fill[4096];
    memset(fill, '\n', sizeof fill);
    fcntl(4, F_SETPIPE_SZ, (int)sizeof fill);
    (void)!write(4, fill, sizeof fill);
    produce(0, 5000);
    pthread_create(&reader, NULL, copy, NULL);
    produce_flush(10);
    produce(6000, 1);
    pthread_join(reader, NULL);
}


/* -------------------------------------------------------------------------------------- log */

static void close_all(void)
{
    for (int fd = 3; fd < 2048; fd++)
        close(fd);
}

/* The log's descriptor is closed and its number given to another file. */
static int reuse_log(const char *victim)
{
    struct stat st, log;
    int fd, reused = -1;
    produce(0, 1);
    produce_flush(5);
    stat(getenv("AIODEBUG_LOG"), &log);
    for (fd = 3; fd < 2048; fd++)
        if (fstat(fd, &st) == 0 && st.st_ino == log.st_ino && st.st_dev == log.st_dev) {
            printf("log %s\n", fd > 100 ? "high" : "low");
            printf("cloexec %d\n", fcntl(fd, F_GETFD) & FD_CLOEXEC);
            close(fd);
            reused = dup2(open(victim, O_WRONLY | O_CREAT | O_TRUNC, 0600), fd);
        }
    produce(1, 1);
    produce_flush(5);
    return reused < 0 || (write(reused, "mine\n", 5) != 5);
}

/* No descriptor is to be had while the first records are written, and then, maybe, there is. */
static int short_of_descriptors(const char *how)
{
    struct rlimit limit = {64, 64};
    int count = strcmp(how, "many") == 0 ? 1000 : 2;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(0) >= 0)
        ;
    produce(0, count);
    produce_flush(10);
    if (strcmp(how, "fork") == 0) {
        pid_t child = fork();
        if (child == 0)
            exit(0);
        wait_for(child);
    }
    if (strcmp(how, "never") == 0)
        return 0;
    close_all();
    if (strcmp(how, "killed") == 0) {
        struct stat log;
        for (int i = 0; i < 600 && stat(getenv("AIODEBUG_LOG"), &log) != 0; i++)
            usleep(100000);
        kill(getpid(), SIGKILL);
    }
    if (strcmp(how, "again") == 0)
        produce(count, 1);
    return 0;
}

static void two_to_null(void)
{
    int null = open("/dev/null", O_WRONLY);
    produce(0, 1);
    produce_flush(5);
    int file = open(argument, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, 2);
    produce(1, 1);
    produce_flush(5);
    dup2(null, 2);
}

static int count_open(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int threads_now(void)
{
    int count = 0;
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Threads: %d", &count) == 1)
            break;
    fclose(file);
    return count;
}

static int reporter_signals(void)
{
    sigset_t pending;
    signal(SIGPIPE, SIG_DFL);
    produce(0, 3);
    produce_flush(5);
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE);
}


/* --------------------------------------------------------------------------------- the rest */

static int thread_life(void)
{
    printf("%d", threads_now());
    produce_start();
    printf(" %d", threads_now());
    produce(0, 1);
    produce_flush(5);
    printf(" %d", threads_now());
    usleep(1800000);
    printf(" %d", threads_now());
    produce(1, 1);
    produce_flush(5);
    printf(" %d\n", threads_now());
    return 0;
}

static int errno_kept(void)
{
    errno = 4711;
    produce_start();
    produce(0, 2000);
    produce_flush(5);
    execl("/nonexistent", "x", (char *)NULL);
    int of_exec = errno == ENOENT;
    errno = 4711;
    produce(0, 1);
    return errno == 4711 && of_exec ? 0 : 1;
}

static void nasty(void)
{
    static const char *const texts[] = {
        "quote \" backslash \\ slash / tab \t newline \n return \r",
        "escape \033[31m delete \177 bell \a one \002",
        "valid \303\244 \342\202\254 \360\237\230\200",
        "invalid \377 \303 \300\200 overlong \340\200\200 surrogate \355\240\200 beyond "
        "\364\220\200\200 end \342\202",
        "reference without end \001C12",
        "\001Cxyz\001 \001Q1\001 \001N\001 \001C1",
        "\001C0\001none\001Cffffff\001",
        "",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        produce_nasty(texts[i]);
}

static void suppressions(void)
{
    uint32_t stack = produce_stack();
    produce_with_stack("slow-callback", "created", stack, "slow");
    produce_with_stack("invalid-state", "call", stack, "state");
    produce_with_stack("request-reused", "call", 0, "no stack");
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    argument = argc > 2 ? argv[2] : "";
    if (strcmp(mode, "life") == 0)
        return thread_life();
    if (strcmp(mode, "errno") == 0)
        return errno_kept();
    if (strcmp(mode, "unused") == 0)
        return 0;
    produce_start();
    if (strcmp(mode, "end") == 0)
        return end_by(argument);
    if (strcmp(mode, "fork") == 0)
        fork_once(argument);
    if (strcmp(mode, "storm") == 0)
        return fork_storm();
    if (strcmp(mode, "overflow") == 0)
        overflow();
    if (strcmp(mode, "eight") == 0)
        eight_threads();
    if (strcmp(mode, "records") == 0)
        produce(0, atoi(argument));
    if (strcmp(mode, "repeat") == 0)
        for (int i = 0; i < atoi(argument); i++)
            produce_record("slow-callback", 0, 1, "Executing it took long");
    if (strcmp(mode, "timed") == 0) {
        static const double took[] = {5, 6, 7, 0.25, 0.75, 0.125};
        for (size_t i = 0; i < sizeof took / sizeof *took; i++)
            produce_timed(took[i], "Executing it took long");
        execl("/nonexistent", "x", (char *)NULL); /* what was counted is told */
        produce_timed(0.5, "Executing it took long");
    }
    if (strcmp(mode, "places") == 0) /* more than are told apart */
        for (int i = 0; i < 6000; i += 500) {
            produce(i, 500);
            produce_flush(10);
        }
    if (strcmp(mode, "level") == 0)
        for (int level = 10; level <= 50; level += 10)
            produce_record("slow-poll", level, (uint64_t)level, "poll took long");
    if (strcmp(mode, "info") == 0)
        for (int i = 0; i < 10; i++)
            produce_record("pending-at-close", 20, 0, "Pending tasks at exit");
    if (strcmp(mode, "check") == 0)
        produce_record(argument, 0, 0, "said");
    if (strcmp(mode, "closed") == 0) {
        produce(0, 1);
        produce_flush(5);
        close_all();
        produce(1, 1);
    }
    if (strcmp(mode, "reuse") == 0)
        return reuse_log(argument);
    if (strcmp(mode, "short") == 0)
        return short_of_descriptors(argument);
    if (strcmp(mode, "two") == 0)
        two_to_null();
    if (strcmp(mode, "fds") == 0) {
        int before = count_open();
        produce_with_stack("invalid-state", "call", produce_stack(), "state");
        produce_flush(10);
        printf("%d\n", count_open() - before);
    }
    if (strcmp(mode, "signals") == 0)
        return reporter_signals();
    if (strcmp(mode, "nasty") == 0)
        nasty();
    if (strcmp(mode, "long") == 0) {
        produce_long(5000);
        produce_long(200000);
    }
    if (strcmp(mode, "unnamed") == 0)
        for (int i = 0; i < 4; i++) {
            char text[] = "message 0";
            text[8] = (char)('0' + i);
            produce_unnamed(text);
        }
    if (strcmp(mode, "fatal") == 0)
        for (int i = 0; i < 3; i++) {
            produce_fatal("Stack overflow in coroutine 'f' (64 KiB)");
            produce_flush(5);
        }
    if (strcmp(mode, "suppress") == 0)
        suppressions();
    if (strcmp(mode, "locale") == 0) {
        printf("%s", setlocale(LC_ALL, "de_DE.UTF-8") ? "" : "no such locale\n");
        printf("%.1f\n", 0.5);
        produce_nasty("x");
    }
    if (strcmp(mode, "config") == 0)
        produce_print_config();
    if (strcmp(mode, "json-help") == 0)
        produce_documentation(1, true);
    if (strcmp(mode, "help") == 0)
        produce_documentation(1, false);
    if (strcmp(mode, "no-thread") == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_NPROC, &none);
        printf("%d\n", setuid(65534));
        produce(0, 10);
    }
    return 0;
}
