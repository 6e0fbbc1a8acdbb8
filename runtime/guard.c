/* SPDX-License-Identifier: MIT */
/*
 * Guards below stacks, as good as the kernel lets us.
 *
 * MADV_GUARD_INSTALL (Linux 6.13) marks pages without splitting the mapping, so any number of
 * stacks fits under vm.max_map_count; process_madvise() does 256 of them in one call. Before that
 * there is mprotect(), at two mappings a stack; it stops at half of what the kernel allows, since
 * the program needs mappings too. Beyond that a stack has no guard, which is said once, and stack.c
 * looks at the bytes below it when it is released.
 *
 * Every way is tried, never asked for by kernel version: a seccomp filter, or memory that the
 * program has locked, refuses what the kernel could do.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "stack.h"

#if !defined(MADV_GUARD_INSTALL)
#define MADV_GUARD_INSTALL 102
#endif
#if !defined(SYS_pidfd_open)
#define SYS_pidfd_open 434
#endif
#if !defined(SYS_process_madvise)
#define SYS_process_madvise 440
#endif

#define PIDFD_OF_SELF (-10001) /* PIDFD_SELF_THREAD_GROUP, Linux 6.14 */

enum {
    BATCH = 256, /* ranges that the kernel looks at in one call */
    MIN_BATCH = 4
};

/* Guards of all pools that split a mapping, and what vm.max_map_count allows; 0: not read yet. */
static atomic_long mprotected;
static atomic_long mprotect_limit;

static long advise_ranges(int pidfd, const struct iovec *ranges, uint32_t count)
{
    return syscall(SYS_process_madvise, pidfd, ranges, (size_t)count, MADV_GUARD_INSTALL, 0U);
}

/* As above, opening a descriptor where the kernel does not know the magic one. */
static long advise_ranges_of_self(const struct iovec *ranges, uint32_t count)
{
    long done = advise_ranges(PIDFD_OF_SELF, ranges, count);
    int pidfd, err;

    if (done >= 0 || errno != EBADF) {
        return done;
    }
    pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0U);
    if (pidfd < 0) {
        return -1;
    }
    done = advise_ranges(pidfd, ranges, count);
    err = errno;
    close(pidfd);
    errno = err;
    return done;
}

/* The kernel may stop half-way, for a signal; it says how many bytes it did. */
static uint32_t install_batched(char *first, size_t stride, size_t bytes, uint32_t count)
{
    struct iovec ranges[BATCH];
    uint32_t done = 0, i, n;
    long advised;

    while (done < count) {
        n = count - done < BATCH ? count - done : BATCH;
        for (i = 0; i < n; i++) {
            ranges[i].iov_base = first + (done + i) * stride;
            ranges[i].iov_len = bytes;
        }
        do {
            advised = advise_ranges_of_self(ranges, n);
        } while (advised < 0 && errno == EINTR);
        if (advised < (long)bytes) {
            break;
        }
        done += (uint32_t)((size_t)advised / bytes);
    }
    return done;
}

static uint32_t install_single(char *first, size_t stride, size_t bytes, uint32_t count)
{
    uint32_t done = 0;

    while (done < count) {
        if (madvise(first + done * stride, bytes, MADV_GUARD_INSTALL) == 0) {
            done++;
        } else if (errno != EINTR) {
            break;
        }
    }
    return done;
}

/* A guard inside a mapping makes two more of it; ours may be half of all. */
static long read_mprotect_limit(void)
{
    long limit = atomic_load_explicit(&mprotect_limit, memory_order_relaxed);
    long count = 65530;
    FILE *file;

    if (limit > 0) {
        return limit;
    }
    file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%ld", &count) != 1 || count < 0) {
            count = 65530;
        }
        fclose(file);
    }
    limit = count / 4 + 1;
    atomic_store_explicit(&mprotect_limit, limit, memory_order_relaxed);
    return limit;
}

static uint32_t install_mprotect(char *first, size_t stride, size_t bytes, uint32_t count)
{
    long limit = read_mprotect_limit();
    uint32_t done = 0;

    while (done < count) {
        if (atomic_fetch_add_explicit(&mprotected, 1, memory_order_relaxed) >= limit) {
            errno = ENOMEM;
        } else if (mprotect(first + done * stride, bytes, PROT_NONE) == 0) {
            done++;
            continue;
        }
        aiort__guard_forget(1);
        break;
    }
    return done;
}

void aiort__guard_forget(uint32_t count)
{
    atomic_fetch_sub_explicit(&mprotected, (long)count, memory_order_relaxed);
}

/* Not by stdio: the program may have closed or locked its stderr. */
static void say_unguarded_once(int err)
{
    static atomic_bool said;
    char line[192];
    int length;

    if (atomic_exchange(&said, true)) {
        return;
    }
    length = snprintf(line, sizeof(line),
                      "WARNING:aiort:No guard pages for further coroutine stacks (%s): an overflow "
                      "will be noticed only when the coroutine ends\n",
                      strerror(err));
    if (write(STDERR_FILENO, line, (size_t)length) < 0) {
        return; /* nowhere left to say it */
    }
}

uint32_t aiort__guard_install(aiort__guard_t *how, char *first, size_t stride, size_t bytes,
                              uint32_t count)
{
    uint32_t done = 0;

    switch (*how) {
    case AIORT__GUARD_BATCHED:
        /* Few are as cheap one by one. */
        done = count < MIN_BATCH ? install_single(first, stride, bytes, count)
                                 : install_batched(first, stride, bytes, count);
        break;
    case AIORT__GUARD_SINGLE:
        done = install_single(first, stride, bytes, count);
        break;
    case AIORT__GUARD_MPROTECT:
        done = install_mprotect(first, stride, bytes, count);
        break;
    case AIORT__GUARD_CANARY:
        return 0;
    }
    if (done < count) {
        *how = (aiort__guard_t)(*how + 1);
        if (*how == AIORT__GUARD_CANARY) {
            say_unguarded_once(errno);
        }
    }
    return done;
}
