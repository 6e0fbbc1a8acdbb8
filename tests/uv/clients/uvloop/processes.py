# SPDX-License-Identifier: MIT
"""Children with pipes, a signal, a fork that goes on using its own loop (uv_loop_fork), and multiprocessing."""

import asyncio
import multiprocessing
import os
import signal

import uvloop


async def children():
    process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate(b"c" * 300000)
    print("cat", len(out), process.returncode)
    codes = await asyncio.gather(*(run(f"exit {i % 6}") for i in range(15)))
    print("codes", codes)
    process = await asyncio.create_subprocess_exec("sleep", "30")
    process.kill()
    print("killed", await process.wait())
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await got.wait()
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
    print("signal")


async def run(script):
    return await (await asyncio.create_subprocess_shell(script)).wait()


def work(n):
    asyncio.run(asyncio.sleep(0.005))
    return n * n


def forked():
    """As uvloop's own test of it: the child runs the loop that its parent made."""
    loop = uvloop.new_event_loop()
    loop.call_soon(lambda: None)
    loop.run_until_complete(asyncio.sleep(0.001))
    pid = os.fork()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    if pid == 0:
        os._exit(8)
    print("forked", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


uvloop.install()
asyncio.run(children())
forked()
with multiprocessing.get_context("fork").Pool(3) as pool:
    print("pool", sum(pool.map(work, range(20))))
