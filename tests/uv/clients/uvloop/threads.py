# SPDX-License-Identifier: MIT
"""A loop in each of five threads, calls from thread to thread, executors, and a loop that moves between threads."""

import asyncio
import concurrent.futures
import threading
import time

import uvloop


async def busy(n):
    loop = asyncio.get_running_loop()
    total = 0
    for i in range(n):
        total += await loop.run_in_executor(None, lambda: i)
        await asyncio.sleep(0)
    return total


async def threadsafe():
    loop = asyncio.get_running_loop()
    done, count = loop.create_future(), 0

    def step():
        nonlocal count
        count += 1
        if count == 400:
            done.set_result(count)

    threads = [threading.Thread(target=lambda: [loop.call_soon_threadsafe(step) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    return await done


def one(n):
    return asyncio.run(busy(n))


uvloop.install()
with concurrent.futures.ThreadPoolExecutor(5) as pool:
    print("loops", list(pool.map(one, [30] * 5)))
print("threadsafe", asyncio.run(threadsafe()))

loop = uvloop.new_event_loop()
for _ in range(3):
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.sleep(0.002)))
    thread.start()
    thread.join()
loop.close()
print("moved")

loop = uvloop.new_event_loop()
thread = threading.Thread(target=loop.run_forever)
thread.start()
print("elsewhere", asyncio.run_coroutine_threadsafe(busy(10), loop).result())
loop.call_soon_threadsafe(loop.stop)
thread.join()
loop.close()
time.sleep(0)
