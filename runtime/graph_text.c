/* SPDX-License-Identifier: MIT */
/*
 * A call graph as text, in the form of Python 3.14's, and as JSON. It is written depth first; what
 * was written before, because two ways lead to it or because it waits for itself, is not gone into
 * again, so that the text is no longer than there are futures.
 */
#include "graph.h"

#include <stdio.h>
#include <string.h>

/* ---- Where it goes ---- */

static void put(aiort__sink_t *sink, const char *text, size_t length)
{
    if (sink->file) {
        fwrite(text, 1, length, sink->file);
    } else if (sink->length + 1 < sink->size) {
        size_t room = sink->size - sink->length - 1;
        size_t n = length < room ? length : room;
        memcpy(sink->buf + sink->length, text, n);
        sink->buf[sink->length + n] = '\0';
    }
    sink->length += length;
}

void aiort__sink(aiort__sink_t *sink, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length > 0) {
        put(sink, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
    }
}

void aiort__sink_json(aiort__sink_t *sink, const char *text)
{
    put(sink, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            aiort__sink(sink, "\\%c", c);
        } else if (c < 0x20) {
            aiort__sink(sink, "\\u%04x", c);
        } else {
            put(sink, text, 1);
        }
    }
    put(sink, "\"", 1);
}

void aiort__sink_json_frames(aiort__sink_t *sink, const aiort_call_graph_t *node)
{
    aiort__sink(sink, "\"call_stack\": [");
    for (size_t i = 0; i < node->nframes; i++) {
        const aiort_call_frame_t *frame = &node->frames[i];
        aiort__sink(sink, "%s{\"function\": ", i ? ", " : "");
        aiort__sink_json(sink, frame->function);
        aiort__sink(sink, ", \"file\": ");
        if (frame->file) {
            aiort__sink_json(sink, frame->file);
            aiort__sink(sink, ", \"line\": %d", frame->line);
        } else {
            aiort__sink(sink, "null, \"line\": null");
        }
        aiort__sink(sink, ", \"coroutine\": %s}", frame->coroutine ? "true" : "false");
    }
    aiort__sink(sink, "]");
}

/* ---- One future ---- */

static void put_name(aiort__sink_t *sink, const aiort_call_graph_t *node)
{
    char name[24];

    if (node->future->object.kind == AIORT_KIND_TASK) {
        aiort__sink(sink, "* Task(name='%s', id=%p)",
                    aiort__task_name((const aiort_task_t *)node->future, name),
                    (void *)node->future);
    } else {
        aiort__sink(sink, "* Future(id=%p)", (void *)node->future);
    }
}

static void put_node(aiort__sink_t *sink, const aiort_call_graph_t *node)
{
    int indent = node->level * 4;

    aiort__sink(sink, "%*s", indent, "");
    put_name(sink, node);
    aiort__sink(sink, "\n");
    if (node->nframes > 0) {
        aiort__sink(sink, "%*s  + Call stack:\n", indent, "");
    }
    for (size_t i = 0; i < node->nframes; i++) {
        const aiort_call_frame_t *frame = &node->frames[i];
        aiort__sink(sink, "%*s  |   ", indent, "");
        if (frame->file) {
            aiort__sink(sink, "File '%s', line %d, ", frame->file, frame->line);
        }
        aiort__sink(sink, "in %s%s()\n", frame->coroutine ? "async " : "", frame->function);
    }
    if (node->nawaited_by > 0) {
        aiort__sink(sink, "%*s  + Awaited by:\n", indent, "");
    }
}

/* The same one again: what waits for it is written already, or being written. */
static void put_again(aiort__sink_t *sink, const aiort_call_graph_t *node, int level)
{
    aiort__sink(sink, "%*s", level * 4, "");
    put_name(sink, node);
    aiort__sink(sink, node->on_path ? " (a cycle: it waits for itself)\n" : " (as above)\n");
}

static void clear_walks(const aiort__picture_t *picture)
{
    for (size_t i = 0; i < picture->n; i++) {
        aiort_call_graph_t *node = picture->nodes[i];
        node->from = NULL;
        node->at = 0;
        node->level = 0;
        node->on_path = node->seen = false;
    }
}

typedef struct {
    void (*enter)(aiort__sink_t *sink, const aiort_call_graph_t *node);
    void (*again)(aiort__sink_t *sink, const aiort_call_graph_t *node, int level);
    void (*between)(aiort__sink_t *sink, size_t i);
    void (*leave)(aiort__sink_t *sink, const aiort_call_graph_t *node);
} form_t;

static void walk(aiort__sink_t *sink, aiort_call_graph_t *root, const form_t *form)
{
    aiort_call_graph_t *node = root;

    clear_walks(root->picture);
    node->seen = node->on_path = true;
    form->enter(sink, node);
    while (node) {
        if (node->at == node->nawaited_by) {
            form->leave(sink, node);
            node->on_path = false;
            node = node->from;
            continue;
        }
        form->between(sink, node->at);
        aiort_call_graph_t *awaiter = node->awaited_by[node->at++];
        if (awaiter->seen) {
            form->again(sink, awaiter, node->level + 1);
            continue;
        }
        awaiter->seen = awaiter->on_path = true;
        awaiter->from = node;
        awaiter->level = node->level + 1;
        form->enter(sink, awaiter);
        node = awaiter;
    }
}

static void no_between(aiort__sink_t *sink, size_t i)
{
    (void)sink;
    (void)i;
}

static void no_leave(aiort__sink_t *sink, const aiort_call_graph_t *node)
{
    (void)sink;
    (void)node;
}

static void json_head(aiort__sink_t *sink, const aiort_call_graph_t *node)
{
    bool task = node->future->object.kind == AIORT_KIND_TASK;
    char name[24];

    aiort__sink(sink, "{\"kind\": \"%s\", \"id\": \"%p\", \"name\": ", task ? "task" : "future",
                (void *)node->future);
    if (task) {
        aiort__sink_json(sink, aiort__task_name((const aiort_task_t *)node->future, name));
    } else {
        aiort__sink(sink, "null");
    }
}

static void json_enter(aiort__sink_t *sink, const aiort_call_graph_t *node)
{
    json_head(sink, node);
    aiort__sink(sink, ", ");
    aiort__sink_json_frames(sink, node);
    aiort__sink(sink, ", \"awaited_by\": [");
}

static void json_again(aiort__sink_t *sink, const aiort_call_graph_t *node, int level)
{
    (void)level;
    json_head(sink, node);
    aiort__sink(sink, ", \"again\": \"%s\"}", node->on_path ? "cycle" : "above");
}

static void json_between(aiort__sink_t *sink, size_t i)
{
    aiort__sink(sink, "%s", i ? ", " : "");
}

static void json_leave(aiort__sink_t *sink, const aiort_call_graph_t *node)
{
    aiort__sink(sink, "]}%s", node->from ? "" : "\n");
}

static void put_graph(aiort__sink_t *sink, aiort_call_graph_t *graph, int form)
{
    static const form_t text = {put_node, put_again, no_between, no_leave};
    static const form_t json = {json_enter, json_again, json_between, json_leave};

    walk(sink, graph, form == AIORT_GRAPH_JSON ? &json : &text);
}

size_t aiort_call_graph_format(aiort_call_graph_t *graph, int form, char *buf, size_t size)
{
    aiort__sink_t sink = {.buf = buf, .size = size};

    if (size > 0) {
        buf[0] = '\0';
    }
    put_graph(&sink, graph, form);
    return sink.length;
}

size_t aiort_format_call_graph_at(const aiort_site_t *site, aiort_future_t *future, int form,
                                  char *buf, size_t size)
{
    aiort_call_graph_t *graph = aiort_capture_call_graph_at(site, future, AIORT_ALL_FRAMES);

    if (!graph) {
        return 0;
    }
    size_t length = aiort_call_graph_format(graph, form, buf, size);
    aiort_unref(graph);
    return length;
}

int aiort_print_call_graph_at(const aiort_site_t *site, aiort_future_t *future, FILE *file)
{
    aiort_call_graph_t *graph = aiort_capture_call_graph_at(site, future, AIORT_ALL_FRAMES);
    aiort__sink_t sink = {.file = file};

    if (!graph) {
        return aiort_last_error();
    }
    put_graph(&sink, graph, AIORT_GRAPH_TEXT);
    aiort_unref(graph);
    return 0;
}
