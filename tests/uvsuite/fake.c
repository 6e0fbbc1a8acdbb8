/* SPDX-License-Identifier: MIT */
/*
 * A shim that misbehaves on purpose, preloaded instead of ours to prove that the comparison
 * notices. What it does the environment says: FAKE=silent, prints, refuses, crashes, hangs,
 * reports, garbles.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static int is(const char *what)
{
    const char *fake = getenv("FAKE");
    return fake && strcmp(fake, what) == 0;
}

/* AIODEBUG_LOG with %p replaced, as the shim does. */
static void log_line(const char *json, const char *text)
{
    char path[4096];
    const char *log = getenv("AIODEBUG_LOG");
    const char *mark = log ? strstr(log, "%p") : NULL;
    if (!mark) {
        return;
    }
    snprintf(path, sizeof path, "%.*s%d%s", (int)(mark - log), log, (int)getpid(), mark + 2);
    FILE *file = fopen(path, "a");
    const char *format = getenv("AIODEBUG_FORMAT");
    if (file) {
        fprintf(file, "%s\n", format && strcmp(format, "json") == 0 ? json : text);
        fclose(file);
    }
}

int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    int (*next)(uv_loop_t *, uv_run_mode) =
        (int (*)(uv_loop_t *, uv_run_mode))dlsym(RTLD_NEXT, "uv_run");
    if (is("prints")) {
        puts("a word");
    } else if (is("refuses")) {
        return UV_EINVAL;
    } else if (is("crashes")) {
        abort();
    } else if (is("hangs")) {
        pause();
    } else if (is("reports")) {
        log_line("{\"check\":\"request-reused\",\"level\":\"ERROR\",\"message\":\"words\","
                 "\"stacks\":[]}",
                 "2026-01-01T00:00:00.000000Z fake[1] ERROR:aiodebug:words [request-reused]");
    } else if (is("garbles")) {
        log_line("{\"check\":\"request-", "text that is no record, and may be anything");
    }
    return next(loop, mode);
}
