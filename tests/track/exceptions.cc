// SPDX-License-Identifier: MIT
// Time of a C++ throw and catch, in ns: the best of some rounds. With "where" as argument: the
// library whose unwinder it uses. run.sh compares it with and without the shim's part preloaded.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <stdexcept>
#include <unwind.h>

__attribute__((noinline)) static void fail(int depth)
{
    if (depth > 0)
        fail(depth - 1);
    else
        throw std::runtime_error("expected");
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static bool once()
{
    try {
        fail(5);
    } catch (const std::runtime_error &) {
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc > 1 && std::strcmp(argv[1], "where") == 0) {
        Dl_info info;
        void *raise = dlsym(RTLD_DEFAULT, "_Unwind_RaiseException");
        std::puts(raise != nullptr && dladdr(raise, &info) != 0 ? info.dli_fname : "nowhere");
        return 0;
    }
    double best = 1e9;
    bool caught = true;
    for (int round = 0; round < 10; round++) {
        auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < 1000; i++)
            caught = once() && caught;
        std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
        best = time.count() / 1000 < best ? time.count() / 1000 : best;
    }
    std::printf("%.0f\n", best);
    return caught ? 0 : 1;
}
