# SPDX-License-Identifier: MIT
"""Logs for the tests: of a real run of workshop.c under the shim, and what is made from its records: many of them,
and ones in which every string tries to be markup or code."""

import copy
import json
import os
import random
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def run(build, program, log, orders, **environment):
    """One run under the shim. Raises when its status is not 0."""
    if os.path.exists(log):
        os.unlink(log)
    # Callbacks are slow from 10 ms on; a turn of the loop never is, however busy the machine.
    env = {**os.environ, "LD_PRELOAD": os.path.join(build, "libaiodebug.so"), "AIODEBUG_LOG": log,
           "AIODEBUG_RESOURCE": "1", "AIODEBUG_SLOW_CALLBACK": "0.01", "AIODEBUG_SLOW_ITERATION": "60", **environment}
    subprocess.run([program, orders], env=env, cwd=ROOT, check=True, timeout=120, stdin=subprocess.DEVNULL)


def run_workshop(build, program, log):
    """The records of one run, polls of the selector among them."""
    run(build, program, log, "60", AIODEBUG_FORMAT="json", AIODEBUG_LEVEL="DEBUG")
    with open(log, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


UV_PROGRAMS = ("exit_open_many", "free_two_handles", "slow_repeating_timer", "slow_iteration_reads", "reuse_fs_req")


def run_uv(build, directory, log):
    """Programs on plain libuv, of tests/uv: handles left open, memory of one freed, slow callbacks and turns."""
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libuv"], capture_output=True, text=True, check=True)
    env = {**os.environ, "LD_PRELOAD": os.path.join(build, "libaiodebug.so"), "AIODEBUG_FORMAT": "json",
           "AIODEBUG_LOG": log, "AIODEBUG_RESOURCE": "1"}
    for name in UV_PROGRAMS:
        source = os.path.join(ROOT, "tests/uv", name + ".c")
        if not os.path.exists(source):
            continue
        program = os.path.join(directory, name)
        # Named as the log will have it: relative to the directory in which the report looks for sources.
        subprocess.run([os.environ.get("CC", "gcc"), "-g", "-O1", "tests/uv/%s.c" % name, "-o", program,
                        *flags.stdout.split(), "-ldl"], cwd=ROOT, check=True)
        subprocess.run([program], env=env, cwd=ROOT, timeout=60, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    with open(log, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(path, records):
    with open(path, "w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


def stamp(seconds):
    whole = int(seconds)
    return "%s.%06dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)), (seconds - whole) * 1e6)


def many(path, records, number, seed=1):
    """A log of `number` records, written as the shim writes them: those of a real run again and again, each at a
    time of its own and with a duration of its own; the counts of repeats come last."""
    random.seed(seed)
    templates = []
    for record in records:
        if " repeated " in record["message"]:
            continue
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        head, rest = line.split(record["time"], 1)
        seconds = record["seconds"]
        monotonic = '"monotonic":%s' % json.dumps(record["monotonic"])
        before, after = rest.split(monotonic, 1)
        if seconds:
            mark = '"seconds":%s' % json.dumps(seconds)
            middle, end = after.split(mark, 1)
            templates.append((head, before, middle, end, seconds))
        else:
            templates.append((head, before, after, None, None))
    now, ticks = 1.79e9, 1000.0
    with open(path, "w", encoding="utf-8") as file:
        for i in range(number):
            head, before, middle, end, seconds = templates[i % len(templates)]
            step = random.expovariate(200)
            now, ticks = now + step, ticks + step
            text = '%s%s%s"monotonic":%.9f%s' % (head, stamp(now), before, ticks, middle)
            if end is not None:
                text += '"seconds":%.9g%s' % (seconds * random.lognormvariate(0, 1), end)
            file.write(text + "\n")
        for record in records:  # what the shim says last
            if " repeated " in record["message"]:
                file.write(json.dumps({**record, "time": stamp(now)}, ensure_ascii=False, separators=(",", ":")) + "\n")


# What a hostile log would like the page to take for markup, script or an address.
HOSTILE = ("</script><script>window.pwned=1</script><img src=x onerror=\"window.pwned=2\">"
           "<svg onload='window.pwned=3'><a href=\"javascript:window.pwned=4\">x</a><!--<script>"
           "\u2028\u2029\"'`${window.pwned=5}&lt;@@DATA@@\\u003c\x00\x1b[31m\ud83d")


def hostile(value, depth=0):
    """The same record with every string, and every name that may be any, replaced by HOSTILE."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, list):
        return [hostile(v, depth + 1) for v in value]
    if isinstance(value, dict):
        return {k: hostile(v, depth + 1) for k, v in value.items()}
    return value


def hostile_records(records):
    """Every string of every field; the time is kept in half of them, and so are checks, levels and roles, so that each
    part of the page gets something to draw. Names that JavaScript gives a meaning are tried as checks."""
    result = []
    names = ("__proto__", "constructor", "toString", "hasOwnProperty", HOSTILE)
    for i, record in enumerate(records):
        bad = hostile(copy.deepcopy(record))
        bad["context"] = {HOSTILE: HOSTILE, "__proto__": HOSTILE}
        if i % 4:
            bad["time"], bad["level"] = record["time"], record["level"]
            bad["check"] = record["check"]
            for theirs, ours in zip(bad["stacks"], record["stacks"]):
                theirs["role"] = ours["role"]
            # The place as the messages name it.
            bad["message"] = HOSTILE + " f() at " + HOSTILE.replace(" ", "") + ".c:12"
        else:
            bad["check"] = names[i // 4 % len(names)]
            bad["time"] = record["time"]
        if i % 7 == 0:
            bad["object"] = {"kind": HOSTILE, "id": i, "address": HOSTILE, "repr": HOSTILE}
        result.append(bad)
    return result
