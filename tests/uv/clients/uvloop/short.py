# SPDX-License-Identifier: MIT
"""One sleep."""

import asyncio

import uvloop

uvloop.install()
asyncio.run(asyncio.sleep(0.01))
