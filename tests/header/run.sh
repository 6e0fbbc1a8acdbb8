#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The public header stands alone: a file that includes nothing else compiles as C11 and C17, strict and GNU, and
# as C++17 and C++20, without a warning, with gcc and clang; the macros expand there; and whoever includes it in
# GNU mode keeps the rest of POSIX.
. "$(dirname "$0")/../lib.sh"

uv=$(pkg-config --cflags libuv)
# -isystem would hide the header's own warnings.
flags=(-I"$ROOT/runtime/include" $uv -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror -fsyntax-only)

cat > "$scratch/alone.c" <<'C'
#include <aiort.h>
C

# Every macro of the interface, used as a program uses it: C and C++ alike.
cat > "$scratch/macros.c" <<'C'
#include <aiort.h>

#include <stdio.h>

struct range {
    int from, to;
};

static int coroutine(void *arg, void **result)
{
    struct range *range = (struct range *)arg;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    int err = aiort_sleep(0.5);
    if (err < 0)
        return aiort_raise(err, "no sleep");
    if (range->from > range->to)
        return aiort_raise_from(aiort_current_error(), UV_EINVAL, "from %d", range->from);
    aiort_future_set_result(future, NULL);
    err = aiort_await(future, result);
    aiort_unref(future);
    return err;
}

static int callback(void *arg)
{
    (void)arg;
    return 0;
}

static int done(aiort_future_t *future, void *arg)
{
    (void)arg;
    return aiort_future_set_error(future, UV_EINVAL, "message %d", 1);
}

int main(void)
{
    struct range range = {1, 2};
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(coroutine, &range), NULL);
    aiort_coroutine_t *coro = AIORT_CORO_BY_VALUE(coroutine, range);
    aiort_call_soon(loop, callback, NULL, NULL);
    aiort_call_later(loop, 0.1, callback, NULL, NULL);
    aiort_call_at(loop, aiort_loop_time(loop) + 1, callback, NULL, NULL);
    aiort_call_soon_threadsafe(loop, callback, NULL, NULL);
    aiort_future_add_done_callback(AIORT_FUTURE(task), done, NULL);
    printf("%d\n", aiort_loop_run_until_complete(loop, task, NULL));
    return aiort_run(coro, NULL);
}
C
cp "$scratch/alone.c" "$scratch/alone.cc"
cp "$scratch/macros.c" "$scratch/macros.cc"

# It may come first and still leave GNU's and POSIX's functions to the rest of the file.
cat > "$scratch/polite.c" <<'C'
#include <aiort.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    char *copy = strdup("x");
    usleep(1);
    free(copy);
    return getpagesize() == 0;
}
C

for compiler in gcc clang; do
    have $compiler || continue
    for standard in c11 c17 gnu11 gnu17; do
        check "$compiler -std=$standard: alone" $compiler -std=$standard "${flags[@]}" "$scratch/alone.c"
        # libuv's header needs nothing more; __typeof__ and statement expressions are marked as extensions.
        check "$compiler -std=$standard: macros" $compiler -std=$standard "${flags[@]}" "$scratch/macros.c"
    done
    check "$compiler -std=gnu11: leaves POSIX alone" $compiler -std=gnu11 "${flags[@]}" "$scratch/polite.c"
done
for compiler in g++ clang++; do
    have $compiler || continue
    for standard in c++17 gnu++17 c++20; do
        check "$compiler -std=$standard: alone" $compiler -std=$standard "${flags[@]}" "$scratch/alone.cc"
        check "$compiler -std=$standard: macros" $compiler -std=$standard "${flags[@]}" "$scratch/macros.cc"
    done
done
finish
