/* SPDX-License-Identifier: MIT */
/* Linked into the shim under test, where its hidden functions can be reached; see produce.h. */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "init.h"
#include "report/record.h"
#include "report/reporter.h"
#include "track/stacks.h"

#include "produce.h"

#pragma GCC visibility push(default)

static aiodebug_check_t check_of(const char *slug)
{
    unsigned i = 0;
    while (i < AIODEBUG_CHECK_COUNT && strcmp(aiodebug_checks[i].slug, slug) != 0) {
        i++;
    }
    return (aiodebug_check_t)i;
}

static aiodebug_role_t role_of(const char *role)
{
    static const char *const names[] = {"created", "call",   "scheduled", "closed",
                                        "freed",   "raised", "running",   "suspended"};
    unsigned i = 0;
    while (strcmp(names[i], role) != 0) {
        i++;
    }
    return (aiodebug_role_t)i;
}

bool produce_start(void)
{
    return aiodebug_on();
}

uint32_t produce_stack(void)
{
    return aiodebug_stack_capture();
}

void produce_record(const char *slug, int level, uint64_t key, const char *text)
{
    aiodebug_record_t *r = aiodebug_record_new(check_of(slug), (aiodebug_level_t)level);
    aiodebug_record_message(r, "%s", text);
    aiodebug_record_key(r, key);
    aiodebug_record_submit(r);
}

void produce_timed(double seconds, const char *text)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_SLOW_CALLBACK, 0);
    aiodebug_record_message(r, "%s", text);
    aiodebug_record_seconds(r, seconds, 0.1);
    aiodebug_record_submit(r);
}

void produce_with_stack(const char *slug, const char *role, uint32_t stack, const char *text)
{
    aiodebug_record_t *r = aiodebug_record_new(check_of(slug), AIODEBUG_LEVEL_UNSET);
    aiodebug_record_message(r, "%s", text);
    aiodebug_record_stack(r, role_of(role), stack, NULL);
    aiodebug_record_submit(r);
}

void produce_task_error(uint32_t created, uint32_t raised, uint32_t cause)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_TASK_EXCEPTION_NEVER_RETRIEVED, 0);
    aiodebug_record_message(r, "Task exception was never retrieved");
    /* Keys in the wrong order: they are sorted. */
    aiodebug_record_context(r, "transport", "<Transport fd=%d>", 7);
    aiodebug_record_context(r, "future", "<Task finished name='Task-%d'\001C%x\001>", 2, created);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, created, NULL);
    aiodebug_record_stack(r, AIODEBUG_ROLE_SCHEDULED, created, NULL);
    aiodebug_record_error(r, cause, "ENOENT: no such file");
    aiodebug_record_error(r, raised, "EINVAL: not %s", "consumed");
    aiodebug_record_object(r, "task", 2, (void *)0x1234, "<Task finished\001C%x\001>", created);
    aiodebug_record_loop(r, "<Loop running=%s>", "True");
    aiodebug_record_submit(r);
}

void produce_wrong_thread(uint32_t created, uint32_t call, void (*callback)(void))
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_NON_THREAD_SAFE_CALL, 0);
    uintptr_t address = (uintptr_t)callback;
    aiodebug_record_message(r, "\001N%lx|?\001() at \001L%lx|nowhere\001 and \001N1|fallback\001",
                            (unsigned long)address, (unsigned long)address);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CALL, call, NULL);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, created, NULL);
    aiodebug_record_seconds(r, 0.15, 0.1);
    aiodebug_record_hint(r, "use %s", "uv_async_send()");
    aiodebug_record_submit(r);
}

void produce_coroutine(uint32_t created)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_COROUTINE_NEVER_AWAITED, 0);
    aiodebug_record_message(r, "golden.c:9: RuntimeWarning: coroutine 'test' was never awaited");
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, created,
                          "Coroutine created at (most recent call last)");
    aiodebug_record_submit(r);
}

void produce_busy_loop(uint32_t first, uint32_t second)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_LOOP_BUSY_AT_CLOSE, 0);
    aiodebug_record_message(r, "Loop was closed but %d handles are still open", 3);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, first,
                          "2 x uv_timer_t, open, created at (most recent call last):");
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, second,
                          "1 x uv_tcp_t, closing, created at (most recent call last):");
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, 0, "and one of unknown origin");
    aiodebug_record_count(r, 3);
    aiodebug_record_submit(r);
}

void produce_nasty(const char *bytes)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_INVALID_STATE, 0);
    aiodebug_record_message(r, "%s", bytes);
    aiodebug_record_key(r, (uintptr_t)bytes);
    aiodebug_record_context(r, bytes, "%s", bytes);
    aiodebug_record_object(r, bytes, 1, NULL, "%s", bytes);
    aiodebug_record_loop(r, "%s", bytes);
    aiodebug_record_error(r, 0, "%s", bytes);
    aiodebug_record_hint(r, "%s", bytes);
    aiodebug_record_seconds(r, 0.5, __builtin_inf());
    aiodebug_record_submit(r);
}

void produce_long(int length)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_INVALID_STATE, 0);
    aiodebug_record_message(r, "%0*d", length, 1);
    aiodebug_record_context(r, "task", "%s", "after the long one");
    aiodebug_record_submit(r);
}

void produce_unnamed(const char *text)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_COUNT, AIODEBUG_LEVEL_UNSET);
    aiodebug_record_message(r, "%s", text);
    aiodebug_record_hint(r, "%s", "");
    aiodebug_record_submit(r);
}

void produce_fatal(const char *text)
{
    aiodebug_record_t *r = aiodebug_record_new_fatal(AIODEBUG_CHECK_STACK_OVERFLOW, 0);
    aiodebug_record_message(r, "%s", text);
    aiodebug_record_submit(r);
}

bool produce_flush(double seconds)
{
    return aiodebug_report_flush(seconds);
}

void produce_print_config(void)
{
    const aiodebug_config_t *c = &aiodebug_config;
    printf("slow_callback=%g slow_iteration=%g slow_poll=%g slow_queue=%g blocking=%g hang=%g\n"
           "thread=%d resource=%d level=%s log=%d fd=%d path=%s format=%d depth=%d checks=%llx "
           "suppress=%s exitcode=%d abort=%llx\n",
           c->slow_callback, c->slow_iteration, c->slow_poll, c->slow_queue, c->blocking, c->hang,
           (int)c->thread, c->resource, aiodebug_level_name(c->level), (int)c->log, c->log_fd,
           c->log_path ? c->log_path : "-", (int)c->format, c->stack_depth,
           (unsigned long long)c->checks, c->suppress ? c->suppress : "-", c->exitcode,
           (unsigned long long)c->abort_checks);
}

void produce_documentation(int fd, bool json)
{
    (json ? aiodebug_config_print_json : aiodebug_config_print_markdown)(fd);
}

void produce_at_exit(void (*function)(void))
{
    aiodebug_at_exit(function);
}
