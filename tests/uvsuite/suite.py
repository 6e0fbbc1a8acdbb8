#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs libuv's own tests without the shim and with it, and compares.

Each test runs as its own runner would run it: the helpers first, each waited for until it closes the descriptor
UV_TEST_RUNNER_FD, then the test's process; its status (exit or signal) and all it printed are the outcome. A test
passes here when the outcome under the shim, with a text and with a JSON log, is one that it has without the shim
too, and when the log holds exactly the records that records.txt lists for it. Whether libuv's test itself passed
is libuv's business, but the number is printed.

Where the machine allows it, a worker has a network namespace with only lo and a /tmp of its own (the tests use
fixed ports and fixed names), so that several can run at a time, as nobody when started by root. Otherwise one
test runs after the other.

What differs is tried again, alone: a test that is not the same each time without the shim is compared with all
that it was seen to do. A record that speaks of time and is not listed counts only if it comes again each time:
on a busy machine "took 0.2 seconds" is true and says nothing about the test.
"""

import argparse
import collections
import ctypes
import difflib
import fcntl
import json
import multiprocessing
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

NOBODY = 65534
SKIPPED = 7  # TEST_SKIP in test/task.h
TIMING = {"slow-callback", "slow-poll", "slow-iteration", "loop-hang", "blocking-call", "threadpool-saturated"}
SERIOUS = {"WARNING", "ERROR", "CRITICAL"}
# RESOURCE: what is left at exit is a record too. DEBUG: everything is formatted and written.
MODES = {
    "plain": None,
    "text": {"AIODEBUG_FORMAT": "text", "AIODEBUG_RESOURCE": "1", "AIODEBUG_LEVEL": "DEBUG"},
    "json": {"AIODEBUG_FORMAT": "json", "AIODEBUG_RESOURCE": "1"},
}
TEXT_RECORD = re.compile(
    r"^\d{4}-\d\d-\d\dT[\d:.]+Z (?P<program>.*)\[\d+\] (?P<level>[A-Z]+):aiodebug:(?P<message>.*) \[(?P<check>[a-z-]+)\]$")
REPEATED = re.compile(r" \.\.\. repeated (\d+) more times?[ ,]")

Outcome = collections.namedtuple("Outcome", "status output")
Record = collections.namedtuple("Record", "check level message times detail")

options = None  # of the command line
room = None  # the worker's own directory
isolated = False


# ------------------------------------------------------------------------------------------------ isolation


def isolate():
    """A network namespace with lo up, and an empty /tmp; False where the system refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_ns, new_user, new_net = 0x20000, 0x10000000, 0x40000000
    ms_rec, ms_private = 0x4000, 1 << 18
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare((0 if uid == 0 else new_user) | new_ns | new_net) != 0:
        return False
    try:
        if uid != 0:
            for name, line in ("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1"):
                with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                    file.write(line)
        if libc.mount(b"none", b"/", None, ms_rec | ms_private, None) != 0:
            return False
        if libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, b"mode=1777") != 0:
            return False
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            request = struct.pack("16sh14x", b"lo", 0)
            flags = struct.unpack("16sh14x", fcntl.ioctl(s, 0x8913, request))[1]  # SIOCGIFFLAGS
            fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))  # SIOCSIFFLAGS, IFF_UP
    except OSError:
        return False
    return True


def can_isolate():
    pid = os.fork()
    if pid == 0:
        os._exit(0 if isolate() else 1)
    return os.waitpid(pid, 0)[1] == 0


def start_worker(base):
    global room, isolated
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    isolated = options.isolate and isolate()
    room = tempfile.mkdtemp(dir=base)
    os.chmod(room, 0o755)


# ------------------------------------------------------------------------------------------------- one run


def fresh_directories():
    """The test's working directory and the one for the logs, owned by who will run it."""
    for name in "work", "logs":
        path = os.path.join(room, name)
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path)
        os.chmod(path, 0o777)
    fixtures = os.path.join(room, "work", "test", "fixtures")
    shutil.copytree(options.fixtures, fixtures)
    if os.getuid() == 0:
        for directory, _, names in os.walk(os.path.join(room, "work")):
            os.chown(directory, NOBODY, NOBODY)
            for name in names:
                os.chown(os.path.join(directory, name), NOBODY, NOBODY)
    for pipe in "/tmp/uv-test-sock", "/tmp/uv-test-sock2", "/tmp/uv-test-sock3":
        if os.path.lexists(pipe):
            os.unlink(pipe)


def start(test, part, output, environment, more_fds=()):
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    return subprocess.Popen([options.program, test, part], cwd=os.path.join(room, "work"), env=environment,
                            stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=more_fds,
                            start_new_session=True, **who)


def start_helper(test, helper, environment):
    """A helper is ready when its end of the pipe is closed."""
    read_end, write_end = os.pipe()
    process = start(test, helper, subprocess.DEVNULL, dict(environment, UV_TEST_RUNNER_FD=str(write_end)), (write_end,))
    os.close(write_end)
    select.select([read_end], [], [], options.timeout)
    os.close(read_end)
    return process


def end(process, how):
    try:
        os.killpg(process.pid, how)
    except (ProcessLookupError, PermissionError):
        pass


def run(test, helpers, mode):
    """One run: its outcome and the records at WARNING and above."""
    fresh_directories()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIODEBUG") and k != "LD_PRELOAD"}
    environment.update(RES_OPTIONS="attempts:0", UV_TEST_TIMEOUT_MULTIPLIER="4")
    if options.library:
        environment["LD_LIBRARY_PATH"] = options.library
    if MODES[mode] is not None:
        environment.update(MODES[mode], LD_PRELOAD=options.shim, AIODEBUG_LOG=os.path.join(room, "logs", "%p.log"))
    with open(os.path.join(room, "output"), "w+b") as output:
        others = [start_helper(test, helper, environment) for helper in helpers]
        main = start(test, test, output, environment)
        try:
            status = main.wait(options.timeout)
        except subprocess.TimeoutExpired:
            status = "timeout"
            end(main, signal.SIGABRT)
        for process in others:
            end(process, signal.SIGTERM)
        for process in [main, *others]:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                end(process, signal.SIGKILL)
                process.wait()
            end(process, signal.SIGKILL)  # what it left behind in its session
        output.seek(0)
        text = output.read().decode("utf-8", "backslashreplace")
    text = text.replace(room, "ROOM").replace(options.shim, "SHIM")
    return Outcome(status, re.sub(r"0x[0-9a-f]+", "0xN", text)), read_logs(mode)


def read_logs(mode):
    records = []
    logs = os.path.join(room, "logs")
    for name in sorted(os.listdir(logs)):
        with open(os.path.join(logs, name), encoding="utf-8", errors="replace") as file:
            for line in file:
                record = read_json(line) if mode == "json" else read_text(line)
                if record and record.level in SERIOUS:
                    records.append(record)
    return records


def read_json(line):
    try:
        one = json.loads(line)
        detail = [f"    {stack['role']}: " + " < ".join(
            f"{frame['function']}:{frame['line']}" for frame in stack["frames"][:8]) for stack in one["stacks"]]
        repeated = REPEATED.search(one["message"])
        return Record(one["check"], one["level"], one["message"], int(repeated[1]) if repeated else 1, detail)
    except (ValueError, KeyError, TypeError):
        return Record("malformed", "CRITICAL", line, 1, [])


def read_text(line):
    match = TEXT_RECORD.match(line.rstrip("\n"))
    if not match:
        return None
    repeated = REPEATED.search(match["message"])
    return Record(match["check"], match["level"], match["message"], int(repeated[1]) if repeated else 1, [])


# ------------------------------------------------------------------------------------------------ comparing


# Ever looser ways to compare output: as it is, without its numbers, as a set of lines, as a heap of characters (which
# still says that two processes wrote the same, in whatever order the kernel let them).
VIEWS = [
    lambda text: text,
    lambda text: re.sub(r" *\d+", "N", text),
    lambda text: sorted(set(re.sub(r" *\d+", "N", text).split("\n"))),
    lambda text: sorted(re.sub(r" *\d+", "N", text)),
]
# Tests that race with themselves, and from which view on they stand still: a count or an order hangs on how many
# turns the loop makes in a time, the machine's memory is what it is; of fork_* two processes write to one descriptor, and
# in spawn_* a child's exit and the end of its output come in any order.
RACING = {"get_memory": 1, "idle_starvation": 2, "timer": 2}


def stands_still(test):
    return 3 if test.startswith(("fork_", "spawn_")) else RACING.get(test, 0)


def same_outcomes(test, plain, shimmed):
    """Every outcome under the shim is one seen without it. A looser view only where it stands not still without it."""
    for number, view in enumerate(VIEWS):
        seen = {Outcome(o.status, str(view(o.output))) for o in plain}
        if {Outcome(o.status, str(view(o.output))) for o in shimmed} <= seen:
            return True
        if len(seen) == 1 and number >= stands_still(test):
            return False
    return False


def counts(records):
    table = collections.Counter()
    for record in records:
        table[record.check] += record.times
    return table


def wrong_counts(test, records):
    """Slugs whose count is not the listed one."""
    table = counts(records)
    wanted = options.records.get(test, {})
    return {slug for slug in table.keys() | wanted.keys()
            if not (lambda w: w[0] <= table[slug] <= w[1])(wanted.get(slug, (0, 0)))}


def look(job):
    """All modes of one test, once."""
    test, helpers = job
    started = time.monotonic()
    runs = {mode: run(test, helpers, mode) for mode in options.modes}
    return job, runs, time.monotonic() - started, isolated


def suspicious(test, runs):
    plain = [runs["plain"][0]]
    return any(not same_outcomes(test, plain, [outcome]) or wrong_counts(test, records)
               for mode, (outcome, records) in runs.items() if mode != "plain")


def look_again(job):
    """What the test does when tried several times; the complaints that remain, and the runs."""
    test, helpers = job
    runs = {mode: [run(test, helpers, mode) for _ in range(options.tries)] for mode in options.modes}
    plain = [outcome for outcome, _ in runs["plain"]]
    complaints = []
    for mode in options.modes:
        if mode == "plain":
            continue
        if not same_outcomes(test, plain, [outcome for outcome, _ in runs[mode]]):
            complaints.append(f"{mode}: " + difference(plain, [outcome for outcome, _ in runs[mode]]))
        wrong = [wrong_counts(test, records) for _, records in runs[mode]]
        for slug in sorted(set().union(*wrong)):
            listed = options.records.get(test, {}).get(slug)
            # A busy machine adds a record of time; it takes none away, and adds none of another kind.
            if slug in TIMING and not all(slug in one for one in wrong):
                continue
            seen = [counts(records)[slug] for _, records in runs[mode]]
            complaints.append(f"{mode}: {slug}: {seen} records in {options.tries} runs, listed {listed or 'none'}")
            complaints += [f"{record.level}: {record.message}\n" + "\n".join(record.detail)
                           for record in runs[mode][-1][1] if record.check == slug][:3]
    return job, complaints


def difference(plain, shimmed):
    """The first outcome that is none of those without the shim, as text."""
    outcome = next(o for o in shimmed if o not in plain)
    output = list(difflib.unified_diff(plain[0].output.split("\n"), outcome.output.split("\n"), "without", "with", "", "", 2, ""))
    return "\n".join([f"ended with {outcome.status}; without the shim with {sorted({str(p.status) for p in plain})}",
                      *output[:40], *(["[...]"] if len(output) > 40 else [])])


# ------------------------------------------------------------------------------------------------ the whole


def read_records(path):
    """Lines `test slug count reason`; the count is a number or a range such as 0-2."""
    table = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("#") or not line.strip():
                continue
            match = re.match(r"(\S+)\s+([a-z-]+)\s+(\d+)(?:-(\d+))?\s+\S.*", line)
            if not match:
                sys.exit(f"{path}:{number}: not `test slug count reason`")
            low = int(match[3])
            table.setdefault(match[1], {})[match[2]] = (low, int(match[4] or low))
    return table


def list_tests():
    """Names and helpers, as `run-tests --list` prints them."""
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    listing = subprocess.run([options.program, "--list"], stdout=subprocess.PIPE, check=True, text=True, cwd="/", **who)
    tests = []
    for line in listing.stdout.splitlines():
        match = re.match(r"(\S+)(?:\s+\(helpers: (.*)\))?$", line)
        tests.append((match[1], match[2].split() if match[2] else []))
    return tests


def arguments():
    parser = argparse.ArgumentParser(description="libuv's tests without and with the shim")
    parser.add_argument("--program", required=True, help="run-tests")
    parser.add_argument("--source", required=True, help="libuv's source, for test/fixtures")
    parser.add_argument("--shim", required=True)
    parser.add_argument("--library", help="another libuv.so.1 to run them on")
    parser.add_argument("--records", default=os.devnull, help="records that are true")
    parser.add_argument("--only", help="a file of names, one a line, or names separated by commas")
    parser.add_argument("--modes", default="text,json")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--tries", type=int, default=4, help="how often what differs is tried again")
    parser.add_argument("--list", action="store_true", help="print the records that came, for records.txt")
    parser.add_argument("--times", action="store_true", help="print the dearest tests")
    return parser.parse_args()


def copy_where_all_can_read(base):
    """The tests' user may not be allowed to read the directory of the build, and sees another /tmp."""
    os.chmod(base, 0o755)
    for name in "program", "shim":
        copy = os.path.join(base, os.path.basename(getattr(options, name)))
        shutil.copy(getattr(options, name), copy)
        os.chmod(copy, 0o755)
        setattr(options, name, copy)
    if options.library:
        os.mkdir(os.path.join(base, "lib"))
        shutil.copy(options.library, os.path.join(base, "lib", "libuv.so.1"))
        options.library = os.path.join(base, "lib")
    options.fixtures = os.path.join(base, "fixtures")
    shutil.copytree(os.path.join(options.source, "test", "fixtures"), options.fixtures)


def main():
    global options
    options = arguments()
    options.modes = ["plain", *options.modes.split(",")]
    stated = options.records
    options.records = read_records(stated)
    options.isolate = can_isolate()
    with tempfile.TemporaryDirectory(prefix="uvsuite.", dir="/var/tmp") as base:
        copy_where_all_can_read(base)
        sys.exit(compare_all(base, stated))


def choose(tests):
    if not options.only:
        return tests, []
    if os.path.exists(options.only):
        with open(options.only, encoding="utf-8") as file:
            wanted = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    else:
        wanted = options.only.split(",")
    known = {name for name, _ in tests}
    return [job for job in tests if job[0] in wanted], [name for name in wanted if name not in known]


def compare_all(base, stated):
    every = list_tests()
    tests, unknown = choose(every)
    stale = sorted(set(options.records) - {name for name, _ in every})
    failed = 0
    for name in unknown:
        failed += 1
        print(f"FAILED  {name}: libuv has no such test")
    for name in stale:
        failed += 1
        print(f"FAILED  {stated}: libuv has no test {name}")
    passed = 0
    steady = []
    ends = collections.Counter()
    times, true_records = [], []
    doubtful = []
    jobs = options.jobs if options.isolate else 1
    with multiprocessing.Pool(jobs, start_worker, (base,)) as pool:
        for job, runs, seconds, alone in pool.imap_unordered(look, tests):
            if options.isolate and not alone:
                sys.exit("a worker could not be isolated though the first try could")
            status = runs["plain"][0].status
            if options.times and status != 0:
                print(f"    {job[0]} ended with {status}: {runs['plain'][0].output.strip()[:200]}")
            ends["passed" if status == 0 else "skipped" if status == SKIPPED else "failed"] += 1
            times.append((seconds, job[0]))
            for mode, (_, records) in runs.items():
                true_records += [(job[0], mode, record) for record in records]
            if suspicious(job[0], runs):
                doubtful.append(job)
            else:
                passed += 1
    with multiprocessing.Pool(1, start_worker, (base,)) as pool:
        for job, complaints in pool.imap(look_again, sorted(doubtful)):
            if complaints:
                failed += 1
                print(f"FAILED  {job[0]}")
                print("\n".join("    " + line for text in complaints for line in text.split("\n")))
            else:
                passed += 1
                steady.append(job[0])
            sys.stdout.flush()
    if steady:
        print(f"the same when tried {options.tries} times more: {', '.join(steady)}")
    tell(tests, ends, times, true_records)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def tell(tests, ends, times, records):
    where = f"{options.jobs} at a time, each in a namespace of its own" if options.isolate else "one after the other"
    print(f"{len(tests)} of libuv's tests, {where}; without the shim {ends['passed']} passed, {ends['failed']} failed, "
          f"{ends['skipped']} skipped; under it {', '.join(options.modes[1:])}")
    if options.times:
        for seconds, name in sorted(times, reverse=True):
            print(f"    {seconds:6.1f} s  {name}")
    if options.list:
        table = collections.Counter()
        details = {}
        for test, mode, record in records:
            table[test, record.check, mode] += record.times
            if record.detail:
                details.setdefault((test, record.check), []).append(record)
        for (test, check, mode), count in sorted(table.items()):
            print(f"{test:40} {check:26} {count}  ({mode})")
            for record in details.get((test, check), [])[:4] if mode == "json" else []:
                print(f"        {record.message}\n" + "\n".join("    " + line for line in record.detail))


if __name__ == "__main__":
    main()
