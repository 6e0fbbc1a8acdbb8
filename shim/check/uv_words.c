/* SPDX-License-Identifier: MIT */
/*
 * How libuv's objects are called in records, in asyncio's manner with libuv's names:
 *
 *     <uv_timer_t 0x55... cb=tick() at app.c:12 created at app.c:40>
 *     <uv_tcp_t 0x55... closing created at app.c:31>
 *     <uv_write_t 0x55... cb=written() at app.c:20 created at app.c:52>
 *     <uv_loop_t 0x55... running in thread 4711 created at app.c:60>
 */
#include <stdio.h>

#include "uv.h"

const char *aiodebug_uv_kind(unsigned type, unsigned flags)
{
    static const char *const handles[] = {
#define XX(id, name) [UV_##id] = "uv_" #name "_t",
        UV_HANDLE_TYPE_MAP(XX)
#undef XX
    };
    static const char *const requests[] = {
#define XX(id, name) [UV_##id] = "uv_" #name "_t",
        UV_REQ_TYPE_MAP(XX)
#undef XX
    };
    const char *kind = NULL;
    if (flags & AIODEBUG_UV_REQUEST) {
        kind = type < sizeof requests / sizeof *requests ? requests[type] : NULL;
        return kind ? kind : "uv_req_t";
    }
    kind = type < sizeof handles / sizeof *handles ? handles[type] : NULL;
    return kind ? kind : "uv_handle_t";
}

/* What libuv's documentation calls the callback. */
static const char *slot_name(const aiodebug_uv_subject_t *subject)
{
    if (subject->flags & AIODEBUG_UV_REQUEST) {
        bool work = subject->type == UV_WORK;
        return !work ? "cb" : subject->slot == AIODEBUG_UV_CB ? "work_cb" : "after_work_cb";
    }
    switch (subject->slot) {
    case AIODEBUG_UV_CB_ALLOC:
        return "alloc_cb";
    case AIODEBUG_UV_CB_CONNECTION:
        return "connection_cb";
    case AIODEBUG_UV_CB_CLOSE:
        return "close_cb";
    case AIODEBUG_UV_CB_WALK:
        return "walk_cb";
    default:
        break;
    }
    switch (subject->type) {
    case UV_TCP:
    case UV_NAMED_PIPE:
    case UV_TTY:
        return "read_cb";
    case UV_UDP:
        return "recv_cb";
    case UV_PROCESS:
        return "exit_cb";
    default:
        return "cb";
    }
}

const char *aiodebug_uv_repr(const aiodebug_uv_subject_t *subject, char *buf, size_t size)
{
    char callback[128] = "", created[32] = "";
    unsigned long cb = (unsigned long)(uintptr_t)subject->cb;
    if (cb) {
        snprintf(callback, sizeof callback, " %s=\001N%lx|0x%lx\001() at \001L%lx|?\001",
                 slot_name(subject), cb, cb, cb);
    }
    if (subject->created) {
        snprintf(created, sizeof created, "\001C%x\001", subject->created);
    }
    snprintf(buf, size, "<%s %p%s%s%s>", aiodebug_uv_kind(subject->type, subject->flags),
             subject->object,
             subject->flags & AIODEBUG_UV_CLOSED    ? " closed"
             : subject->flags & AIODEBUG_UV_CLOSING ? " closing"
                                                    : "",
             callback, created);
    return buf;
}

const char *aiodebug_uv_loop_repr(const aiodebug_uv_loop_t *loop, char *buf, size_t size)
{
    int tid = loop->owner_tid;
    char running[48] = "", created[32] = "";
    if (loop->owner && tid) {
        snprintf(running, sizeof running, " running in thread %d", tid);
    }
    if (loop->created) {
        snprintf(created, sizeof created, "\001C%x\001", loop->created);
    }
    snprintf(buf, size, "<uv_loop_t %p%s%s>", (const void *)loop->uv, running, created);
    return buf;
}

aiodebug_uv_subject_t aiodebug_uv_subject(const aiodebug_uv_record_t *record)
{
    aiodebug_uv_subject_t subject = {.object = record->object,
                                     .created = record->created,
                                     .type = record->type,
                                     .flags = record->flags};
    /* Of several callbacks the one that tells most: read, connection, alloc. */
    static const uint8_t order[] = {AIODEBUG_UV_CB, AIODEBUG_UV_CB_CONNECTION};
    for (size_t i = 0; i < sizeof order && !subject.cb; i++) {
        subject.cb = record->cb[order[i]];
        subject.slot = order[i];
    }
    return subject;
}
