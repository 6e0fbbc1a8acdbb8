/* SPDX-License-Identifier: MIT */
/*
 * What capturing must not do to a program: crash on a frame it cannot understand, keep or touch
 * descriptors, or fail where there is no libunwind ("missing" as argument, with
 * AIORT_TEST_LIBUNWIND naming no file).
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "track/stacks.h"
#include "track/threads.h"
#include "track/unwind.h"

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

static int warnings;

static void warn(const char *line)
{
    warnings += strstr(line, "libunwind") != NULL && strchr(line, '\n') == NULL;
}

static void missing(void)
{
    void *pcs[8] = {(void *)0x1000, (void *)0x2000};
    check(!aiodebug_stack_init(warn) && !aiodebug_stack_init(warn), "no libunwind: says so",
          "it is there");
    check(warnings == 1, "no libunwind: one line", "%d", warnings);
    check(!aiodebug_unwind_available() && aiodebug_stack_capture() == 0, "no libunwind: no stacks",
          "some");
    check(aiodebug_unwind_here(pcs + 2, 6) == 0, "no libunwind: nothing from here", "some");
    check(aiodebug_stack_of_thread(getpid()) == 0, "no libunwind: no other thread's", "some");
    aiodebug_thread_look_t look;
    aiodebug_thread_look(getpid(), &look);
    check(look.state != AIODEBUG_THREAD_UNKNOWN, "no libunwind: a look still works", "unknown");
    aiodebug_stack_t id = aiodebug_stack_intern(pcs, 2);
    check(id != 0 && aiodebug_stack_frames(id, pcs, 8) == 2, "no libunwind: the table works", "%u",
          id);
}

#if defined(__x86_64__)

typedef aiodebug_stack_t made_t(aiodebug_stack_t (*)(void), void *rbp);

/* A function without unwind information: puts `rbp` where frames are followed, calls, returns. */
static made_t *make_function(void)
{
    static const unsigned char code[] = {
        0x55,             /* push %rbp */
        0x48, 0x89, 0xf5, /* mov %rsi, %rbp */
        0xff, 0xd7,       /* call *%rdi */
        0x5d,             /* pop %rbp */
        0xc3,             /* ret */
    };
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof(code));
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    made_t *made;
    *(void **)&made = page;
    return made;
}

NOINLINE void garbage(void)
{
    char *fence = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t frame[2] = {0, (uintptr_t)garbage + 8};
    void *values[] = {NULL,
                      (void *)0xdeadbeef,
                      (void *)0x4141414141414141,
                      (void *)UINTPTR_MAX,
                      (void *)(UINTPTR_MAX - 7),
                      fence,
                      fence + 4093,
                      frame,
                      (char *)frame + 3,
                      __builtin_frame_address(0),
                      (void *)((uintptr_t)sbrk(0) - 8)};
    int n = sizeof(values) / sizeof(values[0]), captured = 0;
    /* Each value first at an address that is new to the unwinder, then at one that learned with
     * every other value. */
    for (int first = 0; first < n; first++) {
        made_t *made = make_function();
        for (int i = 0; i < 3 * n; i++)
            captured += made(aiodebug_stack_capture, values[(first + i / 3) % n]) != 0;
    }
    check(captured == 3 * n * n, "frames that make no sense", "%d of %d", captured, 3 * n * n);
    munmap(fence, 8192);
}

/* A program that closes all descriptors gives their numbers to others. */
NOINLINE void closed_descriptors(void)
{
    int pairs[8][2];
    char byte = 'x', got;
    int eaten = 0, sent = 0;
    for (int fd = 3; fd < 256; fd++)
        close(fd);
    for (int i = 0; i < 8; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) != 0 || write(pairs[i][0], &byte, 1) != 1)
            return;
        if (write(pairs[i][1], &byte, 1) != 1)
            return;
    }
    int jitted = 0; /* of unknown code, so that addresses are checked */
    for (int i = 0; i < 50; i++)
        jitted += make_function()(aiodebug_stack_capture, __builtin_frame_address(0)) != 0;
    for (int i = 0; i < 8; i++) {
        for (int end = 0; end < 2; end++) {
            eaten += recv(pairs[i][end], &got, 1, MSG_DONTWAIT) != 1 || got != 'x';
            sent += recv(pairs[i][end], &got, 1, MSG_DONTWAIT) != -1;
        }
    }
    check(jitted == 50, "through unknown code", "%d of 50", jitted);
    check(eaten == 0 && sent == 0, "no byte of another's descriptor is touched",
          "%d eaten, %d sent", eaten, sent);
}

/* Unknown code is left through rbp where that does lead on: to the caller of the frame whose record
 * it points to. */
NOINLINE void unknown_code(void)
{
    void *pcs[16];
    aiodebug_stack_t id = make_function()(aiodebug_stack_capture, __builtin_frame_address(0));
    const char *have = names_of(pcs, aiodebug_stack_frames(id, pcs, 16));
    check(strncmp(have, "?<-harmless", 11) == 0, "beyond unknown code", "%s", have);
}

#else

static void garbage(void) {}

static void closed_descriptors(void) {}

static void unknown_code(void) {}

#endif

static void *capture_once(void *arg)
{
    *(aiodebug_stack_t *)arg = aiodebug_stack_capture();
    return NULL;
}

NOINLINE void harmless(void)
{
    int before = descriptors();
    check(aiodebug_stack_init(warn) && aiodebug_stack_init(warn) && warnings == 0, "is there",
          "not");
    aiodebug_stack_t id = aiodebug_stack_capture(), others = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, capture_once, &others);
    pthread_join(thread, NULL);
    check(id != 0 && others != 0, "captures", "%u %u", id, others);
    check(!aiodebug_unwind_busy(), "not busy", "busy");
    check(descriptors() == before, "no descriptor is kept", "%d, not %d", descriptors(), before);
    garbage();
    unknown_code();
    check(descriptors() == before, "nor afterwards", "%d, not %d", descriptors(), before);
    closed_descriptors();
    Dl_info info;
    void *raise = dlsym(RTLD_DEFAULT, "_Unwind_RaiseException");
    check(raise == NULL ||
              (dladdr(raise, &info) != 0 && strstr(info.dli_fname, "libunwind") == NULL),
          "C++ exceptions are not libunwind's", "%s", raise == NULL ? "" : info.dli_fname);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "missing") == 0)
        missing();
    else
        harmless();
    return check_failures != 0;
}
