/* SPDX-License-Identifier: MIT */
/*
 * The shim's hidden functions, as far as tests/report needs them, exported from a libaiodebug.so
 * that has produce.c linked into it.
 */
#ifndef TESTS_REPORT_PRODUCE_H
#define TESTS_REPORT_PRODUCE_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the shim as the first use of a library would. */
bool produce_start(void);

/* The caller's stack. */
uint32_t produce_stack(void);

/* One record of the check with this slug. Records of different keys are different mistakes. */
void produce_record(const char *slug, int level, uint64_t key, const char *text);

/* A slow callback of so many seconds. */
void produce_timed(double seconds, const char *text);

/* The same with a stack. */
void produce_with_stack(const char *slug, const char *role, uint32_t stack, const char *text);

/* Records that use everything a record has. */
void produce_task_error(uint32_t created, uint32_t raised, uint32_t cause);
void produce_wrong_thread(uint32_t created, uint32_t call, void (*callback)(void));
void produce_coroutine(uint32_t created);
void produce_busy_loop(uint32_t first, uint32_t second);

/* Every string of the record is these bytes. */
void produce_nasty(const char *bytes);

/* A record whose text is this long. */
void produce_long(int length);

/* A record of no check, without a hint. */
void produce_unnamed(const char *text);

/* The one for a dying process. */
void produce_fatal(const char *text);

bool produce_flush(double seconds);
void produce_print_config(void);
void produce_documentation(int fd, bool json);
void produce_at_exit(void (*function)(void));

#endif
