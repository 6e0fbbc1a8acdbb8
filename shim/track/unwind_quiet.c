/* SPDX-License-Identifier: MIT */
/*
 * unwind_quiet.c - keeps libunwind's hands off the program's descriptors.
 *
 * Before it reads a doubtful address, libunwind writes a byte from there into a pipe that it opened
 * at its first unwind, and reads the byte back. A program that closes all descriptors (a daemon)
 * gives those two numbers away, to a socket perhaps: the next check would then eat a byte of the
 * program's input and send a byte of its stack. So the pipe is never opened: in libunwind's own
 * table of imported functions, pipe2() and those that use its result are replaced by the functions
 * below, which answer the same question ("may this address be read?") with a system call that needs
 * no descriptor.
 *
 * Its mutexes are taken from libc itself in the same way: it uses one when a thread that captured
 * ends, after ThreadSanitizer, whose function would be called, has forgotten that thread.
 *
 * Only the copy of libunwind that the shim itself brought in is changed, before
 * its first use.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "track/unwind_ops.h"

/* Stands for both ends of the pipe; never a descriptor, and not the -1 of "not opened". */
enum { NO_PIPE = -2 };

/* Where the first way is forbidden (a seccomp filter): rt_sigprocmask() copies the new mask in
 * before it looks at `how`, so it says EFAULT, or EINVAL for a `how` that does not exist. It
 * changes nothing. It is not the first way because Valgrind complains of what it reads. */
static bool readable(uintptr_t address)
{
    char byte;
    struct iovec here = {.iov_base = &byte, .iov_len = 1};
    struct iovec there = {.iov_base = (void *)address, .iov_len = 1};
    long got = syscall(SYS_process_vm_readv, (long)getpid(), &here, 1L, &there, 1L, 0L);
    if (got == 1 || errno == EFAULT)
        return got == 1;
    address &= ~(uintptr_t)7;
    return syscall(SYS_rt_sigprocmask, ~0, address, NULL, 8) == -1 && errno == EINVAL;
}

static int quiet_pipe2(int ends[2], int flags)
{
    (void)flags;
    ends[0] = ends[1] = NO_PIPE;
    return 0;
}

static int quiet_pipe(int ends[2])
{
    return quiet_pipe2(ends, 0);
}

static ssize_t quiet_read(int fd, void *buffer, size_t size)
{
    if (fd != NO_PIPE)
        return read(fd, buffer, size);
    errno = EAGAIN; /* an empty pipe */
    return -1;
}

static ssize_t quiet_write(int fd, const void *data, size_t size)
{
    if (fd != NO_PIPE)
        return write(fd, data, size);
    if (readable((uintptr_t)data))
        return (ssize_t)size;
    errno = EFAULT;
    return -1;
}

static long quiet_syscall(long number, ...)
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    /* A descriptor passed as int may have anything in its upper half. */
    if (number == SYS_write && (int)a[0] == NO_PIPE)
        return quiet_write(NO_PIPE, (const void *)a[1], (size_t)a[2]);
    return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* libunwind asks whether pages are mapped; what it wants to know is whether they can be read. */
static int quiet_mincore(void *start, size_t length, unsigned char *pages)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (uintptr_t offset = 0; offset < length; offset += page) {
        if (!readable((uintptr_t)start + offset)) {
            errno = ENOMEM;
            return -1;
        }
        pages[offset / page] = 1;
    }
    return 0;
}

static int (*libc_mutex_lock)(pthread_mutex_t *);
static int (*libc_mutex_unlock)(pthread_mutex_t *);

static int quiet_mutex_lock(pthread_mutex_t *mutex)
{
    return libc_mutex_lock(mutex);
}

static int quiet_mutex_unlock(pthread_mutex_t *mutex)
{
    return libc_mutex_unlock(mutex);
}

static void find_libc(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    if (libc != NULL) {
        *(void **)&libc_mutex_lock = dlsym(libc, "pthread_mutex_lock");
        *(void **)&libc_mutex_unlock = dlsym(libc, "pthread_mutex_unlock");
    }
    if (libc_mutex_lock == NULL || libc_mutex_unlock == NULL) {
        libc_mutex_lock = pthread_mutex_lock;
        libc_mutex_unlock = pthread_mutex_unlock;
    }
}

static const struct {
    const char *name;
    void (*function)(void);
} replacements[] = {
    {"pipe2", (void (*)(void))quiet_pipe2},
    {"pipe", (void (*)(void))quiet_pipe},
    {"read", (void (*)(void))quiet_read},
    {"write", (void (*)(void))quiet_write},
    {"syscall", (void (*)(void))quiet_syscall},
    {"mincore", (void (*)(void))quiet_mincore},
    {"pthread_mutex_lock", (void (*)(void))quiet_mutex_lock},
    {"pthread_mutex_unlock", (void (*)(void))quiet_mutex_unlock},
};

enum { REPLACEMENTS = sizeof(replacements) / sizeof(replacements[0]) };

#if defined(__x86_64__)
#define IS_IMPORT(type) ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT)
#elif defined(__aarch64__)
#define IS_IMPORT(type) ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT)
#else
#define IS_IMPORT(type) ((void)(type), 0)
#endif

typedef struct {
    ElfW(Addr) base;
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * tables[2]; /* of calls, of data */
    size_t sizes[2];
    size_t relro_start, relro_size; /* made read-only by the loader; size 0: nothing is */
} image_t;

/* The loader turns the section's addresses into pointers on most processors, not on all. */
static const void *in_image(const image_t *image, ElfW(Addr) address)
{
    return (const void *)(address < image->base ? address + image->base : address);
}

static bool read_dynamic(const struct link_map *map, image_t *image)
{
    bool rela = true;
    image->base = map->l_addr;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        ElfW(Addr) pointer = entry->d_un.d_ptr;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            image->symbols = in_image(image, pointer);
            break;
        case DT_STRTAB:
            image->names = in_image(image, pointer);
            break;
        case DT_JMPREL:
            image->tables[0] = in_image(image, pointer);
            break;
        case DT_PLTRELSZ:
            image->sizes[0] = entry->d_un.d_val;
            break;
        case DT_PLTREL:
            rela = entry->d_un.d_val == DT_RELA;
            break;
        case DT_RELA:
            image->tables[1] = in_image(image, pointer);
            break;
        case DT_RELASZ:
            image->sizes[1] = entry->d_un.d_val;
            break;
        }
    }
    return rela && image->symbols != NULL && image->names != NULL;
}

static int find_relro(struct dl_phdr_info *info, size_t size, void *arg)
{
    image_t *image = arg;
    (void)size;
    if (info->dlpi_addr != image->base)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
            image->relro_start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            image->relro_size = info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1;
}

/* Which replacement a relocation is for; -1: none. */
static int replacement_for(const image_t *image, const ElfW(Rela) * relocation)
{
    if (!IS_IMPORT(ELF64_R_TYPE(relocation->r_info)))
        return -1;
    const char *name = image->names + image->symbols[ELF64_R_SYM(relocation->r_info)].st_name;
    for (int i = 0; i < REPLACEMENTS; i++) {
        if (strcmp(name, replacements[i].name) == 0)
            return i;
    }
    return -1;
}

static bool write_slot(const image_t *image, uintptr_t slot, uintptr_t value)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = slot & ~(page - 1);
    bool sealed = slot - image->relro_start < image->relro_size;
    if (sealed && mprotect((void *)start, page, PROT_READ | PROT_WRITE) != 0)
        return false;
    *(volatile uintptr_t *)slot = value;
    if (sealed)
        mprotect((void *)start, page, PROT_READ);
    return true;
}

bool aiodebug_unwind_quiet(void *handle)
{
    struct link_map *map = NULL;
    image_t image = {0};
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || !read_dynamic(map, &image))
        return false;
    dl_iterate_phdr(find_relro, &image);
    find_libc();
    bool done = false;
    for (int t = 0; t < 2; t++) {
        size_t n = image.tables[t] == NULL ? 0 : image.sizes[t] / sizeof(ElfW(Rela));
        for (size_t i = 0; i < n; i++) {
            int r = replacement_for(&image, &image.tables[t][i]);
            if (r < 0)
                continue;
            uintptr_t slot = image.base + image.tables[t][i].r_offset;
            if (!write_slot(&image, slot, (uintptr_t)replacements[r].function))
                return false;
            done = true;
        }
    }
    return done;
}
