# SPDX-License-Identifier: MIT
"""usage: arithmetic.py DIRECTORY. What the summaries rest on, checked against slow and plain ways to the same: quantiles,
the short way to count a line, logs cut into pieces, text beside JSON, times, trees. DIRECTORY holds run.sh's logs."""

import collections
import json
import math
import os
import random
import re
import sys

ROOT = os.environ.get("ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from aiodebug_lib import calltree, elf, filters, model, parallel, reader, report_data, stats, tally, textlog  # noqa: E402

DIRECTORY = sys.argv[1]
passed = failed = 0


def same(name, wanted, got):
    global passed, failed
    if wanted == got:
        passed += 1
    else:
        failed += 1
        print("FAILED  %s\n    %s" % (name, difference(wanted, got)))


def difference(wanted, got, at=""):
    """The first place where the two differ."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted(wanted.keys() | got.keys(), key=repr):
            if key not in wanted or key not in got or wanted[key] != got[key]:
                return difference(wanted.get(key), got.get(key), "%s[%r]" % (at, key))
    if isinstance(wanted, (list, tuple)) and isinstance(got, (list, tuple)) and len(wanted) == len(got):
        for index, pair in enumerate(zip(wanted, got)):
            if pair[0] != pair[1]:
                return difference(*pair, "%s[%d]" % (at, index))
    return "%s: wanted %r, got %r" % (at or "it", wanted, got)


def path(name):
    return os.path.join(DIRECTORY, name)


def lines_of(name):
    with open(path(name), "rb") as file:
        return file.read().split(b"\n")[:-1]


# ------------------------------------------------------------------------------------------------------ durations

def nearest_rank(values, q):
    return sorted(values)[max(1, math.ceil(q * len(values))) - 1]


def check_durations():
    chance = random.Random(1)
    for count in (1, 2, 3, 100, stats.EXACT, stats.EXACT + 1, 5 * stats.EXACT):
        values = [chance.lognormvariate(-2, 1.5) for _ in range(count)]
        whole, left, right = stats.Durations(), stats.Durations(), stats.Durations()
        whole.extend(values)
        for value in values[:count // 3]:
            left.add(value)
        right.extend(values[count // 3:])
        left.merge(right)
        for name, durations in (("one", whole), ("merged", left)):
            name = "%d durations, %s: " % (count, name)
            same(name + "count, extremes", (count, min(values), max(values)), (durations.count, durations.least, durations.most))
            same(name + "total", True, math.isclose(durations.total, math.fsum(values), rel_tol=1e-9))
            same(name + "exact", count <= stats.EXACT, durations.exact)
            bound = 0 if durations.exact else stats.ERROR * 1.0001
            for q, got in zip((0.01, 0.5, 0.95, 0.99, 1), durations.quantiles((0.01, 0.5, 0.95, 0.99, 1))):
                true = nearest_rank(values, q)
                same("%squantile %g within its bound" % (name, q), True, abs(got - true) <= bound * true)
    empty = stats.Durations()
    same("no durations", None, empty.quantile(0.5))
    zeros = stats.Durations()
    zeros.extend([0.0] * (stats.EXACT + 1))
    same("nothing but zeros", [0.0, 0.0], zeros.quantiles((0.5, 1)))
    same("memory of many values is bounded", True, len(stretched().buckets) < 4000)


def stretched():
    durations, chance = stats.Durations(), random.Random(2)
    durations.extend([10 ** chance.uniform(-9, 6) for _ in range(50000)])
    return durations


# --------------------------------------------------------------------------------- two ways to count the same lines

def figures(counted):
    """All that a tally says, without what depends on the order of sums."""
    counted.fold()
    return {
        "span": (counted.records, counted.weight, counted.first, counted.last),
        "checks": {slug: (c.records, c.weight, c.first, c.last, c.level, c.repeats, c.durations.count,
                          round(c.durations.total, 6), c.durations.quantiles((0.5, 0.99)),
                          {name: (p.records, p.weight, p.timed, round(p.seconds, 6)) for name, p in c.places.items()},
                          tree(c.tree.root)) for slug, c in counted.checks.items()},
        "parties": [{key: (p.records, p.weight, dict(p.checks), round(p.seconds, 6)) for key, p in table.items()}
                    for table in (counted.processes, counted.threads, counted.loops, counted.logs)],
    }


def tree(node):
    return (node.count, round(node.seconds, 6), {name: tree(child) for name, child in node.below.items()})


def variants(count):
    """Lines as the shim writes them, made of the real ones, and mutilated ones among them."""
    chance, real = random.Random(3), [json.loads(line) for line in lines_of("all.jsonl")]
    for number in range(count):
        record = dict(chance.choice(real))
        if record["seconds"]:
            record["seconds"] = 0.25
        record["time"] = "2026-11-22T15:%02d:%02d.%06dZ" % (number // 60 % 60, number % 60, chance.randrange(1000000))
        record["pid"] = chance.choice((1, 2, 3))
        record["tid"] = record["pid"] + chance.choice((0, 10))
        record["thread"] = chance.choice((None, "a \"b\" \\", "ü"))
        if record["check"] == "slow-callback":
            record["seconds"] = round(chance.lognormvariate(-2, 1) * 1024) / 1024  # so that sums are exact
            record["message"] = chance.choice((
                "Executing <TimerHandle when=%(n).3f f%(f)d() at %(file)s.c:%(line)d created at x.c:1> took %(s).3f seconds",
                "Executing <Task pending name='Task-%(n)d' coro=<f%(f)d() running at %(file)s.c:%(line)d> created at "
                "y.c:2> took %(s).3f seconds",
                "Executing <uv_timer_t 0x%(n)x cb=f%(f)d() at /a b/%(file)s.c:%(line)d created at z.c:3> took %(s).3f seconds",
                "Executing <uv_work_t 0x%(n)x> took %(s).3f seconds")) % {
                    "n": number, "f": number % 3, "file": chance.choice("ab"), "line": chance.choice((1, 2)),
                    "s": record["seconds"]}
        record["count"] = chance.choice((1, 1, 1, 5))
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
        if chance.random() < 0.1:
            other = json.dumps(chance.choice(real), separators=(",", ":")).encode()
            line = chance.choice((line[:chance.randrange(len(line))], line[chance.randrange(len(line)):], b"", b"{}",
                                  line[:chance.randrange(len(line))] + other, line + line,
                                  line.replace(b'"', b"'", 1), line.replace(b":", b"", 1)))
        yield line


def check_short_way():
    source = path("variants.jsonl")
    with open(source, "wb") as file:
        file.write(b"".join(line + b"\n" for line in variants(6000)))
    slow = tally.Tally()
    with reader.open_logs([source]) as logs:
        for record in logs:
            slow.add(record)
    wanted = figures(slow)
    quick = parallel.tally_logs([source], processes=1)
    same("most lines go the short way", True, sum(quick_way(source)) > 4000)
    same("the short way counts as the long one", wanted, figures(quick))
    same("and finds the same damage", logs.damage.found, quick.damage.found)
    before = parallel.PIECE, parallel.WORTH
    for size in (1, 997, 100000):
        # Very small pieces: of some, a line covers many.
        parallel.PIECE, parallel.WORTH = size if size > 1 else 211, 1
        cut = parallel.tally_logs([source], processes=2)
        same("in pieces of %d bytes, two processes" % parallel.PIECE, wanted, figures(cut))
        same("and the same damage, with the same numbers of lines", logs.damage.found, cut.damage.found)
    parallel.PIECE, parallel.WORTH = before
    limits = tally.GROUPS_MAX
    tally.GROUPS_MAX = 7  # folded all the time
    same("folded all the time", wanted, figures(parallel.tally_logs([source], processes=1)))
    tally.GROUPS_MAX = limits
    wanted_by = filters.Filter(checks=["slow-callback"], since=model.epoch("2026-11-22T15:10:00Z"))
    plain = [r for r in reader.open_logs([source]) if r.check == "slow-callback" and r.when >= wanted_by.since]
    same("filtered", (len(plain), sum(r.weight for r in plain)),
         (lambda t: (t.records, t.weight))(parallel.tally_logs([source], wanted_by)))


def quick_way(source):
    counted = tally.Tally()
    with open(source, "rb") as file:
        for line in file:
            yield counted.add_line(line.rstrip(b"\n"), source)


# --------------------------------------------------------------------------------------------------- text and JSON

def gist(record):
    return (record.program, record.level, record.check, record.weight, record.repeats, model.place(record), record.hint,
            record.errors, tuple(sorted(record.context)),
            tuple(sorted((stack.role, re.sub(r"\d+", "N", stack.title or ""), tuple(map(frame_gist, stack.frames)))
                         for stack in record.stacks)) if not record.repeats else None)


def frame_gist(frame):
    return (frame.function, frame.file, frame.line, frame.source) if frame.file else \
        (frame.function, frame.build_id, frame.offset, frame.module)


def check_text():
    by_text, by_json = [collections.Counter(map(gist, reader.open_logs([path(name)])))
                        for name in ("all.log", "all.jsonl")]
    # A count of repeats has no hint as text.
    both = [collections.Counter({key if key[4] is None else key[:6]: n for key, n in c.items()}) for c in (by_text, by_json)]
    same("text says what JSON says", both[1], both[0])
    parser = textlog.Parser()
    text = ["2026-11-22T15:52:23.199362Z my app[7] ERROR:aiodebug:two", "    lines [callback-exception]", "task: <T",
            "    x>", "Called at (most recent call last):", '  File "a b.c", line 3, in f', "    call();",
            '  Module "/x y.so", offset 0x1f, in g, build-id abc123', "  [Previous line repeated 2 more times]",
            "Traceback (most recent call last):", '  File "r.c", line 1, in r', "EIO: bad", "",
            "The above exception was the direct cause of the following exception:", "",
            "Traceback (most recent call last):", '  File "q.c", line 2, in q', "EINVAL: worse", "hint: do this", "mine"]
    same("no record before its end", [None] * len(text), [parser.feed(line, n) for n, line in enumerate(text, 1)])
    record = parser.finish()
    same("a record of all parts",
         ("my app", 7, "two\nlines", "callback-exception", {"task": "<T\nx>"}, ("EIO: bad", "EINVAL: worse"), "do this", 1),
         (record.program, record.pid, record.message, record.check, record.context, record.errors, record.hint,
          parser.foreign))
    same("its stacks", [("call", ["f", "g", "g", "g"]), ("raised", ["r"]), ("raised", ["q"])],
         [(s.role, [f.function for f in s.frames]) for s in record.stacks])
    frame = record.stacks[0].frames[1]
    same("a frame without a line", ("/x y.so", 0x1f, "abc123", None), (frame.module, frame.offset, frame.build_id, frame.file))


# ----------------------------------------------------------------------------------------------------------- repeats

def repeated(*more):
    """A slow callback of 0.25, 0.5 and 0.125 seconds, then these records, as the shim would have written them."""
    template = next(json.loads(line) for line in lines_of("all.jsonl") if b'"slow-callback"' in line)
    for number, fields in enumerate(({"seconds": 0.25}, {"seconds": 0.5}, {"seconds": 0.125}) + more):
        fields = dict(template, time="2026-11-22T15:52:%02d.000000Z" % (10 * number), **fields)
        fields["message"] += fields.pop("tail", "")
        yield model.record_from(fields, model.trace_from(fields))


def check_repeats():
    known = {"seconds": None, "count": 10, "total_seconds": 4.25, "max_seconds": 2.0,
             "tail": " ... repeated 7 more times, together 4.251 seconds, at most 2.001 seconds (10 in all)"}
    text = dict(known, total_seconds=None)
    old = dict(text, tail=" ... repeated 7 more times (10 in all)")
    hang = {"check": "loop-hang", "seconds": 1.5}
    for name, more, count, total, most, blocked, unknown in (
            ("JSON", (known,), 10, 5.125, 2.0, 5.125, False), ("text", (text,), 10, 5.126, 2.001, 5.126, False),
            ("an older log", (old,), 3, 0.875, 0.5, 0.875, True), ("hangs", (hang, known), 10, 5.125, 2.0, 2.375, True),
            ("nonsense", (dict(known, total_seconds=1.0),), 3, 0.875, 0.5, 0.875, True)):
        first, second, collector = tally.Tally(), tally.Tally(), report_data.Collector()
        for number, record in enumerate(repeated(*more)):
            (first if number < 2 else second).add(record)
            collector.add(record)
        first.merge(second)
        check = first.checks["slow-callback"]
        figures_ = check.durations.figures()
        same("repeats, %s: summary" % name, (10, count, 3, total, most, 0.25, total / count),
             (check.weight,) + tuple(round(figures_[k], 9) for k in ("count", "measured", "total", "max", "median")) +
             (figures_["average"],))
        same("repeats, %s: its places" % name, [(10, total, most)],
             [(p.weight, round(p.seconds, 9), p.most) for p in check.places.values()])
        page = collector.finish()
        entry = next(c for c in page["checks"] if c["slug"] == "slow-callback")
        same("repeats, %s: the page" % name, (10, count, 3, total, most, 0.25),
             (entry["count"],) + tuple(entry["stats"][k] for k in ("n", "measured", "total", "max", "median")))
        same("repeats, %s: how long the loop was blocked" % name, (blocked, unknown),
             (round(sum(c["blocked"] for c in page["checks"]), 6), page["blocked_more"]))


# --------------------------------------------------------------------------------------------- times, filters, trees

def check_times():
    for text, wanted in (("1970-01-01T00:00:00.000000Z", 0), ("2026-11-22T15:52:23.250000Z", 1795362743.25),
                         ("2026-11-22T15:52:23.25+01:00", 1795359143.25), ("2024-02-29 12:00", 1709208000),
                         ("2026-13-01T00:00:00Z", None), ("2026-11-22T25:00:00Z", None), ("yesterday", None), ("", None),
                         ("2026-11-22T15:52:23.xxxxxxZ", None)):
        same("the time " + text, wanted, model.epoch(text))
    same("a day", 1795305600, filters.moment("2026-11-22"))
    same("ten minutes before the last record", 400.0, filters.moment("10m", 1000.0))
    same("a time of the last record's day", 1795305600 + 3600, filters.moment("01:00", 1795305600.0 + 80000))
    for patterns, slug, wanted in ((["slow-*"], "slow-poll", True), (["-slow-poll"], "slow-poll", False),
                                   (["-slow-poll"], "loop-hang", True), (["all", "-a"], "a", False), (["a"], "b", False)):
        same("%s of %s" % (slug, patterns), wanted, filters.wanted_check(patterns, slug))


def check_order():
    records = list(reader.open_logs([path(name) for name in ("new.jsonl", "old.jsonl", "all.log")], merge=True))
    same("logs of several hosts, by time", sorted(r.when for r in records), [r.when for r in records])
    same("none is lost", sum(1 for name in ("new.jsonl", "old.jsonl", "all.log") for _ in reader.open_logs([path(name)])),
         len(records))


def check_tree():
    merged = calltree.CallTree()
    for names, count in ((["a", "b", "c"], 60), (["a", "b", "d"], 37), (["a", "b"], 2), (["e"], 1)):
        merged.add_names(names, count)
    same("merged from the root", [("├─ ", 0.99, "a"), ("│  ", None, "b"), ("│  ├─ ", 0.6, "c"), ("│  └─ ", 0.37, "d"),
                                  ("└─ ", 0.01, None)],
         [line[:3] for line in merged.lines(0.03)])
    same("a threshold of nothing", 5, len(list(merged.lines(0))))


def check_elf():
    for name in ("slow", "again"):
        found = elf.Elf(path(name))
        same(name + " is dynamic", True, found.interpreter is not None and found.dynamic)
    with open(path("slow"), "rb") as file:
        image = bytearray(file.read(4096))
    chance, kinds = random.Random(4), collections.Counter()
    for _ in range(2000):  # whatever the file says, it is an ELF file or it is none
        mutilated = bytearray(image[:chance.choice((0, 3, 20, 63, 64, 200, 4096))])
        for _ in range(8):
            if mutilated:
                mutilated[chance.randrange(min(len(mutilated), 600))] = chance.randrange(256)
        with open(path("mutilated"), "wb") as file:
            file.write(mutilated)
        try:
            elf.Elf(path("mutilated"))
            kinds["elf"] += 1
        except elf.NotElf:
            kinds["none"] += 1
    same("2000 damaged programs", 2000, sum(kinds.values()))


for check in (check_durations, check_short_way, check_text, check_repeats, check_times, check_order, check_tree, check_elf):
    check()
print("%d passed, %d failed" % (passed, failed))
