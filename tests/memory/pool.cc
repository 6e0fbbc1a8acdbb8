// SPDX-License-Identifier: MIT
//
// A library with operators of its own, which count, behind a C interface. As libpool.so: a pool that is not
// malloc's, whose blocks have nothing before them that malloc() would understand. With -DPLUGIN: only a user
// of new and delete, for a program that has no C++ library of its own.
#include <cstddef>
#include <cstdlib>
#include <new>
#include <uv.h>

#ifndef PLUGIN
extern "C" int pool_deleted = 0;
static char *pool = static_cast<char *>(std::calloc(1 << 20, 1));
static std::size_t used = 16;

void *operator new(std::size_t size)
{
    void *block = pool + used;
    used += (size + 15) / 16 * 16; // block by block, without a word between them
    return block;
}
void operator delete(void *) noexcept { pool_deleted++; }
void operator delete(void *, std::size_t) noexcept { pool_deleted += 100; }
#endif

struct Thing {
    char before[16];
    uv_timer_t timer;
    ~Thing() {}
};

extern "C" void *pool_thing(uv_loop_t *loop)
{
    Thing *thing = new Thing;
    uv_timer_init(loop, &thing->timer);
    return thing;
}

extern "C" void pool_delete_sized(void *thing) { delete static_cast<Thing *>(thing); }
extern "C" void pool_delete(void *thing) { ::operator delete(thing); }
extern "C" void *pool_bare(std::size_t size) { return ::operator new(size); }
