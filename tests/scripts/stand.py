# SPDX-License-Identifier: MIT
"""usage: stand.py LOG... Every command reads every log, in this process: it ends with status 0 (diff: or 1), without an
exception, within a time and a memory that have nothing to do with how large the file pretends to be."""

import contextlib
import io
import os
import resource
import sys
import time
import traceback

ROOT = os.environ.get("ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from aiodebug_lib.main import main  # noqa: E402

SECONDS = 120 * float(os.environ.get("AIORT_TEST_SLOW") or 1)
MEGABYTES = 600
COMMANDS = (["summary"], ["diff", None], ["symbolize", "-o", "page.out"], ["report", "-o", "page.html"]) + tuple(
    ["export", "-o", "page.out", "--format", form] for form in ("collapsed", "speedscope", "chrome", "pprof"))


def run(words):
    """What is wrong, or nothing."""
    said, start = io.StringIO(), time.monotonic()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = main(words)
    except BaseException:
        return traceback.format_exc()
    took = time.monotonic() - start
    if status > (words[0] == "diff"):
        return "status %d: %s" % (status, said.getvalue()[-2000:])
    return "%.0f seconds" % took if took > SECONDS else ""


class Text(io.StringIO):
    """What main() reconfigures."""

    def reconfigure(self, **_):
        pass


io.StringIO = Text
passed = failed = 0
for log in sys.argv[1:]:
    for command in COMMANDS:
        words = [log if word is None else word for word in command] + [log]
        wrong = run(words)
        failed += bool(wrong)
        passed += not wrong
        if wrong:
            print("FAILED  aiodebug %s: %s" % (" ".join(words), wrong))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
failed += peak > MEGABYTES
passed += peak <= MEGABYTES
if peak > MEGABYTES:
    print("FAILED  %.0f MB of memory" % peak)
print("%d passed, %d failed" % (passed, failed))
