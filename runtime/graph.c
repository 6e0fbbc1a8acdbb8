/* SPDX-License-Identifier: MIT */
/*
 * Taking the picture: from a future on to all who wait for it, directly or not. Step by step and
 * not by recursion: chains are as long as there are tasks, and this may run on a task's small
 * stack.
 */
#include "graph.h"

#include <stdio.h>
#include <string.h>

/* ---- Nodes ---- */

static void node_free(aiort_call_graph_t *node)
{
    aiort_unref(node->future);
    if (node->frames) {
        aiort__free(node->frames);
    }
    if (node->awaited_by) {
        aiort__free(node->awaited_by);
    }
    if (node->next) {
        aiort__free(node->next);
    }
    aiort__free(node);
}

void aiort__picture_free(aiort__picture_t *picture)
{
    for (size_t i = 0; i < picture->n; i++) {
        node_free(picture->nodes[i]);
    }
    if (picture->nodes) {
        aiort__free(picture->nodes);
    }
    if (picture->places) {
        aiort__free(picture->places);
    }
    aiort__free(picture);
}

static void graph_destroy(void *self)
{
    aiort__picture_free(((aiort_call_graph_t *)self)->picture);
}

static size_t graph_repr(const void *self, char *buf, size_t size)
{
    const aiort_call_graph_t *graph = self;
    int length = snprintf(buf, size, "<FutureCallGraph of %p, %zu frames, awaited by %zu>",
                          (void *)graph->future, graph->nframes, graph->nawaited_by);

    return length > 0 ? (size_t)length : 0;
}

/* Makes an array's room for one more. false: no memory. */
static bool reserve(void **array, size_t n, size_t *room, size_t size)
{
    if (n < *room) {
        return true;
    }
    size_t more = *room ? *room * 2 : 4;
    void *memory = aiort__realloc(*array, more * size);
    if (!memory) {
        return false;
    }
    *array = memory;
    *room = more;
    return true;
}

static size_t hash(const aiort__picture_t *picture, const aiort_future_t *future)
{
    return (size_t)(((uintptr_t)future >> 4) * 0x9E3779B97F4A7C15u >> 20) & (picture->nplaces - 1);
}

static void place(aiort__picture_t *picture, size_t number)
{
    size_t at = hash(picture, picture->nodes[number]->future);

    while (picture->places[at]) {
        at = (at + 1) & (picture->nplaces - 1);
    }
    picture->places[at] = number + 1;
}

static bool grow_places(aiort__picture_t *picture)
{
    if (picture->n * 2 < picture->nplaces) {
        return true;
    }
    size_t n = picture->nplaces ? picture->nplaces * 2 : 16;
    size_t *places = aiort__malloc(n * sizeof(*places));
    if (!places) {
        return false;
    }
    memset(places, 0, n * sizeof(*places));
    if (picture->places) {
        aiort__free(picture->places);
    }
    picture->places = places;
    picture->nplaces = n;
    for (size_t i = 0; i < picture->n; i++) {
        place(picture, i);
    }
    return true;
}

/* The future's node, made when there is none. NULL: no memory. */
static aiort_call_graph_t *node_of(aiort__picture_t *picture, aiort_future_t *future)
{
    if (!grow_places(picture) ||
        !reserve((void **)&picture->nodes, picture->n, &picture->room, sizeof(void *))) {
        return NULL;
    }
    for (size_t at = hash(picture, future); picture->places[at];
         at = (at + 1) & (picture->nplaces - 1)) {
        aiort_call_graph_t *node = picture->nodes[picture->places[at] - 1];
        if (node->future == future) {
            return node;
        }
    }
    aiort_call_graph_t *node = aiort__malloc(sizeof(*node));
    if (!node) {
        return NULL;
    }
    memset(node, 0, sizeof(*node));
    aiort__scope_init(&node->base, NULL, AIORT_KIND_CALL_GRAPH, graph_destroy, graph_repr);
    node->picture = picture;
    node->future = aiort_ref(future);
    picture->nodes[picture->n++] = node;
    place(picture, picture->n - 1);
    return node;
}

/* ---- Frames ---- */

/* Where a coroutine stands: in its own function, or in one that it has called. */
static size_t frames_of(const aiort_coroutine_t *coroutine, const aiort_site_t *where,
                        aiort_call_frame_t frames[2])
{
    const char *name = coroutine->site && coroutine->site->what ? coroutine->site->what : "?";
    size_t n = 0;

    if (where && where->function && strcmp(where->function, name) != 0) {
        frames[n++] = (aiort_call_frame_t){where->function, where->file, where->line, 0};
        where = NULL;
    }
    frames[n++] =
        (aiort_call_frame_t){name, where ? where->file : NULL, where ? where->line : 0, 1};
    return n;
}

static bool take_frames(aiort__picture_t *picture, aiort_call_graph_t *node)
{
    const aiort_task_t *task = (const aiort_task_t *)node->future;
    size_t most = 0;

    if (node->future->object.kind != AIORT_KIND_TASK || picture->limit == 0 ||
        task->coroutine->object.state != AIORT__CORO_RUNNING) {
        return true;
    }
    for (const aiort_coroutine_t *c = task->innermost; c; c = aiort__awaiter(c)) {
        most += 2;
    }
    node->frames = aiort__malloc(most * sizeof(*node->frames));
    if (!node->frames) {
        return false;
    }
    bool running = picture->loop->current == task;
    for (const aiort_coroutine_t *c = task->innermost; c; c = aiort__awaiter(c)) {
        const aiort_site_t *where = c->u.where;
        if (c == task->innermost && running) {
            where = picture->site;
        }
        node->nframes += frames_of(c, where, node->frames + node->nframes);
    }
    if (picture->limit > 0 && node->nframes > (size_t)picture->limit) {
        node->nframes = (size_t)picture->limit;
    }
    return true;
}

/* ---- Who waits ---- */

typedef struct {
    aiort__picture_t *picture;
    aiort_call_graph_t *node;
    int depth; /* of futures that stand for others */
    bool failed;
} search_t;

enum { MOST_DEPTH = 64 };

static void search(search_t *s, const aiort_future_t *future);

static void found(void *arg, aiort_future_t *future, bool through)
{
    search_t *s = arg;

    if (through) {
        search(s, future);
        return;
    }
    aiort_call_graph_t *awaiter = node_of(s->picture, future);
    aiort_call_graph_t *node = s->node;
    if (!awaiter) {
        s->failed = true;
        return;
    }
    for (size_t i = 0; i < node->nawaited_by; i++) {
        if (node->awaited_by[i] == awaiter) {
            return;
        }
    }
    if (!reserve((void **)&node->awaited_by, node->nawaited_by, &node->room, sizeof(void *))) {
        s->failed = true;
        return;
    }
    node->awaited_by[node->nawaited_by++] = awaiter;
}

static int said(aiort_future_t *future, void *waiter)
{
    (void)future;
    (void)waiter;
    return 0;
}

static void search(search_t *s, const aiort_future_t *future)
{
    static void (*const behind[])(const aiort_handle_t *, aiort__found_fn, void *) = {
        aiort__gather_behind,   aiort__shield_behind,    aiort__wait_behind,
        aiort__wait_for_behind, aiort__completed_behind, aiort__group_behind,
    };

    if (s->depth == MOST_DEPTH || future->object.state != AIORT_PENDING) {
        return;
    }
    s->depth++;
    for (aiort__object_t *object = future->first; object; object = object->next) {
        const aiort_handle_t *handle = (const aiort_handle_t *)object;
        if (object->kind == AIORT_KIND_TASK) {
            found(s, (aiort_future_t *)object, false);
        } else if (handle->callback == (aiort_callback_fn)(uintptr_t)said) {
            found(s, handle->arg, false);
        } else {
            for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
                behind[i](handle, found, s);
            }
        }
    }
    s->depth--;
}

/* Everything from the nodes there are. */
static bool complete(aiort__picture_t *picture)
{
    for (size_t i = 0; i < picture->n; i++) { /* they become more */
        search_t s = {.picture = picture, .node = picture->nodes[i]};
        search(&s, s.node->future);
        if (s.failed || !take_frames(picture, s.node)) {
            return false;
        }
    }
    return true;
}

static aiort__picture_t *picture_new(const aiort_site_t *site, aiort_loop_t *loop, int limit)
{
    aiort__picture_t *picture = aiort__malloc(sizeof(*picture));

    if (picture) {
        memset(picture, 0, sizeof(*picture));
        picture->site = site;
        picture->loop = loop;
        picture->limit = limit;
    }
    return picture;
}

aiort__picture_t *aiort__picture_of_loop(const aiort_site_t *site, aiort_loop_t *loop)
{
    aiort__picture_t *picture = picture_new(site, loop, AIORT_ALL_FRAMES);
    bool made = picture != NULL;

    for (aiort_task_t *task = loop->tasks; task && made; task = task->following) {
        made = node_of(picture, &task->future) != NULL;
    }
    if (made && complete(picture)) {
        return picture;
    }
    if (picture) {
        aiort__picture_free(picture);
    }
    return aiort__fail_null(UV_ENOMEM);
}

/* ---- For programs ---- */

aiort_call_graph_t *aiort_capture_call_graph_at(const aiort_site_t *site, aiort_future_t *future,
                                                int limit)
{
    if (!future) {
        aiort_task_t *task = aiort_current_task();
        if (!task) {
            return aiort__fail_null(AIORT_ENOTASK);
        }
        future = &task->future;
    }
    int err = aiort__check_thread(future->object.loop, future, "aiort_capture_call_graph");
    if (err) {
        return aiort__fail_null(err);
    }
    aiort__picture_t *picture = picture_new(site, future->object.loop, limit);
    if (picture && node_of(picture, future) && complete(picture)) {
        return picture->nodes[0];
    }
    if (picture) {
        aiort__picture_free(picture);
    }
    return aiort__fail_null(UV_ENOMEM);
}

aiort_future_t *aiort_call_graph_future(const aiort_call_graph_t *graph)
{
    return graph->future;
}

size_t aiort_call_graph_stack(const aiort_call_graph_t *graph, const aiort_call_frame_t **frames)
{
    if (frames) {
        *frames = graph->frames;
    }
    return graph->nframes;
}

size_t aiort_call_graph_awaited_by(const aiort_call_graph_t *graph,
                                   aiort_call_graph_t *const **awaited_by)
{
    if (awaited_by) {
        *awaited_by = graph->awaited_by;
    }
    return graph->nawaited_by;
}

static const aiort_site_t said_site = {NULL, NULL, "future_add_to_awaited_by", 0};

int aiort_future_add_to_awaited_by(aiort_future_t *future, aiort_future_t *waiter)
{
    int err = aiort__check_thread(future->object.loop, future, "aiort_future_add_to_awaited_by");

    if (err || future->object.state != AIORT_PENDING) {
        return err ? aiort__fail(err) : 0;
    }
    return aiort__future_add_callback(future, &said_site, said, waiter);
}

int aiort_future_discard_from_awaited_by(aiort_future_t *future, aiort_future_t *waiter)
{
    return aiort_future_remove_done_callback(future, said, waiter);
}
