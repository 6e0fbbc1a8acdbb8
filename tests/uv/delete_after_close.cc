/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#1536 "Allow closing timer immediately without waiting for close callback": RAII does
 * not fit. The destructor closes its timer, and the memory is gone before the loop has closed it.
 *
 * @expect handle-destroyed-active created closed freed
 */
#include "program.h"

#include <string>

class Session
{
  public:
    explicit Session(uv_loop_t *loop)
    {
        must(uv_timer_init(loop, &timer)); /* @created */
        timer.data = this;
        must(uv_timer_start(
            &timer, [](uv_timer_t *) {}, 10000, 0));
    }
#ifdef FIXED
    void close()
    {
        uv_close((uv_handle_t *)&timer,
                 [](uv_handle_t *handle) { delete static_cast<Session *>(handle->data); });
    }
#else
    ~Session()
    {
        uv_close((uv_handle_t *)&timer, nullptr); /* @closed */
    }
#endif

  private:
    std::string name = "session";
    uv_timer_t timer;
};

int main()
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    Session *session = new Session(&loop);
#ifdef FIXED
    session->close();
#else
    delete session; /* @freed */
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
