/* SPDX-License-Identifier: MIT */
/* What the examples of `aiodebug explain` call without saying what it is. */
#ifndef TESTS_SCRIPTS_EXAMPLES_PRELUDE_H
#define TESTS_SCRIPTS_EXAMPLES_PRELUDE_H

#include <aiort.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int fetch(void *url, void **result);
int handle(void *arg, void **result);
int save(void *arg);
void compute(void *arg);
int compute_in_thread(void *arg, void **result);
int fill(char *buffer, size_t size);
int on_done(void *arg);
void on_timer(uv_timer_t *timer);
void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf);
void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
void on_written(uv_write_t *req, int status);
void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *info);
void one_second_of_work(uv_work_t *req);

#endif
