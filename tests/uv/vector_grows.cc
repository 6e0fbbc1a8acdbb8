/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3266 "Double initialization of uv_tcp_t cause random segfaults" (its list of what
 * corrupts a loop): the loop keeps pointers into each handle, so a handle must not move. A
 * std::vector moves all of them when it grows.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

#include <list>
#include <vector>

#ifdef FIXED
typedef std::list<uv_timer_t> timers_t;
#else
typedef std::vector<uv_timer_t> timers_t;
#endif

static void add(uv_loop_t *loop, timers_t &timers)
{
    timers.emplace_back();                     /* @freed */
    must(uv_timer_init(loop, &timers.back())); /* @created */
}

int main()
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    timers_t *timers = new timers_t;
    add(&loop, *timers);
#ifndef FIXED
    timers->shrink_to_fit();
#endif
    add(&loop, *timers);
#ifdef FIXED
    finish(&loop);
    delete timers;
#else
    _exit(0); /* the loop's queue leads into freed memory */
#endif
    return 0;
}
