# SPDX-License-Identifier: MIT
"""What the exports must be, over the log of a real run: by checks of our own, and by the tools themselves where they
can be had."""

import base64
import datetime
import glob
import json
import os
import shutil
import subprocess
import tarfile

import protobuf
import schema
from harness import aiodebug, expect

SPEEDSCOPE = "1.25.0"


BLOCKED = ("slow-callback", "slow-iteration", "blocking-call", "loop-hang")
TIMED = (*BLOCKED, "slow-poll", "threadpool-saturated")


def blocked(records):
    """Seconds in which any loop's thread was blocked: for each thread what its intervals cover together."""
    intervals = {}
    for r in records:
        if r["check"] in BLOCKED and r["seconds"] is not None:
            end = datetime.datetime.fromisoformat(r["time"].replace("Z", "+00:00")).timestamp()
            intervals.setdefault(r["tid"], []).append((end - r["seconds"], end))
    total = 0
    for list_ in intervals.values():
        upto = 0
        for start, end in sorted(list_):
            total += max(0, end - max(start, upto))
            upto = max(upto, end)
    return total


def export(scratch, log, form, *more):
    path = os.path.join(scratch, "out." + form)
    aiodebug("export", "--format", form, log, "-o", path, *more)
    with open(path, "rb") as file:
        return path, file.read()


def collapsed(scratch, log, records):
    _, data = export(scratch, log, "collapsed")
    total = 0
    for line in data.decode().splitlines():
        stack, _, weight = line.rpartition(" ")
        expect(stack.startswith("workshop;") and weight.isdigit() and int(weight) > 0, line)
        expect(stack.count(";") >= 2, line)
        total += int(weight)
    expect(abs(total / 1e6 - blocked(records)) < 1e-4, "%d us, but %.6f s in the log" % (total, blocked(records)))
    names = {frame.split()[0] for line in data.decode().splitlines() for frame in line.rpartition(" ")[0].split(";")[2:]}
    expect({"refresh_prices", "sort_letters", "handle_order"} <= names, names)
    _, data = export(scratch, log, "collapsed", "--weight", "count")
    counts = sum(int(line.rpartition(" ")[2]) for line in data.decode().splitlines())
    said = sum(r["count"] if " repeated " not in r["message"] else repeats(r) for r in records)
    expect(counts == said, "%d counted, %d in the log" % (counts, said))


def repeats(record):
    return int(record["message"].split(" ... repeated ")[1].split()[0])


def speedscope_file(scratch, log, records):
    path, data = export(scratch, log, "speedscope")
    value = json.loads(data)
    frames = value["shared"]["frames"]
    total = 0
    expect(value["$schema"] == "https://www.speedscope.app/file-format-schema.json", value["$schema"])
    expect(len(value["profiles"]) == 2, "the workshop has two loops, not %d" % len(value["profiles"]))
    for p in value["profiles"]:
        expect(p["type"] == "sampled" and p["unit"] == "seconds", p)
        expect(len(p["samples"]) == len(p["weights"]), "as many weights as samples")
        expect(all(0 <= n < len(frames) for sample in p["samples"] for n in sample), "frames that are there")
        expect(all(sample for sample in p["samples"]), "no empty stack")
        expect(abs(p["endValue"] - p["startValue"] - sum(p["weights"])) < 1e-6, "the weights fill the profile")
        total += sum(p["weights"])
    expect(abs(total - blocked(records)) < 1e-4, "%f s, but %f in the log" % (total, blocked(records)))
    return path


def speedscope_package(scratch):
    """speedscope itself, of npm; None where npm cannot deliver it."""
    npm = shutil.which("npm")
    if not npm:
        return None
    done = subprocess.run([npm, "pack", "--silent", "speedscope@" + SPEEDSCOPE], cwd=scratch, capture_output=True,
                          timeout=60, stdin=subprocess.DEVNULL)
    found = glob.glob(os.path.join(scratch, "speedscope-*.tgz"))
    if done.returncode or not found:
        return None
    with tarfile.open(found[0]) as archive:
        for member in archive.getmembers():
            if member.isfile() and member.name.startswith("package/dist/") and ".." not in member.name:
                archive.extract(member, scratch)
    return os.path.join(scratch, "package/dist/release")


def speedscope_schema(package, path):
    with open(os.path.join(package, "file-format-schema.json"), encoding="utf-8") as file:
        rules = json.load(file)
    with open(path, encoding="utf-8") as file:
        value = json.load(file)
    schema.check(value, rules, rules)
    # The check itself can fail.
    for break_it in (lambda v: v.pop("profiles"), lambda v: v["profiles"][0].update(weights="x"),
                     lambda v: v["shared"]["frames"][0].pop("name"), lambda v: v["profiles"][0].update(type="other")):
        broken = json.loads(json.dumps(value))
        break_it(broken)
        try:
            schema.check(broken, rules, rules)
        except schema.Invalid:
            continue
        raise AssertionError("a broken file passed the schema")


def speedscope_opens(browser, package, path):
    """speedscope's own page reads the file and shows its first profile."""
    # As its command line does it: a script beside the page that hands the file over.
    loader = path + ".js"
    with open(path, "rb") as file, open(loader, "wb") as script:
        script.write(b"speedscope.loadFileFromBase64('aiodebug.speedscope.json', '%s')" % base64.b64encode(file.read()))
    page = browser.open("file://%s/index.html#localProfilePath=%s" % (package, loader), ready="document.body")
    page.until("document.body.innerText.includes('workshop ')", 20)
    shown = page.evaluate("document.body.innerText")
    expect("Something went wrong" not in shown and "Unrecognized" not in shown, shown[:500])
    page.close()


def nothing_twice(scratch, records):
    """A callback of 22 seconds that is told as a hang at 5, 10 and 20 seconds and makes a blocking call of 3 seconds is
    22 seconds, wherever they are counted. The records are a real one's, with the words and stacks of the other checks."""
    base = next(r for r in records if r["check"] == "slow-callback" and r["object"]["kind"] == "handle")
    frame = {"function": "main", "file": "a.c", "line": 1, "column": 1, "inlined": False, "source": None, "module": "/a",
             "build_id": None, "offset": 1}

    def at(when, check, seconds, role, *functions):
        r = json.loads(json.dumps(base))
        r.update(time="2026-11-22T15:00:%09.6fZ" % when, check=check, seconds=seconds, stacks=[
            {"role": role, "title": None, "frames": [dict(frame, function=f) for f in functions]}])
        r["message"] = "%s <Handle work() at a.c:9>" % check
        r["object"]["repr"] = "<Handle work() at a.c:9 created at a.c:3>"
        return r
    made = [at(3, "blocking-call", 3.0, "call", "main", "work", "sync", "fsync"),
            at(5, "loop-hang", 5.0, "running", "main", "work", "spin"),
            at(10, "loop-hang", 10.0, "running", "main", "work", "spin"),
            at(20, "loop-hang", 20.0, "running", "main", "work", "wait", "lock"),
            at(22, "slow-callback", 22.0, "created", "main")]
    log = os.path.join(scratch, "nested.jsonl")
    with open(log, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(r) + "\n" for r in made)
    _, data = export(scratch, log, "collapsed")
    found = {line.rpartition(" ")[0].split(";", 2)[2]: int(line.rpartition(" ")[2]) for line in data.decode().splitlines()}
    expect(found == {"work a.c": 2000000, "work a.c;sync a.c;fsync a.c": 3000000, "work a.c;spin a.c": 7000000,
                     "work a.c;wait a.c;lock a.c": 10000000}, found)
    _, data = export(scratch, log, "chrome")
    spans = sorted((e["dur"], e["cat"]) for e in json.loads(data)["traceEvents"] if e["ph"] == "X")
    expect(spans == [(3000000, "blocking calls"), (20000000, "hangs"), (22000000, "callbacks")], spans)
    _, data = export(scratch, log, "pprof")
    expect(sum(v[1] for _, v, _ in protobuf.profile(data)["samples"]) == 22 * 10**9, "nanoseconds")


def chrome(scratch, log, records):
    _, data = export(scratch, log, "chrome")
    events = json.loads(data)["traceEvents"]
    names = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    processes = {e["pid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
    expect(list(processes.values()) == ["workshop"], processes)
    open_pairs, tasks = {}, set()
    spans = {}
    for e in events:
        expect(e["ph"] in "MXibne", e)
        if e["ph"] == "M":
            continue
        expect(e["ts"] > 1.7e15 and (e["pid"], e["tid"]) in names and e["name"], e)
        key = (e.get("cat"), e.get("id"))
        if e["ph"] == "b":
            expect(key not in open_pairs, "%s begins twice" % (key,))
            open_pairs[key] = e["ts"]
            if e["cat"] == "task":
                tasks.add(e["name"])
        elif e["ph"] == "n":
            expect(open_pairs[key] <= e["ts"], e)
        elif e["ph"] == "e":
            expect(open_pairs.pop(key) <= e["ts"], e)
        elif e["ph"] == "X":
            expect(e["dur"] >= 0, e)
            spans.setdefault((e["pid"], e["tid"]), []).append((e["ts"], e["ts"] + e["dur"]))
    expect(not open_pairs, "never ended: %s" % open_pairs)
    named = {r["object"]["id"] for r in records if r["object"] and r["object"]["kind"] == "task"}
    expect(len([e for e in events if e["ph"] == "b" and e["cat"] == "task"]) == len(named), "one event for each task")
    expect("Task-2" in tasks or any(name.startswith(("Task-", "order ")) for name in tasks), tasks)
    for thread, list_ in spans.items():  # they lie beside or inside one another
        around = []
        for start, end in sorted(list_, key=lambda s: (s[0], -s[1])):
            while around and around[-1] <= start + 1e-3:
                around.pop()
            expect(not around or end <= around[-1] + 1e-3, "%s: %f..%f sticks out" % (thread, start, end))
            around.append(end)
    timed = sum(1 for r in records if r["check"] in TIMED and r["seconds"] is not None)
    expect(sum(map(len, spans.values())) == timed, "%d events, %d records" % (sum(map(len, spans.values())), timed))


def pprof(scratch, log, records):
    path, data = export(scratch, log, "pprof")
    found = protobuf.profile(data)
    expect(found["types"] == [("records", "count"), ("blocked", "nanoseconds")], found["types"])
    total = sum(value[1] for _, value, _ in found["samples"])
    expect(abs(total / 1e9 - blocked(records)) < 1e-4, "%d ns, but %f s in the log" % (total, blocked(records)))
    expect(all(labels.get("program") == "workshop" for _, _, labels in found["samples"]), "labels")
    expect(any("refresh_prices" in path_ for path_, _, _ in found["samples"]), "names")
    again = export(scratch, log, "pprof")[1]
    expect(again == data, "the same log gives the same file")
    return path


def pprof_tool(path, records):
    """What go's own tool says of the file."""
    def run(*arguments):
        done = subprocess.run(["go", "tool", "pprof", *arguments, path], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOME": os.path.dirname(path)}, stdin=subprocess.DEVNULL)
        expect(done.returncode == 0, done.stderr)
        return done.stdout
    top = run("-top", "-unit=us")
    expect("Type: blocked" in top and "refresh_prices" in top, top)
    said = float(top.split("Total samples = ")[1].split("us")[0])
    expect(abs(said / 1e6 - blocked(records)) < 1e-3, top)
    expect("workshop" in run("-tags"), "tags")
    expect("task-destroyed-pending" in run("-raw"), "every record is in it")
