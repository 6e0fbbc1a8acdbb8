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
 * A program that is out of descriptors may have some again a moment later, and its stderr may be
 * what somebody compares: what was to be written meanwhile is held back, in order, until the file
 * can be opened, there is no room for more, or the process ends. In the two last cases it goes to
 * stderr with one line that says why.
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
#include "queue.h"
#include "sink.h"

enum { NO_FD = -1, LATER = -2 };

static enum { UNOPENED, OPEN, FELL_BACK } state;
static int sink_fd = -1;
static aiodebug_file_t file;       /* what sink_fd stands for */
static aiodebug_file_t given;      /* what AIODEBUG_LOG=fd:N stood for at the start */
static bool torn;                  /* the last write stopped half-way: begin on a new line */
static char opened_path[PATH_MAX]; /* for messages */

/* What waits for a descriptor: one record after the other, the length of each in front of it. */
static struct {
    char bytes[64 * 1024];
    size_t length;
    unsigned records;
    int why; /* EMFILE or ENFILE */
} held;

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

/* The file's descriptor, NO_FD or LATER. Not blocking: a FIFO without a reader must not hold the
 * reporter. */
static int open_path(void)
{
    expand_path();
    int fd =
        open(opened_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        held.why = errno;
        return LATER; /* the program may close some */
    }
    if (fd < 0) {
        fall_back("open", errno);
        return NO_FD;
    }
    sink_fd = move_up(fd);
    file = aiodebug_file_of(sink_fd);
    state = OPEN;
    return sink_fd;
}

/* The descriptor to write to now; NO_FD: stderr is the log; LATER: there is none to be had. */
static int current(void)
{
    if (state == FELL_BACK || aiodebug_config.log == AIODEBUG_LOG_STDERR) {
        return NO_FD;
    }
    if (state == OPEN && aiodebug_file_is(sink_fd, &file)) {
        return sink_fd;
    }
    if (aiodebug_config.log == AIODEBUG_LOG_PATH) {
        return open_path();
    }
    snprintf(opened_path, sizeof opened_path, "fd:%d", aiodebug_config.log_fd);
    if (!aiodebug_file_is(aiodebug_config.log_fd, &given)) {
        fall_back("write to", EBADF);
        return NO_FD;
    }
    sink_fd = aiodebug_config.log_fd;
    file = given;
    state = OPEN;
    return sink_fd;
}

static int write_to(int fd, const char *data, size_t length)
{
    size_t written;
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

static void write_record(int fd, const char *data, size_t length)
{
    if (write_to(fd, data, length) != 0) {
        aiodebug_queue_count_lost(AIODEBUG_LOST_WRITE);
    }
}

static bool hold(const char *data, size_t length)
{
    if (sizeof held.bytes - held.length < sizeof length + length) {
        return false;
    }
    memcpy(held.bytes + held.length, &length, sizeof length);
    memcpy(held.bytes + held.length + sizeof length, data, length);
    held.length += sizeof length + length;
    held.records++;
    return true;
}

/* The descriptor is asked for again for each record: the one before it may have found it bad. */
static void let_go(bool to_stderr)
{
    size_t length;
    for (size_t at = 0; at < held.length; at += sizeof length + length) {
        memcpy(&length, held.bytes + at, sizeof length);
        write_record(to_stderr ? NO_FD : current(), held.bytes + at + sizeof length, length);
    }
    held.length = held.records = 0;
}

static void let_go_to_stderr(void)
{
    aiodebug_say("cannot open %s: %s; %u record%s to stderr", opened_path,
                 strerrordesc_np(held.why), held.records, held.records == 1 ? " goes" : "s go");
    let_go(true);
}

bool aiodebug_sink_retry(void)
{
    if (held.records && current() != LATER) {
        let_go(false);
    }
    return held.records == 0;
}

void aiodebug_sink_finish(void)
{
    if (!aiodebug_sink_retry()) {
        let_go_to_stderr();
    }
}

void aiodebug_sink_write(const char *data, size_t length)
{
    int fd = aiodebug_sink_retry() ? current() : LATER;
    if (fd != LATER) {
        write_record(fd, data, length);
    } else if (!hold(data, length)) {
        let_go_to_stderr();
        if (!hold(data, length)) {
            write_record(NO_FD, data, length);
        }
    }
}

void aiodebug_sink_after_fork_child(void)
{
    torn = false;
    held.length = held.records = 0; /* the parent's to write */
    /* A log of its own for each process; otherwise the two go on sharing the open file. */
    if (aiodebug_config.log == AIODEBUG_LOG_PATH && strstr(aiodebug_config.log_path, "%p")) {
        if (state == OPEN && aiodebug_file_is(sink_fd, &file)) {
            close(sink_fd);
        }
        state = UNOPENED;
        sink_fd = -1;
    }
}
