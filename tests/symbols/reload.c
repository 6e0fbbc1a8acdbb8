/* SPDX-License-Identifier: MIT */
/*
 * Libraries that come and go. The first argument says what happens, the others are paths.
 *
 *   later LIBRARY             a frame is named, then the library opened by a relative name, then
 * chdir() replaced LIBRARY NEW      the library's file is replaced by another before anything in it
 * is named gone LIBRARY              a stack is named after its library was closed other LIBRARY
 * SECOND      likewise, but SECOND now lies where the library was again LIBRARY LIBRARY     closed
 * and opened at the same place
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"
#include "probe.h"

typedef void enter_t(plugin_function_t *function, const char *tag);

static void *pc;

static void note_caller(const char *tag)
{
    (void)tag;
    pc = __builtin_return_address(0);
}

static void here(const char *tag)
{
    probe_stack(tag);
    STAY();
}

static enter_t *open_library(const char *path, void **handle)
{
    enter_t *enter;
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*handle) {
        printf("dlopen: %s\n", dlerror());
        exit(1);
    }
    void *symbol = dlsym(*handle, "plugin_enter");
    memcpy(&enter, &symbol, sizeof enter);
    return enter;
}

static void *base_of(enter_t *enter)
{
    Dl_info info;
    void *address;
    memcpy(&address, &enter, sizeof address);
    return dladdr(address, &info) ? info.dli_fbase : NULL;
}

static void close_library(void *handle)
{
    probe_modules_changed();
    dlclose(handle);
}

int main(int argc, char **argv)
{
    void *handle;
    const char *what = argc > 2 ? argv[1] : "";
    const char *second = argc > 3 ? argv[3] : "";
    if (strcmp(what, "later") == 0)
        here("before");
    enter_t *enter = open_library(argv[2], &handle);
    if (strcmp(what, "later") == 0 && chdir("/") == 0) {
        enter(here, "later");
    } else if (strcmp(what, "replaced") == 0 && rename(second, argv[2]) == 0) {
        enter(here, "replaced");
        probe_function("function", (void *)enter);
    } else {
        void *base = base_of(enter);
        enter(note_caller, "");
        close_library(handle);
        if (strcmp(what, "gone") != 0) {
            enter_t *other = open_library(second, &handle);
            printf("same place: %s\n", base_of(other) == base ? "yes" : "no");
            other(here, "new");
        }
        probe_address("old", pc);
    }
    return 0;
}
