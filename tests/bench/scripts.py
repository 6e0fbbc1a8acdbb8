#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What scripts/aiodebug costs over a million records: `make bench-scripts`.

The records are those of a real run of tests/scriptspage/workshop.c under the shim, again and again with times and
durations of their own. Each subcommand is run once; memory is the most that its processes had together (PSS, so that
what they share counts once). Fails when summary or report is over its limit. Limits are seconds on two processors that
have nothing else to do; on a busy machine the time that the processors worked for it, halved, is held to them instead.
AIORT_BENCH_RECORDS: another number of records; limits are then only printed.

usage: BUILD=build/gcc scripts.py
"""

import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/scriptspage"))
import logs  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build/gcc")))
RECORDS = int(os.environ.get("AIORT_BENCH_RECORDS") or 1000000)
# what -> (arguments, seconds, megabytes)
MEASURED = (
    ("summary", ["summary", "LOG"], 10, 200),
    ("report", ["report", "LOG", "-o", "OUT"], 60, None),
    ("export collapsed", ["export", "--format", "collapsed", "LOG", "-o", "OUT"], None, None),
    ("export pprof", ["export", "--format", "pprof", "LOG", "-o", "OUT"], None, None),
    ("export speedscope", ["export", "--format", "speedscope", "LOG", "-o", "OUT"], None, None),
    ("export chrome", ["export", "--format", "chrome", "LOG", "-o", "OUT"], None, None),
)


def compile_workshop(directory):
    program = os.path.join(directory, "workshop")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libuv"], capture_output=True, text=True, check=True)
    subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-O2", "-g", "-I" + os.path.join(ROOT, "runtime/include"),
                    os.path.join(ROOT, "tests/scriptspage/workshop.c"), "-o", program, "-L" + BUILD,
                    "-Wl,-rpath," + BUILD, "-laiort", *flags.stdout.split(), "-lm"], check=True)
    return program


def family(pid):
    """A process and all below it."""
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir("/proc/%d/task" % parent):
                with open("/proc/%d/task/%s/children" % (parent, task), encoding="ascii") as file:
                    found += map(int, file.read().split())
        except OSError:
            pass
    return found


def memory(pid):
    total = 0
    for member in family(pid):
        try:
            with open("/proc/%d/smaps_rollup" % member, encoding="ascii") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total / 1024


def worked():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(arguments):
    """Seconds on the clock, seconds of all processors, megabytes."""
    start, before = time.monotonic(), worked()
    process = subprocess.Popen([sys.executable, os.path.join(ROOT, "scripts/aiodebug"), *arguments],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        most = max(most, memory(process.pid))
        time.sleep(0.05)
    if process.returncode:
        sys.exit("aiodebug %s: status %d" % (" ".join(arguments), process.returncode))
    return time.monotonic() - start, worked() - before, most


def main():
    over = []
    with tempfile.TemporaryDirectory(prefix="aiodebug-bench-") as directory:
        log, out = os.path.join(directory, "bench.jsonl"), os.path.join(directory, "out")
        records = logs.run_workshop(BUILD, compile_workshop(directory), log)
        logs.many(log, records, RECORDS)
        print("%d records, %.0f MB, %d processors, load %.1f" %
              (RECORDS, os.path.getsize(log) / 1e6, len(os.sched_getaffinity(0)), os.getloadavg()[0]))
        busy = os.getloadavg()[0] > 1.5  # generating them was 1
        print("%-20s %8s %8s %8s %10s %8s" % ("", "seconds", "of CPU", "limit", "megabytes", "limit"))
        for name, arguments, seconds, megabytes in MEASURED:
            took, used, most = measure([{"LOG": log, "OUT": out}.get(a, a) for a in arguments])
            print("%-20s %8.1f %8.1f %8s %10.0f %8s" % (name, took, used, seconds or "", most, megabytes or ""), flush=True)
            judged = used / 2 if busy else took
            if RECORDS == 1000000 and (seconds and judged > seconds or megabytes and most > megabytes):
                over.append(name)
    if busy:
        print("the machine is busy: half the seconds of CPU were held to the limits")
    for name in over:
        print("over its limit: %s" % name)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
