/* SPDX-License-Identifier: MIT */
/*
 * The log file.
 *
 * Opened at the first record, never earlier, and kept open under a high number, out of the way of
 * programs that expect the lowest ones. The descriptor is the program's to close by accident
 * ("close all but 0 to 2") and its number then the next socket's: so before each write fstat()
 * tells whether it is still our file, and if it is not the file is opened anew, and whatever has
 * taken its place is left alone. What cannot be opened or written falls back to stderr with one
 * line.
 *
 * Files are appended to, each record with one write(2), so several processes may share one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../config.h"
#include "../init.h"
#include "../say.h"
#include "sink.h"

static enum { UNOPENED, OPEN, FELL_BACK } state;
static int sink_fd = -1;
static aiodebug_file_t file;       /* what sink_fd stands for */
static aiodebug_file_t given;      /* what AIODEBUG_LOG=fd:N stood for at the start */
static bool torn;                  /* the last write stopped half-way: begin on a new line */
static char opened_path[PATH_MAX]; /* for messages */

void aiodebug_sink_remember(void)
{
    if (aiodebug_config.log == AIODEBUG_LOG_FD) {
        given = aiodebug_file_of(aiodebug_config.log_fd);
    }
}

void aiodebug_sink_complain(void)
{
    if (aiodebug_config.log == AIODEBUG_LOG_FD && !given.known) {
        aiodebug_say("AIODEBUG_LOG=fd:%d is not valid: accepted is the number of an open "
                     "descriptor; using stderr",
                     aiodebug_config.log_fd);
        state = FELL_BACK;
    }
}

static void fall_back(const char *what, int err)
{
    aiodebug_say("cannot %s %s: %s; the log goes to stderr", what, opened_path,
                 strerrordesc_np(err));
    state = FELL_BACK;
}

/* %p: process id, %e: program, %%: %. What else follows a % config.c has refused. */
static void expand_path(void)
{
    size_t n = 0;
    for (const char *p = aiodebug_config.log_path; *p && n < sizeof opened_path - 1; p++) {
        if (*p != '%' || p[1] == '%') {
            opened_path[n++] = *p;
            p += *p == '%';
            continue;
        }
        size_t room = sizeof opened_path - n;
        int length = *++p == 'p' ? snprintf(opened_path + n, room, "%d", (int)aiodebug_pid)
                                 : snprintf(opened_path + n, room, "%s", aiodebug_program);
        n += (size_t)length < room ? (size_t)length : room - 1;
    }
    opened_path[n] = '\0';
}

/* The same file under a number that is not among those programs count on. */
static int move_up(int fd)
{
    struct rlimit limit;
    rlim_t highest = 1024;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < highest) {
        highest = limit.rlim_cur;
    }
    int high = fcntl(fd, F_DUPFD_CLOEXEC, (int)(highest - highest / 8));
    if (high < 0) {
        return fd;
    }
    close(fd);
    return high;
}

/* Not blocking: a FIFO without a reader must not hold the reporter. */
static bool open_path(void)
{
    expand_path();
    int fd =
        open(opened_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        return false; /* the program may close some: stderr for this time */
    }
    if (fd < 0) {
        fall_back("open", errno);
        return false;
    }
    sink_fd = move_up(fd);
    file = aiodebug_file_of(sink_fd);
    state = OPEN;
    return true;
}

/* The descriptor to write to now; -1: stderr is the log. */
static int current(void)
{
    if (state == FELL_BACK || aiodebug_config.log == AIODEBUG_LOG_STDERR) {
        return -1;
    }
    if (state == OPEN && aiodebug_file_is(sink_fd, &file)) {
        return sink_fd;
    }
    if (aiodebug_config.log == AIODEBUG_LOG_PATH) {
        return open_path() ? sink_fd : -1;
    }
    snprintf(opened_path, sizeof opened_path, "fd:%d", aiodebug_config.log_fd);
    if (!aiodebug_file_is(aiodebug_config.log_fd, &given)) {
        fall_back("write to", EBADF);
        return -1;
    }
    sink_fd = aiodebug_config.log_fd;
    file = given;
    state = OPEN;
    return sink_fd;
}

int aiodebug_sink_write(const char *data, size_t length)
{
    size_t written;
    int fd = current();
    if (fd < 0) {
        return aiodebug_stderr_write(data, length);
    }
    if (torn && aiodebug_write_quietly(fd, "\n", 1, NULL) == 0) {
        torn = false;
    }
    int err = aiodebug_write_quietly(fd, data, length, &written);
    torn = err && (torn || written);
    if (!err || err == EAGAIN) {
        return err; /* EAGAIN: nobody reads just now, which may change */
    }
    fall_back("write to", err);
    return aiodebug_stderr_write(data, length);
}

void aiodebug_sink_after_fork_child(void)
{
    torn = false;
    /* A log of its own for each process; otherwise the two go on sharing the open file. */
    if (aiodebug_config.log == AIODEBUG_LOG_PATH && strstr(aiodebug_config.log_path, "%p")) {
        if (state == OPEN && aiodebug_file_is(sink_fd, &file)) {
            close(sink_fd);
        }
        state = UNOPENED;
        sink_fd = -1;
    }
}
