/* SPDX-License-Identifier: MIT */
/*
 * JuliaLang/julia#2188 "avoid double-close of uv handles at exit": the exit handler closes what the
 * program had closed a moment before.
 *
 * @expect handle-closed-twice created closed call
 * @signal 6
 */
#include "program.h"

static uv_pipe_t output;

static void flush_output(void)
{
#ifdef FIXED
    if (!uv_is_closing((uv_handle_t *)&output)) {
        uv_close((uv_handle_t *)&output, NULL);
    }
#else
    uv_close((uv_handle_t *)&output, NULL); /* @call */
#endif
    uv_run(uv_default_loop(), UV_RUN_NOWAIT);
}

int main(void)
{
    atexit(flush_output);
    must(uv_pipe_init(uv_default_loop(), &output, 0)); /* @created */
    uv_close((uv_handle_t *)&output, NULL);            /* @closed */
    return 0;
}
