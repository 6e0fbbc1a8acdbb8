// SPDX-License-Identifier: MIT
//
// Every form of operator delete, called as the compiler and as a program calls it, on memory in which a live
// handle lies. As blocks.c: prints how the shim is to name it.
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <new>
#include <uv.h>

namespace
{
struct Connection {
    char before[48];
    uv_timer_t timer;
    ~Connection() {}
};

struct alignas(64) Wide {
    char before[64];
    uv_timer_t timer;
    ~Wide() {}
};

template <typename T> T *with_timer(T *object)
{
    uv_timer_init(uv_default_loop(), &object->timer);
    return object;
}

void *block(std::size_t size, bool array)
{
    char *memory = static_cast<char *>(array ? ::operator new[](size) : ::operator new(size));
    uv_timer_init(uv_default_loop(), reinterpret_cast<uv_timer_t *>(memory + 48));
    return memory;
}

void *aligned_block(std::size_t size, bool array)
{
    std::align_val_t to{256};
    char *memory = static_cast<char *>(array ? ::operator new[](size, to) : ::operator new(size, to));
    uv_timer_init(uv_default_loop(), reinterpret_cast<uv_timer_t *>(memory + 48));
    return memory;
}

const std::align_val_t to{256};

const struct {
    const char *name, *expected;
    void (*run)();
} cases[] = {
    {"object", "given to operator delete()", [] { delete with_timer(new Connection); }},
    {"array", "given to operator delete[]()", [] {
         Connection *objects = new Connection[3];
         with_timer(&objects[1]);
         delete[] objects;
     }},
    {"aligned", "given to operator delete()", [] { delete with_timer(new Wide); }},
    {"aligned_array", "given to operator delete[]()", [] {
         Wide *objects = new Wide[3];
         with_timer(&objects[1]);
         delete[] objects;
     }},
    {"plain", "given to operator delete()", [] { ::operator delete(block(400, false)); }},
    {"sized", "given to operator delete()", [] { ::operator delete(block(400, false), std::size_t(400)); }},
    {"nothrow", "given to operator delete()", [] { ::operator delete(block(400, false), std::nothrow); }},
    {"plain_array", "given to operator delete[]()", [] { ::operator delete[](block(400, true)); }},
    {"sized_array", "given to operator delete[]()", [] { ::operator delete[](block(400, true), std::size_t(400)); }},
    {"nothrow_array", "given to operator delete[]()", [] { ::operator delete[](block(400, true), std::nothrow); }},
    {"over_aligned", "given to operator delete()", [] { ::operator delete(aligned_block(512, false), to); }},
    {"over_aligned_sized", "given to operator delete()", [] { ::operator delete(aligned_block(512, false), 512, to); }},
    {"over_aligned_nothrow", "given to operator delete()", [] { ::operator delete(aligned_block(512, false), to, std::nothrow); }},
    {"over_aligned_array", "given to operator delete[]()", [] { ::operator delete[](aligned_block(512, true), to); }},
    {"over_aligned_sized_array", "given to operator delete[]()", [] { ::operator delete[](aligned_block(512, true), 512, to); }},
    {"over_aligned_nothrow_array", "given to operator delete[]()", [] { ::operator delete[](aligned_block(512, true), to, std::nothrow); }},
    {"null", "nothing", [] {
         ::operator delete(nullptr);
         ::operator delete[](nullptr, std::size_t(8));
         delete static_cast<Connection *>(nullptr);
     }},
    {"closed", "nothing", [] {
         Connection *object = with_timer(new Connection);
         object->timer.data = object;
         uv_close(reinterpret_cast<uv_handle_t *>(&object->timer),
                  [](uv_handle_t *handle) { delete static_cast<Connection *>(handle->data); });
         uv_run(uv_default_loop(), UV_RUN_DEFAULT);
     }},
};
} // namespace

int main(int argc, char **argv)
{
    for (const auto &it : cases) {
        if (argc > 1 && std::strcmp(argv[1], "-l") == 0) {
            std::puts(it.name);
        } else if (argc > 1 && std::strcmp(argv[1], it.name) == 0) {
            it.run();
            std::puts(it.expected);
        }
    }
}
