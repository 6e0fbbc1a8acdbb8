/* SPDX-License-Identifier: MIT */
/*
 * What the environment asked for. aiodebug_config is filled once, by aiodebug_config_load()
 * before anything else of the shim runs, and only read afterwards, from any thread.
 * config.c holds the one table of variables; see there for names, defaults and meanings.
 */
#ifndef AIODEBUG_CONFIG_H
#define AIODEBUG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "check/checks.h"

typedef enum {
    AIODEBUG_POLICY_UNSET, /* libaiort's calls are refused, libuv's reported and let through */
    AIODEBUG_POLICY_WARN,  /* all are reported and let through */
    AIODEBUG_POLICY_ERROR, /* all are reported and refused with an error code */
    AIODEBUG_POLICY_ABORT  /* reported, then abort() */
} aiodebug_thread_policy_t;

typedef enum { AIODEBUG_LOG_STDERR, AIODEBUG_LOG_FD, AIODEBUG_LOG_PATH } aiodebug_log_t;
typedef enum { AIODEBUG_FORMAT_TEXT, AIODEBUG_FORMAT_JSON } aiodebug_format_t;

typedef struct {
    bool enabled;
    bool help;      /* AIODEBUG=help: print the table, then go on */
    bool help_json; /* AIODEBUG=help-json: the same for scripts/aiodebug and the like */
    /* Seconds. `off` is INFINITY, so that `elapsed >= threshold` is never true; turn one into
     * clock ticks only after isinf(). */
    double slow_callback, slow_iteration, slow_poll, slow_queue, blocking, hang;
    aiodebug_thread_policy_t thread;
    bool resource;
    aiodebug_level_t level; /* lowest level written */
    aiodebug_log_t log;
    int log_fd;           /* AIODEBUG_LOG_FD */
    const char *log_path; /* AIODEBUG_LOG_PATH: absolute, with %p and %e not yet replaced */
    aiodebug_format_t format;
    int stack_depth;       /* 0 to 64 */
    uint64_t checks;       /* bit n: check n is on */
    const char *suppress;  /* absolute path, or NULL */
    int exitcode;          /* -1: leave the exit status alone */
    uint64_t abort_checks; /* bit n: abort after check n has been written */
} aiodebug_config_t;

extern aiodebug_config_t aiodebug_config;

/* Reads the environment into aiodebug_config. Allocates nothing, writes nothing: what is wrong
 * with the environment is kept for aiodebug_config_complain(), since a process that uses
 * neither library stays silent. Call once, before there are threads to see it. */
void aiodebug_config_load(void);

/* One line on stderr for each bad value and unknown name found; the second call says nothing. */
void aiodebug_config_complain(void);

/* Whether records of this check and level are written at all. Cheap: any thread, hot paths. */
static inline bool aiodebug_config_wants(aiodebug_check_t check, aiodebug_level_t level)
{
    return level >= aiodebug_config.level && (aiodebug_config.checks >> check & 1);
}

/* The documentation: variables and checks, as a Markdown page and as one JSON object. */
void aiodebug_config_print_markdown(int fd);
void aiodebug_config_print_json(int fd);

#endif
