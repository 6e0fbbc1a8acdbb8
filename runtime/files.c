/* SPDX-License-Identifier: MIT */
/*
 * libuv's calls on files as functions that wait. What is read is read into the request's own memory
 * and copied when the task still waits, what is written is copied before: the pool's thread cannot
 * be stopped when the task is.
 */
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_done(uv_fs_t *fs)
{
    aiort__request_done(fs->data, fs->result);
}

static void release(aiort__request_t *request)
{
    uv_fs_req_cleanup(&request->u.fs);
}

/* The request's own bytes, behind it. */
static char *bytes_of(aiort__request_t *request)
{
    return (char *)(request + 1);
}

/* Waits for what START submitted; it is done, or gone. */
static int wait_for(aiort__request_t *request, aiort_task_t *task, const aiort_site_t *site,
                    int started)
{
    request->release = release;
    if (started < 0) {
        uv_fs_req_cleanup(&request->u.fs);
    }
    return aiort__request_await(request, task, site, started);
}

/* The result of a call that has nothing but one. */
static ssize_t finish(aiort__request_t *request)
{
    ssize_t result = request->result;

    aiort__request_free(request);
    return result < 0 ? aiort__fail((int)result) : result;
}

/* NAME, whose libuv function takes these arguments behind the request. */
#define SIMPLE(name, params, ...)                                                                  \
    int aiort_##name##_at params                                                                   \
    {                                                                                              \
        aiort_task_t *task;                                                                        \
        aiort__request_t *request = aiort__request_new(&task, 0);                                  \
                                                                                                   \
        if (!request) {                                                                            \
            return aiort_last_error();                                                             \
        }                                                                                          \
        int err =                                                                                  \
            uv_##name(task->future.object.loop->uv->loop, &request->u.fs, __VA_ARGS__, on_done);   \
        err = wait_for(request, task, site, err);                                                  \
        return err ? err : (int)finish(request);                                                   \
    }

/* Opened for a task that is cancelled: nobody knows the descriptor. */
static void release_open(aiort__request_t *request)
{
    if (request->u.fs.result >= 0) {
        close((int)request->u.fs.result);
    }
    release(request);
}

int aiort_fs_open_at(const aiort_site_t *site, const char *path, int flags, int mode)
{
    aiort_task_t *task;
    aiort__request_t *request = aiort__request_new(&task, 0);

    if (!request) {
        return aiort_last_error();
    }
    int err =
        uv_fs_open(task->future.object.loop->uv->loop, &request->u.fs, path, flags, mode, on_done);
    if (err) {
        uv_fs_req_cleanup(&request->u.fs);
    }
    request->release = release_open;
    err = aiort__request_await(request, task, site, err);
    if (err) {
        return err;
    }
    request->release = release;
    return (int)finish(request);
}

SIMPLE(fs_close, (const aiort_site_t *site, int fd), fd)
SIMPLE(fs_fsync, (const aiort_site_t *site, int fd), fd)
SIMPLE(fs_ftruncate, (const aiort_site_t *site, int fd, int64_t size), fd, size)
SIMPLE(fs_unlink, (const aiort_site_t *site, const char *path), path)
SIMPLE(fs_rename, (const aiort_site_t *site, const char *path, const char *to), path, to)
SIMPLE(fs_mkdir, (const aiort_site_t *site, const char *path, int mode), path, mode)
SIMPLE(fs_rmdir, (const aiort_site_t *site, const char *path), path)
SIMPLE(fs_copyfile, (const aiort_site_t *site, const char *path, const char *to, int flags), path,
       to, flags)

/* ---- Bytes ---- */

ssize_t aiort_fs_read_at(const aiort_site_t *site, int fd, void *buffer, size_t n, int64_t offset)
{
    aiort_task_t *task;
    aiort__request_t *request = aiort__request_new(&task, n);

    if (!request) {
        return aiort_last_error();
    }
    uv_buf_t piece = uv_buf_init(bytes_of(request), (unsigned)n);
    int err = uv_fs_read(task->future.object.loop->uv->loop, &request->u.fs, fd, &piece, 1, offset,
                         on_done);
    err = wait_for(request, task, site, err);
    if (err) {
        return err;
    }
    if (request->result > 0) {
        memcpy(buffer, bytes_of(request), (size_t)request->result);
    }
    return finish(request);
}

ssize_t aiort_fs_write_at(const aiort_site_t *site, int fd, const void *data, size_t n,
                          int64_t offset)
{
    aiort_task_t *task;
    aiort__request_t *request = aiort__request_new(&task, n);

    if (!request) {
        return aiort_last_error();
    }
    if (n > 0) {
        memcpy(bytes_of(request), data, n);
    }
    uv_buf_t piece = uv_buf_init(bytes_of(request), (unsigned)n);
    int err = uv_fs_write(task->future.object.loop->uv->loop, &request->u.fs, fd, &piece, 1, offset,
                          on_done);
    err = wait_for(request, task, site, err);
    return err ? err : finish(request);
}

/* ---- Status ---- */

static int finish_status(aiort__request_t *request, uv_stat_t *status)
{
    if (request->result >= 0) {
        *status = request->u.fs.statbuf;
    }
    return (int)finish(request);
}

#define STATUS(name, type, what)                                                                   \
    int aiort_##name##_at(const aiort_site_t *site, type what, uv_stat_t *status)                  \
    {                                                                                              \
        aiort_task_t *task;                                                                        \
        aiort__request_t *request = aiort__request_new(&task, 0);                                  \
                                                                                                   \
        if (!request) {                                                                            \
            return aiort_last_error();                                                             \
        }                                                                                          \
        int err = uv_##name(task->future.object.loop->uv->loop, &request->u.fs, what, on_done);    \
        err = wait_for(request, task, site, err);                                                  \
        return err ? err : finish_status(request, status);                                         \
    }

STATUS(fs_stat, const char *, path)
STATUS(fs_lstat, const char *, path)
STATUS(fs_fstat, int, fd)

/* ---- Text ---- */

static int finish_text(aiort__request_t *request, char *buffer, size_t size)
{
    int err = 0;

    if (request->result >= 0) {
        int n = snprintf(buffer, size, "%s", (const char *)request->u.fs.ptr);
        err = n < 0 || (size_t)n >= size ? UV_ENOBUFS : 0;
    }
    ssize_t result = finish(request);
    return result < 0 ? (int)result : err ? aiort__fail(err) : 0;
}

#define TEXT(name)                                                                                 \
    int aiort_##name##_at(const aiort_site_t *site, const char *path, char *buffer, size_t size)   \
    {                                                                                              \
        aiort_task_t *task;                                                                        \
        aiort__request_t *request = aiort__request_new(&task, 0);                                  \
                                                                                                   \
        if (!request) {                                                                            \
            return aiort_last_error();                                                             \
        }                                                                                          \
        int err = uv_##name(task->future.object.loop->uv->loop, &request->u.fs, path, on_done);    \
        err = wait_for(request, task, site, err);                                                  \
        return err ? err : finish_text(request, buffer, size);                                     \
    }

TEXT(fs_realpath)
TEXT(fs_readlink)

/* ---- Directories ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct {
    char **pointers; /* NULL: only counted */
    char *text;
    size_t count, bytes;
} names_t;

static void add(names_t *names, const char *name)
{
    size_t size = strlen(name) + 1;

    if (names->pointers) {
        memcpy(names->text + names->bytes, name, size);
        names->pointers[names->count] = names->text + names->bytes;
    }
    names->count++;
    names->bytes += size;
}

/* libuv hands the names out once and frees each with the next: they are copied as they come, and
 * moved when the list grows. */
static int collect(uv_fs_t *fs, char ***result)
{
    names_t names = {.pointers = NULL};
    size_t room = 0, count = 0;
    char **list = NULL;
    uv_dirent_t entry;
    int err = 0;

    while (!err && uv_fs_scandir_next(fs, &entry) != UV_EOF) {
        if (count == room) {
            room = room ? room * 2 : 16;
            char **more = aiort__realloc(list, room * sizeof(*list));
            err = more ? 0 : UV_ENOMEM;
            list = more ? more : list;
        }
        if (!err) {
            list[count] = aiort__strdup(entry.name);
            err = list[count] ? 0 : UV_ENOMEM;
            count += !err;
        }
    }
    for (size_t i = 0; i < count; i++) {
        add(&names, list[i]);
    }
    /* One block: the pointers, then the text. */
    char **block = err ? NULL : aiort__malloc((count + 1) * sizeof(*block) + names.bytes);
    if (block) {
        names = (names_t){.pointers = block, .text = (char *)(block + count + 1)};
        for (size_t i = 0; i < count; i++) {
            add(&names, list[i]);
        }
        block[count] = NULL;
        qsort(block, count, sizeof(*block), by_name);
        *result = block;
    }
    for (size_t i = 0; i < count; i++) {
        aiort__free(list[i]);
    }
    aiort__free(list);
    return block ? (int)count : UV_ENOMEM;
}

int aiort_fs_listdir_at(const aiort_site_t *site, const char *path, char ***names)
{
    aiort_task_t *task;
    aiort__request_t *request = aiort__request_new(&task, 0);

    *names = NULL;
    if (!request) {
        return aiort_last_error();
    }
    int err = uv_fs_scandir(task->future.object.loop->uv->loop, &request->u.fs, path, 0, on_done);
    err = wait_for(request, task, site, err);
    if (err) {
        return err;
    }
    int count = request->result < 0 ? 0 : collect(&request->u.fs, names);
    ssize_t result = finish(request);
    return result < 0 ? (int)result : count < 0 ? aiort__fail(count) : count;
}
