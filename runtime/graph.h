/* SPDX-License-Identifier: MIT */
/*
 * Who waits for whom: the picture of it that is taken (graph.c), and written (graph_text.c for one
 * future, graph_tree.c for all tasks of a loop).
 *
 * Nothing is kept for this while tasks run: whoever waits for a future is in its list, as a task or
 * as a callback of gather, wait, shield, a task group, as_completed or wait_for. Each of those
 * knows who is behind its callbacks.
 */
#ifndef AIORT_GRAPH_H
#define AIORT_GRAPH_H

#include "scope.h"

/* One future, in a picture. The first one of a picture holds it; the others go with that. */
struct aiort_call_graph_s {
    aiort__extended_t base;
    struct aiort__picture *picture;
    aiort_future_t *future; /* with a reference */
    aiort_call_frame_t *frames;
    size_t nframes;
    aiort_call_graph_t **awaited_by;
    size_t nawaited_by, room;
    /* For walks: the way to it. */
    aiort_call_graph_t **next;
    size_t nnext;
    aiort_call_graph_t *from;
    size_t at;
    int level;
    bool on_path, seen;
};

typedef struct aiort__picture {
    aiort_loop_t *loop;
    aiort_call_graph_t **nodes;
    size_t n, room;
    size_t *places; /* a hash table of nodes' numbers + 1, nplaces of them: a power of two */
    size_t nplaces;
    int limit;                /* of frames */
    const aiort_site_t *site; /* where the running task calls */
} aiort__picture_t;

/* All tasks of the loop that are not done, and who waits for them. NULL: UV_ENOMEM. */
AIORT__HIDDEN aiort__picture_t *aiort__picture_of_loop(const aiort_site_t *site,
                                                       aiort_loop_t *loop);
AIORT__HIDDEN void aiort__picture_free(aiort__picture_t *picture);

/* ---- Who is behind a callback: each calls found() if it is one of its own ---- */

/* through: the awaiter is whoever waits for that future; else it is the future itself. */
typedef void (*aiort__found_fn)(void *arg, aiort_future_t *future, bool through);

AIORT__HIDDEN void aiort__gather_behind(const aiort_handle_t *handle, aiort__found_fn found,
                                        void *arg);
AIORT__HIDDEN void aiort__shield_behind(const aiort_handle_t *handle, aiort__found_fn found,
                                        void *arg);
AIORT__HIDDEN void aiort__wait_behind(const aiort_handle_t *handle, aiort__found_fn found,
                                      void *arg);
AIORT__HIDDEN void aiort__wait_for_behind(const aiort_handle_t *handle, aiort__found_fn found,
                                          void *arg);
AIORT__HIDDEN void aiort__completed_behind(const aiort_handle_t *handle, aiort__found_fn found,
                                           void *arg);
AIORT__HIDDEN void aiort__group_behind(const aiort_handle_t *handle, aiort__found_fn found,
                                       void *arg);

/* ---- graph_text.c ---- */

/* Text that is written to a file, or into a buffer as snprintf() does. */
typedef struct {
    FILE *file;
    char *buf;
    size_t size, length;
} aiort__sink_t;

AIORT__HIDDEN void aiort__sink(aiort__sink_t *sink, const char *format, ...) AIORT_PRINTF(2, 3);
/* A JSON string, with its quotes. */
AIORT__HIDDEN void aiort__sink_json(aiort__sink_t *sink, const char *text);
AIORT__HIDDEN void aiort__sink_json_frames(aiort__sink_t *sink, const aiort_call_graph_t *node);

#endif
