/* SPDX-License-Identifier: MIT */
/*
 * The seams: exported functions that do nothing until a preloaded library defines its own.
 *
 * They live alone in this file, and their callers in others, so that no compiler can inline them.
 * Each has a hidden twin name; attach.c compares the exported symbol with it to see whether
 * somebody else's definition came first.
 */
#include "seam.h"

#define DEFAULT(name) extern __typeof__(name) aiort__default_##name __attribute__((alias(#name)));
AIORT__SEAMS(DEFAULT)
#undef DEFAULT

void aiort_instrument_attach(const aiort_instrument_api_t *api)
{
    (void)api;
}

uint32_t aiort_instrument_created(aiort_kind_t kind, void *object)
{
    (void)kind;
    (void)object;
    return 0;
}

void aiort_instrument_scheduled(aiort_loop_t *loop, void *object)
{
    (void)loop;
    (void)object;
}

void aiort_instrument_step(aiort_loop_t *loop, void *ended)
{
    (void)loop;
    (void)ended;
}

void aiort_instrument_awaited(aiort_task_t *task, aiort_future_t *future)
{
    (void)task;
    (void)future;
}

void aiort_instrument_destroyed(aiort_kind_t kind, void *object)
{
    (void)kind;
    (void)object;
}

void aiort_instrument_open(aiort_loop_t *loop, void *object, int open)
{
    (void)loop;
    (void)object;
    (void)open;
}

void aiort_instrument_running(aiort_loop_t *loop, int running)
{
    (void)loop;
    (void)running;
}

void aiort_instrument_poll(aiort_loop_t *loop, double timeout, int events)
{
    (void)loop;
    (void)timeout;
    (void)events;
}

void aiort_instrument_close(aiort_loop_t *loop, size_t pending, int closed)
{
    (void)loop;
    (void)pending;
    (void)closed;
}

int aiort_instrument_wrong_thread(aiort_loop_t *loop, const void *object, const char *function)
{
    (void)loop;
    (void)object;
    (void)function;
    return 0;
}

void aiort_instrument_invalid_state(aiort_future_t *future, const char *function)
{
    (void)future;
    (void)function;
}

void aiort_instrument_enrich(aiort_loop_t *loop, aiort_report_t *report)
{
    (void)loop;
    (void)report;
}

int aiort_instrument_report(aiort_loop_t *loop, const aiort_report_t *report)
{
    (void)loop;
    (void)report;
    return 0;
}

void aiort_instrument_building(aiort_loop_t *loop, int building)
{
    (void)loop;
    (void)building;
}

size_t aiort_instrument_created_at(uint32_t trace, char *buf, size_t size)
{
    (void)trace;
    (void)buf;
    (void)size;
    return 0;
}

size_t aiort_instrument_function_name(void (*function)(void), const char *fallback, char *buf,
                                      size_t size)
{
    (void)function;
    (void)fallback;
    (void)buf;
    (void)size;
    return 0;
}

size_t aiort_instrument_function_line(void (*function)(void), const char *fallback, char *buf,
                                      size_t size)
{
    (void)function;
    (void)fallback;
    (void)buf;
    (void)size;
    return 0;
}

size_t aiort_instrument_frame(const void *address, char *buf, size_t size)
{
    (void)address;
    (void)buf;
    (void)size;
    return 0;
}

int aiort_instrument_set_debug(aiort_loop_t *loop, int enabled)
{
    (void)loop;
    (void)enabled;
    return 0;
}

void aiort_instrument_stack_overflow(const char *name, size_t size, const void *ucontext)
{
    (void)name;
    (void)size;
    (void)ucontext;
}
