/* SPDX-License-Identifier: MIT */
/* Quiet writing; see say.h. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static aiodebug_file_t first_stderr;

aiodebug_file_t aiodebug_file_of(int fd)
{
    struct stat st;
    int saved = errno;
    bool known = fstat(fd, &st) == 0;
    errno = saved;
    return known ? (aiodebug_file_t){true, st.st_dev, st.st_ino} : (aiodebug_file_t){0};
}

bool aiodebug_file_is(int fd, const aiodebug_file_t *file)
{
    aiodebug_file_t now = aiodebug_file_of(fd);
    return now.known && file->known && now.device == file->device && now.inode == file->inode;
}

/* write(2) until all is out. */
static int write_all(int fd, const char *data, size_t length, size_t *written)
{
    *written = 0;
    while (*written < length) {
        ssize_t n = write(fd, data + *written, length - *written);
        if (n > 0) {
            *written += (size_t)n;
        } else if (n == 0) {
            return EIO;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            if (poll(&ready, 1, 1000) == 0) {
                return EAGAIN;
            }
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

int aiodebug_write_quietly(int fd, const char *data, size_t length, size_t *written)
{
    static const int mine[] = {SIGPIPE, SIGXFSZ};
    size_t ignored;
    sigset_t both, before, pending;
    int saved = errno;
    sigemptyset(&both);
    sigaddset(&both, SIGPIPE);
    sigaddset(&both, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &both, &before);
    sigpending(&pending);
    int err = write_all(fd, data, length, written ? written : &ignored);
    if (err == EPIPE || err == EFBIG) {
        /* The signal of our own write goes to this thread; one that was there before stays. */
        for (int i = 0; i < 2; i++) {
            if (sigismember(&pending, mine[i])) {
                sigdelset(&both, mine[i]);
            }
        }
        const struct timespec now = {0, 0};
        while (sigtimedwait(&both, NULL, &now) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return err;
}

void aiodebug_stderr_remember(void)
{
    first_stderr = aiodebug_file_of(STDERR_FILENO);
}

int aiodebug_stderr_write(const char *data, size_t length)
{
    if (!aiodebug_file_is(STDERR_FILENO, &first_stderr)) {
        return EBADF;
    }
    return aiodebug_write_quietly(STDERR_FILENO, data, length, NULL);
}

void aiodebug_say(const char *format, ...)
{
    char line[1024];
    int saved = errno;
    size_t length = (size_t)snprintf(line, sizeof line, "aiodebug: ");
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + length, sizeof line - length - 1, format, args);
    va_end(args);
    if (n > 0) {
        size_t room = sizeof line - length - 2;
        length += (size_t)n < room ? (size_t)n : room;
    }
    line[length++] = '\n';
    aiodebug_stderr_write(line, length);
    errno = saved;
}
