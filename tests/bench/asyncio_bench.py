# SPDX-License-Identifier: MIT
"""asyncio's costs, plain and, with PYTHONASYNCIODEBUG=1, in debug mode. See bench.h."""
import asyncio
import os
import threading
import time

SCALE = int(os.environ.get("AIORT_BENCH_SCALE", "1")) * (10 if os.environ.get("PYTHONASYNCIODEBUG") else 1)


def scaled(n):
    return n // SCALE + 1


def cpu():
    return time.process_time_ns()


def result(name, value):
    print(f"{name} {value:.2f}", flush=True)


async def yielder(n):
    for _ in range(n):
        await asyncio.sleep(0)


async def yields(name, tasks, steps):
    all_tasks = [asyncio.create_task(yielder(steps)) for _ in range(tasks)]
    start = cpu()
    for task in all_tasks:
        await task
    result(name, (cpu() - start) / (tasks * steps))


async def nothing():
    pass


async def spawns(n):
    start = cpu()
    for _ in range(n):
        await asyncio.create_task(nothing())
    result("spawn", (cpu() - start) / n)


async def pingpong(n):
    loop = asyncio.get_running_loop()
    box = {"ping": loop.create_future()}

    async def ponger():
        for _ in range(n):
            await box["ping"]
            box["ping"] = loop.create_future()
            box["pong"].set_result(None)

    other = asyncio.create_task(ponger())
    await asyncio.sleep(0)
    start = cpu()
    for _ in range(n):
        pong = box["pong"] = loop.create_future()
        box["ping"].set_result(None)
        await pong
    result("pingpong", (cpu() - start) / (2 * n))
    await other


async def call_soon(n):
    loop = asyncio.get_running_loop()
    start = cpu()
    for _ in range(n // 100):
        for _ in range(100):
            loop.call_soon(int)
        await asyncio.sleep(0)
    result("call_soon", (cpu() - start) / (n // 100 * 100))


async def call_later(n):
    loop = asyncio.get_running_loop()
    seed, called = 1, 0

    def count():
        nonlocal called
        called += 1

    start = cpu()
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) & 0xFFFFFFFF
        loop.call_later(0.001 + (seed >> 8 & 0xFFFF) * 1e-6, count)
    while called < n:
        await asyncio.sleep(0.01)
    result("call_later", (cpu() - start) / n)


async def threadsafe(n):
    loop = asyncio.get_running_loop()

    def produce():
        start = time.thread_time_ns()
        for _ in range(n):
            loop.call_soon_threadsafe(int)
        result("threadsafe", (time.thread_time_ns() - start) / n)

    thread = threading.Thread(target=produce)
    thread.start()
    thread.join()
    await asyncio.sleep(0)


async def sleepers(n):
    def resident():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    before = resident()
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(n)]
    await asyncio.sleep(0.1)
    result("sleeping_bytes", (resident() - before) / n)
    for task in tasks:
        task.cancel()


async def main():
    await yields("yield2", 2, scaled(100000))
    await yields("yield1000", 1000, scaled(200))
    await spawns(scaled(50000))
    await pingpong(scaled(50000))
    await call_soon(scaled(200000))
    await call_later(scaled(100000))
    await threadsafe(scaled(50000))
    await sleepers(scaled(50000))


asyncio.run(main())
