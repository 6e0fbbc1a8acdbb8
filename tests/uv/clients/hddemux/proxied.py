#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: proxied.py COUNT

Serves HTTP and DNS over TCP, has hddemux between them and its clients, makes COUNT requests of each kind, and stops
it. The proxy is started as systemd does it: descriptor 3 is the listening socket, which LISTEN_FDS tells.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhi\n"


def listening():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(200)
    return server


def address(server):
    return "127.0.0.1:%d" % server.getsockname()[1]


def serve(server, answer):
    while True:
        connection, _ = server.accept()
        with connection:
            got = connection.recv(4096)
            if got:
                connection.sendall(answer(got))


def ask(server, request, length):
    with socket.create_connection(server.getsockname(), timeout=20) as connection:
        connection.sendall(request)
        got = b""
        while len(got) < length:
            more = connection.recv(4096)
            if not more:
                break
            got += more
        return got


def main():
    count = int(sys.argv[1])
    http, dns, front = listening(), listening(), listening()
    threading.Thread(target=serve, args=(http, lambda got: PAGE), daemon=True).start()
    threading.Thread(target=serve, args=(dns, lambda got: got), daemon=True).start()
    environment = dict(os.environ, HTTP_TARGET=address(http), DNS_TARGET=address(dns), IDLE_TIMEOUT="1500", LISTEN_FDS="1")
    proxy = subprocess.Popen(["sh", "-c", "exec 3<&0 < /dev/null; LISTEN_PID=$$ exec hddemux"], env=environment,
                             stdin=front, stderr=subprocess.DEVNULL)
    message = len(QUERY).to_bytes(2, "big") + QUERY
    silent = [socket.create_connection(front.getsockname()) for _ in range(5)]
    pages = sum(ask(front, b"GET / HTTP/1.1\r\nHost: example\r\n\r\n", len(PAGE)) == PAGE for _ in range(count))
    answers = sum(ask(front, message, len(message)) == message for _ in range(count))
    ask(front, b"x", 0)  # one octet, and gone before the proxy can know what it is
    closed = sum(connection.recv(1) == b"" for connection in silent)  # by IDLE_TIMEOUT
    time.sleep(0.1)
    proxy.send_signal(signal.SIGTERM)
    print("%d pages, %d answers, %d closed for silence, status %d" % (pages, answers, closed, proxy.wait(20)))


if __name__ == "__main__":
    main()
