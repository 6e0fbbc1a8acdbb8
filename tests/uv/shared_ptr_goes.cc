/* SPDX-License-Identifier: MIT */
/*
 * skypjack/uvw#234 "Found a bug in TimerHandle" is about who holds a handle and until when: here
 * the last shared_ptr goes, and with it the memory that std::make_shared() had put the handle in,
 * behind its counters.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

#include <memory>

struct Timer {
    uv_timer_t timer;
#ifdef FIXED
    std::shared_ptr<Timer> self;
#endif
};

int main()
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    {
        auto timer = std::make_shared<Timer>();
        must(uv_timer_init(&loop, &timer->timer)); /* @created */
        must(uv_timer_start(
            &timer->timer, [](uv_timer_t *) {}, 1, 0));
#ifdef FIXED
        timer->self = timer;
        timer->timer.data = timer.get();
        uv_close((uv_handle_t *)&timer->timer,
                 [](uv_handle_t *handle) { static_cast<Timer *>(handle->data)->self.reset(); });
#endif
    } /* @freed */
#ifdef FIXED
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
#endif
    return 0;
}
