#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An echo server on asyncio's streams, or on uvloop: prints its port, ends with its standard input. See io_run."""

import asyncio
import os
import sys


async def echo(reader, writer):
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the client has seen enough
    writer.close()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main():
    loop = asyncio.get_running_loop()
    if "protocol" in sys.argv:
        server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=1024)
    else:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = loop.create_future()
    loop.add_reader(0, lambda: os.read(0, 1) or ended.done() or ended.set_result(None))
    await ended


if "uvloop" in sys.argv:
    import uvloop

    uvloop.install()
asyncio.run(main())
