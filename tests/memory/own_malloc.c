/* SPDX-License-Identifier: MIT */
/* A program with an allocator of its own inside, as one that is linked with jemalloc's or Go's: its
 * free() comes before the shim's, but C++'s delete does not, and nothing is known of its blocks,
 * which begin at a page's beginning, with no page before it. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <uv.h>

void _ZdlPv(void *block); /* operator delete */
void *_Znwm(size_t size); /* operator new */

static int freed;

/* A size in front of each; but what operator new asks for here begins where nothing can be read
 * before it. Nothing is used twice. */
enum { OF_NEW = 400 };

void *malloc(size_t size)
{
    static char *region;
    static _Atomic size_t used;
    size_t bytes = size == OF_NEW ? 8192 : (size + 31) / 16 * 16;
    if (!region) {
        region = mmap(NULL, (size_t)1 << 32, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (size == OF_NEW) {
        used = (used + 4095) / 4096 * 4096;
        mprotect(region + used, 4096, PROT_NONE);
        return region + (atomic_fetch_add(&used, bytes) + bytes) - 4096;
    }
    char *block = region + (atomic_fetch_add(&used, bytes) + bytes) - bytes;
    memcpy(block, &size, sizeof size);
    return block + 16;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

void *realloc(void *block, size_t size)
{
    size_t old = 0;
    void *moved = malloc(size);
    if (block) {
        memcpy(&old, (char *)block - 16, sizeof old);
        memcpy(moved, block, old < size ? old : size);
    }
    return moved;
}

void free(void *block)
{
    freed += block && ((uintptr_t)block & 4095) == 0; /* none of the shim's own */
}

int main(void)
{
    char *beginning = _Znwm(OF_NEW), *further = _Znwm(OF_NEW), *none = _Znwm(OF_NEW);
    uv_timer_init(uv_default_loop(), (uv_timer_t *)beginning);
    uv_timer_init(uv_default_loop(), (uv_timer_t *)(further + 64));
    int before = freed;
    _ZdlPv(beginning);
    _ZdlPv(further);
    _ZdlPv(none);
    printf("%d freed\n", freed - before);
    fflush(stdout);
    return 0;
}
