# SPDX-License-Identifier: MIT
"""A callback that sleeps for a third of a second: the one thing here that has to be reported."""

import asyncio
import time

import uvloop


async def main():
    asyncio.get_running_loop().call_later(0.01, time.sleep, 0.3)
    await asyncio.sleep(0.05)
    print("done")


uvloop.install()
asyncio.run(main())
