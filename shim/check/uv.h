/* SPDX-License-Identifier: MIT */
/*
 * The checks of libuv's loops, handles and requests, one function for each event at which something
 * can be wrong. Each is called when its mistake is certain, before libuv's own function is, which
 * may end the program.
 */
#ifndef AIODEBUG_CHECK_UV_H
#define AIODEBUG_CHECK_UV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../report/record.h"
#include "../track/uv.h"

/* What a record speaks of, with the callback (may be NULL) that says most about it. */
typedef struct {
    const void *object;
    aiodebug_uv_function_t cb;
    uint32_t created;
    uint8_t type, flags, slot;
} aiodebug_uv_subject_t;

/* uv_words.c. The handle's or request's kind, "uv_timer_t"; a repr with references. */
const char *aiodebug_uv_kind(unsigned type, unsigned flags);
const char *aiodebug_uv_repr(const aiodebug_uv_subject_t *subject, char *buf, size_t size);
const char *aiodebug_uv_loop_repr(const aiodebug_uv_loop_t *loop, char *buf, size_t size);
aiodebug_uv_subject_t aiodebug_uv_subject(const aiodebug_uv_record_t *record);

/* uv_timing.c. The loop of a record, also of libaiort's; in the text only where the process has had
 * more than one. tid: the thread it runs in, when the repr does not tell; or 0. */
void aiodebug_check_add_loop(aiodebug_record_t *r, const char *repr, int tid);
void aiodebug_check_uv_slow(const aiodebug_uv_call_t *call, uint64_t ticks);
void aiodebug_check_uv_turn(const aiodebug_uv_run_t *run, uint64_t ticks);
/* Milliseconds as given to epoll_wait(); what it returned. */
void aiodebug_check_uv_poll(const aiodebug_uv_run_t *run, int timeout, uint64_t ticks, int events);

/* A turn of a libuv inside `module`, whose functions the shim does not see: between two polls, of
 * which the first brought so many events. */
void aiodebug_check_uv_hidden_turn(const char *module, uint64_t ns, int events);
/* At exit: that there was such a one. */
void aiodebug_check_uv_hidden(const char *module);

/* uv_ownership.c. A call on a loop that runs in another thread. True: refuse it. `subject` NULL: on
 * the loop itself. */
bool aiodebug_check_uv_thread(aiodebug_uv_loop_t *loop, const aiodebug_uv_subject_t *subject,
                              const char *function);
/* uv_run() of a loop that runs: in this thread by `outer`, or (NULL) in another. */
void aiodebug_check_uv_reentered(aiodebug_uv_loop_t *loop, const aiodebug_uv_run_t *outer);

/* uv_lifetime.c. `closed`: the stack of its uv_close(); 0: unknown. */
void aiodebug_check_uv_reinitialized(const aiodebug_uv_record_t *record, const char *function);
void aiodebug_check_uv_closed_twice(const aiodebug_uv_subject_t *subject, uint32_t closed,
                                    const char *function);
void aiodebug_check_uv_used_after_close(const aiodebug_uv_subject_t *subject, uint32_t closed,
                                        const char *function);
void aiodebug_check_uv_reused(const aiodebug_uv_record_t *record, const char *function);
/* The loop's close found it busy. */
void aiodebug_check_uv_busy(const aiodebug_uv_loop_t *loop);
/* At exit. */
void aiodebug_check_uv_left(void);

#endif
