# SPDX-License-Identifier: MIT
"""The little that the checks share: counting, and running scripts/aiodebug as a person does."""

import os
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
AIODEBUG = os.path.join(ROOT, "scripts/aiodebug")
VERBOSE = bool(os.environ.get("V"))

passed = failed = 0


def check(name, function, *arguments):
    """Passes when the function returns; gives what it returned, or None."""
    global passed, failed
    start = time.monotonic()
    try:
        result = function(*arguments)
    except Exception:  # noqa: whatever went wrong is the test's finding
        failed += 1
        print("FAILED  %s" % name)
        print("    " + traceback.format_exc().rstrip().replace("\n", "\n    "))
        return None
    passed += 1
    if VERBOSE:
        print("ok      %s (%.1f s)" % (name, time.monotonic() - start), flush=True)
    return result


def missing(what):
    """Something that cannot be had: left out with a line, and in CI, where it must be there, a failure."""
    global failed
    if os.environ.get("CI"):
        failed += 1
        print("FAILED  %s" % what)
    else:
        print("skipped: %s" % what)


def finish():
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def aiodebug(*arguments, status=0, **options):
    """Its outcome; raises when its status is another."""
    done = subprocess.run([sys.executable, AIODEBUG, *arguments], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, **options)
    expect(done.returncode == status, "aiodebug %s: status %d\n%s" % (" ".join(arguments), done.returncode, done.stderr))
    return done
