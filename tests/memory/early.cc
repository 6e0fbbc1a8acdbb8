// SPDX-License-Identifier: MIT
//
// Memory given back before main() and after it: in static constructors and destructors, and libuv used in both.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <uv.h>
#include <vector>

struct Early {
    std::vector<std::string *> kept;
    uv_timer_t *timer;
    Early()
    {
        for (int i = 0; i < 100; i++) {
            kept.push_back(new std::string(static_cast<std::size_t>(i * 10), 'x'));
        }
        std::free(std::realloc(std::malloc(10), 10000));
        munmap(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
        timer = new uv_timer_t;
        uv_timer_init(uv_default_loop(), timer);
    }
    ~Early()
    {
        for (std::string *it : kept) {
            delete it;
        }
        delete timer; // open still
    }
};

static Early early;

int main()
{
    std::puts("main");
}
