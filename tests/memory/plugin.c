/* SPDX-License-Identifier: MIT */
/* A C program, without C++'s library, that loads a C++ library for itself alone: what ours find as
 * the next operator delete is none. argv[1]: the library. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

int main(int argc, char **argv)
{
    void *library = dlopen(argv[argc - 1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        return puts(dlerror()), 1;
    }
    void *(*bare)(size_t), *(*thing)(uv_loop_t *);
    void (*drop)(void *), (*drop_sized)(void *);
    *(void **)&bare = dlsym(library, "pool_bare");
    *(void **)&thing = dlsym(library, "pool_thing");
    *(void **)&drop = dlsym(library, "pool_delete");
    *(void **)&drop_sized = dlsym(library, "pool_delete_sized");
    int *deleted = dlsym(library, "pool_deleted");
    for (int i = 0; i < 1000; i++) {
        drop(bare(100));
    }
    void *one = thing(uv_default_loop());
    drop_sized(one);
    for (int i = 0; i < 1000; i++) {
        drop(bare(100)); /* beside a handle that is watched still */
    }
    printf("%d deleted\n", deleted ? *deleted : 0);
    return 0;
}
