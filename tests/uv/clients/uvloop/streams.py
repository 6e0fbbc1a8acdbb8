# SPDX-License-Identifier: MIT
"""Servers and clients over TCP and a local socket, datagrams, timers, cancellation, several loops one after another."""

import asyncio

import uvloop


async def echo(reader, writer):
    while data := await reader.read(8192):
        writer.write(data)
        await writer.drain()
    writer.close()


async def talk(open_connection, rounds):
    reader, writer = await open_connection()
    total = 0
    for i in range(rounds):
        writer.write(b"x" * (i * 37 % 5000 + 1))
        total += len(await reader.readexactly(i * 37 % 5000 + 1))
    writer.write(b"y" * 500000)
    total += len(await reader.readexactly(500000))
    writer.close()
    await writer.wait_closed()
    return total


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self):
        self.got = 0
        self.all_here = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.got += 1
        if data == b"ping":
            self.transport.sendto(b"pong", address)
        if self.got == 100 and not self.all_here.done():
            self.all_here.set_result(self.got)


async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print("tcp", sum(await asyncio.gather(*(talk(lambda: asyncio.open_connection("127.0.0.1", port), 40) for _ in range(20)))))
    server.close()
    await server.wait_closed()
    server = await asyncio.start_unix_server(echo, "socket")
    print("local", await talk(lambda: asyncio.open_unix_connection("socket"), 40))
    server.close()

    one, a = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
    two, b = await loop.create_datagram_endpoint(Datagrams, remote_addr=one.get_extra_info("sockname"))
    for _ in range(100):
        two.sendto(b"ping")
        await asyncio.sleep(0)
    print("udp", await a.all_here, await b.all_here)
    one.close()
    two.close()

    ticks = []
    for i in range(200):
        loop.call_later(i % 5 / 1000, ticks.append, i)
    loop.call_later(0.002, lambda: None).cancel()
    await asyncio.sleep(0.05)
    print("timers", len(ticks), sum(ticks))
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.01)
    except asyncio.TimeoutError:
        print("timed out")
    try:
        await asyncio.open_connection("127.0.0.1", 1)
    except ConnectionRefusedError:
        print("refused")
    print("lookup", (await loop.getaddrinfo("127.0.0.1", 80))[0][4])


uvloop.install()
for _ in range(3):
    asyncio.run(main())
