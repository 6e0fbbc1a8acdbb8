/* SPDX-License-Identifier: MIT */
/*
 * All tasks of a loop: the tree of who waits for whom, from those for whom nobody waits down to
 * those who wait for no other, as Python 3.14's `asyncio pstree`; the table, as its `asyncio ps`;
 * the same as JSON; and the cycles, in which nobody will ever go on.
 */
#include "graph.h"

#include <stdio.h>
#include <string.h>

/* Turns it round: next are those that a task waits for, in the order in which they were made. */
static bool turn(aiort__picture_t *picture)
{
    for (size_t i = 0; i < picture->n; i++) {
        const aiort_call_graph_t *node = picture->nodes[i];
        for (size_t k = 0; k < node->nawaited_by; k++) {
            node->awaited_by[k]->nnext++;
        }
    }
    for (size_t i = 0; i < picture->n; i++) {
        aiort_call_graph_t *node = picture->nodes[i];
        node->next = node->nnext ? aiort__malloc(node->nnext * sizeof(void *)) : NULL;
        if (node->nnext && !node->next) {
            return false;
        }
        node->nnext = 0;
    }
    for (size_t i = 0; i < picture->n; i++) {
        aiort_call_graph_t *node = picture->nodes[i];
        for (size_t k = 0; k < node->nawaited_by; k++) {
            aiort_call_graph_t *awaiter = node->awaited_by[k];
            awaiter->next[awaiter->nnext++] = node;
        }
    }
    return true;
}

static void name_of(const aiort_call_graph_t *node, char *buf, size_t size)
{
    char name[24];

    if (node->future->object.kind == AIORT_KIND_TASK) {
        snprintf(buf, size, "%s", aiort__task_name((const aiort_task_t *)node->future, name));
    } else {
        snprintf(buf, size, "Future %p", (void *)node->future);
    }
}

/* ---- Walking down ---- */

typedef struct {
    /* Before what it waits for. from: who waits for it, or NULL; again: it was there before, and is
     * not gone into. */
    void (*enter)(void *arg, const aiort_call_graph_t *node, const aiort_call_graph_t *from,
                  bool again);
    /* The way from node on leads back to it: last is the end of it. */
    void (*cycle)(void *arg, aiort_call_graph_t *node, aiort_call_graph_t *last);
    void *arg;
} visitor_t;

static void walk_from(aiort_call_graph_t *root, const visitor_t *visitor)
{
    aiort_call_graph_t *node = root;

    root->seen = root->on_path = true;
    visitor->enter(visitor->arg, root, NULL, false);
    while (node) {
        if (node->at == node->nnext) {
            node->on_path = false;
            node = node->from;
            continue;
        }
        aiort_call_graph_t *next = node->next[node->at++];
        if (next->seen) {
            if (next->on_path) {
                visitor->cycle(visitor->arg, next, node);
            }
            visitor->enter(visitor->arg, next, node, true);
            continue;
        }
        next->seen = next->on_path = true;
        next->from = node;
        visitor->enter(visitor->arg, next, node, false);
        node = next;
    }
}

/* From those that nobody waits for; then from the others, which are in cycles or behind them. */
static void walk_down(aiort__picture_t *picture, const visitor_t *visitor)
{
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < picture->n; i++) {
            aiort_call_graph_t *node = picture->nodes[i];
            if (!node->seen && (round == 1 || node->nawaited_by == 0)) {
                walk_from(node, visitor);
            }
        }
    }
}

/* ---- The tree ---- */

/* Whether what is being walked into from there is the last one there. */
static bool is_last(const aiort_call_graph_t *from)
{
    return !from || from->at == from->nnext;
}

/* What stands in front of a line below the node: the branches of all on the way to it. */
static void put_prefix(aiort__sink_t *sink, const aiort_call_graph_t *node)
{
    const aiort_call_graph_t *n = node;

    while (n && n->from) {
        n = n->from;
    }
    for (; n; n = n == node ? NULL : n->next[n->at - 1]) {
        aiort__sink(sink, "%s%*s", is_last(n->from) ? "    " : "│   ", (int)n->nframes * 4, "");
    }
}

static void put_tree_node(void *arg, const aiort_call_graph_t *node, const aiort_call_graph_t *from,
                          bool again)
{
    aiort__sink_t *sink = arg;
    char name[256];

    name_of(node, name, sizeof(name));
    put_prefix(sink, from);
    aiort__sink(sink, "%s (T) %s%s\n", is_last(from) ? "└──" : "├──", name,
                !again          ? ""
                : node->on_path ? " (a cycle)"
                                : " (as above)");
    if (again) {
        return;
    }
    for (size_t i = node->nframes; i-- > 0;) {
        const aiort_call_frame_t *frame = &node->frames[i];
        put_prefix(sink, from);
        aiort__sink(sink, "%s%*s└──  %s", is_last(from) ? "    " : "│   ",
                    (int)(node->nframes - 1 - i) * 4, "", frame->function);
        if (frame->file) {
            aiort__sink(sink, " %s:%d", frame->file, frame->line);
        }
        aiort__sink(sink, "\n");
    }
}

static void no_cycle(void *arg, aiort_call_graph_t *node, aiort_call_graph_t *last)
{
    (void)arg;
    (void)node;
    (void)last;
}

static void no_enter(void *arg, const aiort_call_graph_t *node, const aiort_call_graph_t *from,
                     bool again)
{
    (void)from;
    (void)arg;
    (void)node;
    (void)again;
}

/* A cycle's members in the order in which they wait for each other: from node on, to last. */
static size_t cycle_length(const aiort_call_graph_t *node, const aiort_call_graph_t *last)
{
    size_t length = 1;

    for (const aiort_call_graph_t *n = last; n != node; n = n->from) {
        length++;
    }
    return length;
}

static aiort_call_graph_t *next_in_cycle(const aiort_call_graph_t *node)
{
    return node->next[node->at - 1];
}

/* "cycle: Task-1 → Task-2 → Task-1" */
static void put_cycle(void *arg, aiort_call_graph_t *node, aiort_call_graph_t *last)
{
    char name[256];
    size_t length = cycle_length(node, last);

    aiort__sink(arg, "cycle: ");
    for (size_t i = 0; i <= length; i++, node = next_in_cycle(node)) {
        name_of(node, name, sizeof(name));
        aiort__sink(arg, "%s%s", i ? " → " : "", name);
    }
    aiort__sink(arg, "\n");
}

static void clear_walks(const aiort__picture_t *picture)
{
    for (size_t i = 0; i < picture->n; i++) {
        aiort_call_graph_t *node = picture->nodes[i];
        node->from = NULL;
        node->at = 0;
        node->on_path = node->seen = false;
    }
}

static void put_cycles(aiort__sink_t *sink, aiort__picture_t *picture)
{
    const visitor_t visitor = {no_enter, put_cycle, sink};

    clear_walks(picture);
    walk_down(picture, &visitor);
}

static void put_tree(aiort__sink_t *sink, aiort__picture_t *picture)
{
    const visitor_t visitor = {put_tree_node, no_cycle, sink};

    walk_down(picture, &visitor);
    put_cycles(sink, picture);
}

/* ---- The table ---- */

static void stack_of(const aiort_call_graph_t *node, char *buf, size_t size)
{
    size_t at = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < node->nframes && at < size; i++) {
        int n = snprintf(buf + at, size - at, "%s%s", i ? " -> " : "", node->frames[i].function);
        at += n > 0 ? (size_t)n : 0;
    }
}

static void put_table(aiort__sink_t *sink, const aiort__picture_t *picture)
{
    static const char row[] = "%-10d %-20p %-20s %-50s %-50s %-15s %s\n";
    char name[256], stack[512], awaiter[256], chain[512], id[32];

    aiort__sink(sink, "%-10s %-20s %-20s %-50s %-50s %-15s %s\n", "tid", "task id", "task name",
                "coroutine stack", "awaiter chain", "awaiter name", "awaiter id");
    aiort__sink(sink, "%.180s\n",
                "------------------------------------------------------------"
                "------------------------------------------------------------"
                "------------------------------------------------------------");
    for (size_t i = 0; i < picture->n; i++) {
        const aiort_call_graph_t *node = picture->nodes[i];
        name_of(node, name, sizeof(name));
        stack_of(node, stack, sizeof(stack));
        for (size_t k = 0; k < node->nawaited_by; k++) {
            const aiort_call_graph_t *by = node->awaited_by[k];
            name_of(by, awaiter, sizeof(awaiter));
            stack_of(by, chain, sizeof(chain));
            snprintf(id, sizeof(id), "%p", (void *)by->future);
            aiort__sink(sink, row, picture->loop->tid, (void *)node->future, name, stack, chain,
                        awaiter, id);
        }
        if (node->nawaited_by == 0) {
            aiort__sink(sink, row, picture->loop->tid, (void *)node->future, name, stack, "", "",
                        "0x0");
        }
    }
}

/* ---- JSON ---- */

typedef struct {
    aiort__sink_t *sink;
    bool any;
} json_cycles_t;

static void put_json_cycle(void *arg, aiort_call_graph_t *node, aiort_call_graph_t *last)
{
    json_cycles_t *cycles = arg;
    aiort__sink_t *sink = cycles->sink;

    size_t length = cycle_length(node, last);

    aiort__sink(sink, "%s[", cycles->any ? ", " : "");
    for (size_t i = 0; i < length; i++, node = next_in_cycle(node)) {
        aiort__sink(sink, "%s\"%p\"", i ? ", " : "", (void *)node->future);
    }
    aiort__sink(sink, "]");
    cycles->any = true;
}

static void put_json(aiort__sink_t *sink, aiort__picture_t *picture)
{
    json_cycles_t cycles = {.sink = sink};
    const visitor_t visitor = {no_enter, put_json_cycle, &cycles};
    char name[256];

    aiort__sink(sink, "{\"tid\": %d, \"tasks\": [", picture->loop->tid);
    for (size_t i = 0; i < picture->n; i++) {
        const aiort_call_graph_t *node = picture->nodes[i];
        name_of(node, name, sizeof(name));
        aiort__sink(sink, "%s{\"id\": \"%p\", \"name\": ", i ? ", " : "", (void *)node->future);
        aiort__sink_json(sink, name);
        aiort__sink(sink, ", ");
        aiort__sink_json_frames(sink, node);
        aiort__sink(sink, ", \"awaited_by\": [");
        for (size_t k = 0; k < node->nawaited_by; k++) {
            aiort__sink(sink, "%s\"%p\"", k ? ", " : "", (void *)node->awaited_by[k]->future);
        }
        aiort__sink(sink, "]}");
    }
    aiort__sink(sink, "], \"cycles\": [");
    clear_walks(picture);
    walk_down(picture, &visitor);
    aiort__sink(sink, "]}\n");
}

/* ---- For programs ---- */

static aiort__picture_t *take(const aiort_site_t *site, aiort_loop_t *loop)
{
    loop = loop ? loop : aiort__tls.running;
    if (!loop) {
        return aiort__fail_null(AIORT_ENOLOOP);
    }
    int err = aiort__check_thread(loop, NULL, "aiort_await_tree");
    if (err) {
        return aiort__fail_null(err);
    }
    aiort__picture_t *picture = aiort__picture_of_loop(site, loop);
    if (picture && !turn(picture)) {
        aiort__picture_free(picture);
        return aiort__fail_null(UV_ENOMEM);
    }
    return picture;
}

static void put_form(aiort__sink_t *sink, aiort__picture_t *picture, int form)
{
    if (form == AIORT_GRAPH_JSON) {
        put_json(sink, picture);
    } else if (form == AIORT_GRAPH_TABLE) {
        put_table(sink, picture);
    } else {
        put_tree(sink, picture);
    }
}

size_t aiort_format_await_tree_at(const aiort_site_t *site, aiort_loop_t *loop, int form, char *buf,
                                  size_t size)
{
    aiort__picture_t *picture = take(site, loop);
    aiort__sink_t sink = {.buf = buf, .size = size};

    if (size > 0) {
        buf[0] = '\0';
    }
    if (!picture) {
        return 0;
    }
    put_form(&sink, picture, form);
    aiort__picture_free(picture);
    return sink.length;
}

int aiort_print_await_tree_at(const aiort_site_t *site, aiort_loop_t *loop, int form, FILE *file)
{
    aiort__picture_t *picture = take(site, loop);
    aiort__sink_t sink = {.file = file};

    if (!picture) {
        return aiort_last_error();
    }
    put_form(&sink, picture, form);
    aiort__picture_free(picture);
    return 0;
}

/* ---- Cycles ---- */

typedef struct {
    aiort_task_t **tasks;
    size_t max, n;
} cycle_t;

static void take_cycle(void *arg, aiort_call_graph_t *node, aiort_call_graph_t *last)
{
    cycle_t *cycle = arg;

    if (cycle->n > 0) {
        return; /* the first one is given */
    }
    cycle->n = cycle_length(node, last);
    for (size_t i = 0; i < cycle->n && i < cycle->max; i++, node = next_in_cycle(node)) {
        cycle->tasks[i] = aiort_ref(node->future);
    }
}

int aiort_find_await_cycle(aiort_loop_t *loop, aiort_task_t **tasks, size_t max)
{
    aiort__picture_t *picture = take(NULL, loop);
    cycle_t cycle = {.tasks = tasks, .max = max};
    const visitor_t visitor = {no_enter, take_cycle, &cycle};

    if (!picture) {
        return aiort_last_error();
    }
    walk_down(picture, &visitor);
    aiort__picture_free(picture);
    return (int)cycle.n;
}
