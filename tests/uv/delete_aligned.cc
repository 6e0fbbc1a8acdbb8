/* SPDX-License-Identifier: MIT */
/*
 * lynckia/licode#1190 "Fix crashes calling uv_finish_close" for an object with an alignment of its
 * own: delete of C++17 takes another way to the allocator.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

struct alignas(128) Connection {
    long statistics[20] = {};
    uv_tcp_t tcp;
};

int main()
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    Connection *connection = new Connection;
    must(uv_tcp_init(&loop, &connection->tcp)); /* @created */
#ifdef FIXED
    connection->tcp.data = connection;
    uv_close((uv_handle_t *)&connection->tcp,
             [](uv_handle_t *handle) { delete static_cast<Connection *>(handle->data); });
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
#else
    delete connection; /* @freed */
#endif
    return 0;
}
