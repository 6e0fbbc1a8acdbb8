// SPDX-License-Identifier: MIT
//
// What an exception costs that a callback of libuv's throws through uv_run(), caught around it.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <uv.h>

static double now()
{
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

int main()
{
    const char *scale = std::getenv("AIORT_BENCH_SCALE");
    long n = 200000 / (scale && std::atol(scale) > 1 ? std::atol(scale) : 1) + 1, caught = 0;
    uv_loop_t *loop = uv_default_loop();
    uv_idle_t idle;
    uv_idle_init(loop, &idle);
    uv_idle_start(&idle, [](uv_idle_t *) { throw 1; });
    double started = now();
    for (long i = 0; i < n; i++) {
        try {
            uv_run(loop, UV_RUN_NOWAIT);
        } catch (int one) {
            caught += one;
        }
    }
    std::printf("throw %.2f\n", (now() - started) / static_cast<double>(caught));
    return caught == n ? 0 : 1;
}
