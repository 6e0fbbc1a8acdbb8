# SPDX-License-Identifier: MIT
"""usage: terminal.py AIODEBUG SHIM. On a terminal: the program that `aiodebug run` runs has it, an interrupt typed there
reaches the program, and what the program makes of it is the status."""

import os
import pty
import select
import signal
import sys
import time

AIODEBUG, SHIM = sys.argv[1:3]
PROGRAM = 'trap "echo caught; exit 5" INT; test -t 0 && test -t 1 && test -t 2 && echo ready; while :; do sleep 0.05; done'


def main():
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background has it ignored
        os.execv(AIODEBUG, [AIODEBUG, "run", "--shim", SHIM, "--", "sh", "-c", PROGRAM])
    output, typed, deadline = b"", False, time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                block = os.read(terminal, 4096)
            except OSError:  # EIO: all have closed it
                break
            output += block
            if b"ready" in output and not typed:
                typed = True
                os.write(terminal, b"\x03")
    else:
        os.killpg(pid, signal.SIGKILL)  # it has a session of its own
    _, status = os.waitpid(pid, 0)
    wrong = [text for text in (b"ready", b"caught", b"ended with status 5") if text not in output]
    if wrong or os.waitstatus_to_exitcode(status) != 5:
        sys.exit("status %d, missing %s in %r" % (os.waitstatus_to_exitcode(status), wrong, output))


main()
