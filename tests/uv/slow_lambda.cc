/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#1434 "can't stop uv loop" and most C++ programs give libuv a lambda: the record names
 * it as the compiler does, and the line of its handle's creation.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

namespace server
{
struct Heartbeat {
    uv_timer_t timer;
    explicit Heartbeat(uv_loop_t *loop)
    {
        must(uv_timer_init(loop, &timer)); /* @created */
    }
    void start()
    {
        auto beat = [](uv_timer_t *) { uv_sleep(TAKES); };
        must(uv_timer_start(&timer, beat, 1, 0));
    }
};
} // namespace server

int main()
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    server::Heartbeat heartbeat(&loop);
    heartbeat.start();
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
