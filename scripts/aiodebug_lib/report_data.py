# SPDX-License-Identifier: MIT
"""Records -> what the page shows: verdicts by check, groups by place, timeline, flame graphs, sources.

Collector.add() is called for each record and keeps a few numbers of it; the rest is kept once for each group, that
is for each place where a mistake was made. finish() gives one value for json.dumps(). Everything in it that came
from a log is only ever a string in that value; the page shows strings as text.
"""

import bisect
import math
import re
from array import array

from . import model
from .export_samples import Sample, Sampler, callback_frame, dearest_frame, path_of, process_of
from .report_sources import Sources
from .report_timeline import LEVEL_RANK, Timeline
from .report_trees import Tree
from .report_words import BLOCKED, CHECKS, FAMILIES, LEAKS, MARKS, ROW_OF, ROWS, family, heading

VERSION = 1
GROUPS_MAX = 20000  # beyond: one more group of each check takes the rest
DETAILED = 400  # groups with stacks on the page, the gravest
FRAMES_MAX = 20000  # on the page, more or less
LISTED = 3000  # groups on the page at all
OTHER_PLACES = "(other places)"
SAMPLES = 5  # of messages and objects in a group
TRACES, TRACES_KEPT = 3, 64  # different sets of stacks in a group: shown, and counted
TEXT_MAX = 1200  # characters of one string
BELIEVED = 1e9  # seconds; what claims to have lasted longer is damage
STEPS = 8  # columns of a histogram for each factor of ten
SPARK = 40  # columns of the small charts "when"
NUMBERS = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?")
PLACE = re.compile(r"^(.*) \((.*):(\d+)\)$", re.S)


def cut(text, size=TEXT_MAX):
    if text is None or len(text) <= size:
        return text
    return text[:size] + "\u2026"


def statistics(values):
    """Of a sorted array of seconds."""
    n = len(values)

    def rank(p):
        return values[min(n - 1, max(0, math.ceil(p * n) - 1))]

    return {"n": n, "total": round(math.fsum(values), 6), "min": round(values[0], 9),
            "avg": round(math.fsum(values) / n, 9), "median": round(rank(0.5), 9), "p95": round(rank(0.95), 9),
            "p99": round(rank(0.99), 9), "max": round(values[-1], 9)}


def with_repeats(values, groups):
    """statistics() of the sorted values, and in n, total, avg and max also those that were only counted."""
    if not values:
        return None
    stats = dict(statistics(values), measured=len(values))
    stats["n"] += sum(g.counted for g in groups)
    stats["total"] = round(math.fsum([stats["total"]] + [g.counted_seconds for g in groups]), 6)
    stats["avg"] = round(stats["total"] / stats["n"], 9)
    stats["max"] = round(max([stats["max"]] + [g.counted_longest for g in groups]), 9)
    return stats


def histogram(values):
    """Columns of equal width on a logarithmic axis: [exponent of the first, counts]. values are sorted."""
    positive = values[bisect.bisect_right(values, 1e-9):]
    if not positive:
        return None
    first = math.floor(math.log10(positive[0]) * STEPS + 1e-9)
    last = min(math.floor(math.log10(positive[-1]) * STEPS + 1e-9), first + 12 * STEPS)
    counts, below = [], 0
    for step in range(first + 1, last + 2):
        upto = len(positive) if step == last + 1 else bisect.bisect_left(positive, 10 ** (step / STEPS))
        counts.append(upto - below)
        below = upto
    return {"step": STEPS, "first": first, "counts": counts}


def keep_unlike(kept, text):
    """Adds a text unless one is there that differs in numbers only."""
    text = cut(text)
    plain = NUMBERS.sub("0", text)
    if all(NUMBERS.sub("0", k) != plain for k in kept):
        kept.append(text)


def same_trace(a, b):
    return a is b or a.stacks == b.stacks and a.errors == b.errors and a.hint == b.hint


def earliest(a, b):
    return b if a is None else a if b is None else min(a, b)


def latest(a, b):
    return b if a is None else a if b is None else max(a, b)


class Group:
    """The mistakes of one check at one place of one program."""

    __slots__ = ("check", "place", "program", "level", "weight", "records", "repeats", "first", "last", "seconds",
                 "blocked", "threshold", "messages", "objects", "traces", "context", "processes", "lanes", "times",
                 "frame", "counted", "counted_seconds", "counted_longest")

    def __init__(self, record, place, program):
        self.check, self.place, self.program = record.check, place, program
        self.level = record.level
        self.weight = self.records = self.repeats = 0
        self.first = self.last = None
        self.seconds = array("d")
        self.times = array("d")
        self.blocked = 0.0
        self.threshold = record.threshold
        self.messages, self.objects, self.traces = [], [], {}
        self.context = record.context
        self.processes, self.lanes = {}, {}
        self.frame = None
        self.counted, self.counted_seconds, self.counted_longest = 0, 0.0, 0.0  # repeats of which that is known

    @classmethod
    def empty(cls, like):
        """A group of the same place with nothing in it, to be merged into."""
        fresh = cls.__new__(cls)
        fresh.check, fresh.place, fresh.program, fresh.level = like.check, like.place, like.program, like.level
        fresh.weight = fresh.records = fresh.repeats = 0
        fresh.first = fresh.last = None
        fresh.seconds, fresh.times, fresh.blocked = array("d"), array("d"), 0.0
        fresh.threshold, fresh.context, fresh.frame = like.threshold, like.context, like.frame
        fresh.counted, fresh.counted_seconds, fresh.counted_longest = 0, 0.0, 0.0
        fresh.messages, fresh.objects, fresh.traces, fresh.processes, fresh.lanes = [], [], {}, {}, {}
        return fresh

    def add(self, record, process, blocked, again=None):
        """again: this record tells of the same hang as an earlier one, which is that number in seconds."""
        weight = record.weight if again is None else 0
        self.weight += weight
        self.blocked += blocked
        if record.repeats is None:
            self.records += 1
        else:
            self.repeats += record.repeats
            if record.total_seconds is not None:
                self.counted += record.repeats
                self.counted_seconds += record.total_seconds
                self.counted_longest = max(self.counted_longest, record.max_seconds)
        if LEVEL_RANK.get(record.level, 2) > LEVEL_RANK.get(self.level, 2):
            self.level = record.level
        when = record.when
        if when is not None:
            if self.first is None or when < self.first:
                self.first = when
            if self.last is None or when > self.last:
                self.last = when
            self.times.append(when)
        if again is not None:
            self.seconds[again] = max(self.seconds[again], record.seconds)
        elif record.seconds is not None and record.repeats is None:
            self.seconds.append(record.seconds)
            if record.threshold != self.threshold:
                self.threshold = None  # the selector is asked for another time in each turn
        if len(self.messages) < SAMPLES and self.records <= 1000:
            keep_unlike(self.messages, record.message)
            if record.object and record.object.repr:
                keep_unlike(self.objects, record.object.repr)
        trace = record.trace
        if trace not in self.traces:  # of a text log, or of another process, it may be equal and not the same
            trace = next((t for t in self.traces if same_trace(t, trace)), trace)
        if trace in self.traces:
            self.traces[trace] += 1
        elif len(self.traces) < TRACES_KEPT:
            self.traces[trace] = 1
        self.processes[process] = self.processes.get(process, 0) + weight

    def merge(self, other, lanes):
        """Adds what was found later; lanes: the other's numbers of lanes -> ours."""
        self.weight += other.weight
        self.records += other.records
        self.repeats += other.repeats
        self.counted += other.counted
        self.counted_seconds += other.counted_seconds
        self.counted_longest = max(self.counted_longest, other.counted_longest)
        self.blocked += other.blocked
        self.seconds.extend(other.seconds)
        self.times.extend(other.times)
        if LEVEL_RANK.get(other.level, 2) > LEVEL_RANK.get(self.level, 2):
            self.level = other.level
        if other.first is not None:
            self.first = other.first if self.first is None else min(self.first, other.first)
            self.last = other.last if self.last is None else max(self.last, other.last)
        if other.threshold != self.threshold:
            self.threshold = None
        for text in other.messages:
            if len(self.messages) < SAMPLES:
                keep_unlike(self.messages, text)
        for text in other.objects:
            if len(self.objects) < SAMPLES:
                keep_unlike(self.objects, text)
        for trace, n in other.traces.items():
            known = next((t for t in self.traces if same_trace(t, trace)), None)
            if known is not None:
                self.traces[known] += n
            elif len(self.traces) < TRACES_KEPT:
                self.traces[trace] = n
        for process, n in other.processes.items():
            self.processes[process] = self.processes.get(process, 0) + n
        for lane, n in other.lanes.items():
            lane = lanes[lane]
            self.lanes[lane] = self.lanes.get(lane, 0) + n

    def gravity(self):
        return (LEVEL_RANK.get(self.level, 2), self.blocked, self.weight)


class Origin:
    """The stacks of a mistake that the shim takes for the same. Its hash is computed once, since each record asks."""

    __slots__ = ("frames", "hash")

    def __init__(self, frames):
        self.frames = frames
        self.hash = hash(frames)

    def __hash__(self):
        return self.hash

    def __eq__(self, other):
        return self is other or self.hash == other.hash and self.frames == other.frames

    def __reduce__(self):
        return Origin, (self.frames,)


class Collector:
    def __init__(self, sources=None):
        self.sources = sources or Sources(enabled=False)
        self.groups, self.order = {}, []
        self.repeats = []  # records that count others
        self.hangs = {}  # thread -> (when it began, group, number of its duration there) of the hang told last
        self.hung = set()  # functions that a hang was told of
        self.blocked_more = False  # repeats blocked a loop for longer than is known
        self.told = {}  # what the shim takes for one mistake -> the group it was last put in
        self.sampler = Sampler()
        self.timeline = Timeline()
        self.ran, self.made, self.leaked = Tree(), Tree(), Tree()
        self.processes = {}  # process -> [number, first, last, records]
        self.records = 0
        self.first = self.last = None

    # ------------------------------------------------------------------------------------------- each record

    def group_of(self, record):
        place = model.place(record)
        if record.check == "slow-iteration":
            dearest = dearest_frame(record)
            if dearest:
                place = model.frame_name(dearest)
        key = (record.check, place, record.program)
        number = self.groups.get(key)
        if number is None:
            if len(self.order) >= GROUPS_MAX:
                place = OTHER_PLACES
                key = (record.check, place, record.program)
                number = self.groups.get(key)
                if number is not None:
                    return number
            number = self.groups[key] = len(self.order)
            group = Group(record, place, record.program)
            group.frame = self.place_frame(record, place)
            self.order.append(group)
        return number

    def hang_again(self, record, process):
        """A hang is told at 5, 10, 20 seconds and when it is over: the group it was put in, and which number of that
        group's durations it is."""
        known = self.hangs.get((process, record.tid))
        if known is None or record.when is None or record.seconds is None:
            return None
        start, number, index = known
        return (number, index) if abs(record.when - record.seconds - start) < max(0.05, 0.02 * record.seconds) else None

    @staticmethod
    def same_mistake(record):
        """What the shim goes by when it counts repeats: the check and where the object came from."""
        memo = record.trace.memo
        origin = memo.get("origin")
        if origin is None:
            origin = memo["origin"] = Origin(tuple(s.frames for s in record.trace.stacks
                                                   if s.role in ("created", "call"))[:4])
        return (record.check, record.program, record.pid, record.source, origin)

    @staticmethod
    def place_frame(record, place):
        """The place as a frame: one of the record's own where it is, so that its source is known."""
        stack = model.main_stack(record)
        if stack and model.frame_name(stack.frames[-1]) == place:
            return stack.frames[-1]
        for stack in record.trace.stacks:
            for frame in stack.frames:
                if model.frame_name(frame) == place:
                    return frame
        found = PLACE.match(place)
        if found:
            return model.Frame(found[1], found[2], int(found[3][:9]), None, False, None, None, None, None)
        return None

    def add(self, record):
        self.records += 1
        if record.seconds is not None and not 0 <= record.seconds < BELIEVED:
            record.seconds = None
        if record.total_seconds is not None and record.total_seconds >= BELIEVED:
            record.total_seconds = record.max_seconds = None
        if record.repeats is not None:
            # It has fewer stacks than those that it counts, so its own place may be another, and in a part of a log
            # those may be in the part before: it is put in its place in the end.
            if len(self.repeats) < GROUPS_MAX:
                self.repeats.append(record)
                return
        self.put(record)

    def put(self, record, number=None):
        """number: of the group it belongs to, where that is known."""
        process = process_of(record)
        again = self.hang_again(record, process) if record.check == "loop-hang" else None
        if again:
            number = again[0]
        elif number is None:
            number = self.group_of(record)
            if record.repeats is None and len(self.told) < 4 * GROUPS_MAX:
                self.told[self.same_mistake(record)] = number
        group = self.order[number]
        sample = self.sampler.sample(record) if record.repeats is None else self.sample_of_repeats(record)
        blocked = sample.seconds if sample else 0.0
        if record.check == "loop-hang" and not again and record.when is not None and record.seconds is not None:
            self.hangs[process, record.tid] = (record.when - record.seconds, number, len(group.seconds))
        group.add(record, process, blocked, again[1] if again else None)
        lane = self.timeline.add(record, number, blocked)
        group.lanes[lane] = group.lanes.get(lane, 0) + 1
        known = self.processes.get(process)
        if known is None:
            known = self.processes[process] = [len(self.processes), None, None, 0]
        known[3] += 1
        when = record.when
        if when is not None:
            begin = when - record.seconds if record.seconds and record.repeats is None else when
            if known[1] is None or begin < known[1]:
                known[1] = begin
            if known[2] is None or when > known[2]:
                known[2] = when
            if self.first is None or begin < self.first:
                self.first = begin
            if self.last is None or when > self.last:
                self.last = when
        if sample:
            self.sampled(record, sample)
        if record.check in LEAKS:
            created = self.created(record)
            if created:
                self.leaked.add((record.program or "?",), created, record.weight)

    def sample_of_repeats(self, record):
        """The time that repeats blocked the loop for, where it is surely counted nowhere else: a blocking call may lie
        in a slow callback, and of a callback that hung the hangs were all told."""
        if record.check not in BLOCKED:
            return None
        top = callback_frame(record)
        if (record.total_seconds is None or record.check == "blocking-call"
                or top and (record.program, top.function, top.file) in self.hung):
            self.blocked_more = True
            return None
        return Sample(process_of(record), (record.thread, record.tid), path_of(record), record.total_seconds, record)

    @staticmethod
    def created(record):
        memo = record.trace.memo
        if "created" not in memo:
            memo["created"] = next((s.frames for s in record.trace.stacks if s.role == "created"), ())
        return memo["created"]

    def sampled(self, record, sample):
        above = (record.program or "?", self.thread_name(record))
        self.ran.add(above, sample.path, sample.seconds)
        top = callback_frame(record)
        if top and record.check == "loop-hang":
            self.hung.add((record.program, top.function, top.file))
        made = self.created(record) + ((top,) if top else ())
        if made:
            self.made.add((record.program or "?",), made, sample.seconds)

    @staticmethod
    def thread_name(record):
        if record.tid is not None and record.tid == record.pid:
            return "main thread"
        if record.thread and not (record.program or "").startswith(record.thread):  # the kernel keeps 15 letters
            return "thread %s" % record.thread
        return "other threads"

    def merge(self, other):
        """Adds what another has collected of a later part of the logs."""
        self.records += other.records
        for process, (_, first, last, records) in other.processes.items():
            known = self.processes.setdefault(process, [len(self.processes), None, None, 0])
            known[1] = earliest(known[1], first)
            known[2] = latest(known[2], last)
            known[3] += records
        self.first, self.last = earliest(self.first, other.first), latest(self.last, other.last)
        numbers = []  # of the other's groups -> ours
        lanes = self.timeline.merge_lanes(other.timeline)
        for key, number in other.groups.items():
            group = other.order[number]
            mine = self.groups.get(key)
            if mine is None and len(self.order) >= GROUPS_MAX:
                key = (key[0], OTHER_PLACES, key[2])
                mine = self.groups.get(key)
            if mine is None:
                mine = self.groups[key] = len(self.order)
                fresh = Group.empty(group)
                self.order.append(fresh)
            self.order[mine].merge(group, lanes)
            numbers.append(mine)
        self.timeline.merge(other.timeline, lanes, numbers)
        for tree, theirs in ((self.ran, other.ran), (self.made, other.made), (self.leaked, other.leaked)):
            tree.merge(theirs)
        for told, number in other.told.items():
            self.told.setdefault(told, numbers[number])
        self.repeats += other.repeats
        self.hung |= other.hung
        self.blocked_more |= other.blocked_more

    def __getstate__(self):
        """What goes from one process to another: without sources and what only serves while records come in."""
        state = dict(self.__dict__)
        del state["sources"], state["sampler"], state["hangs"]
        return state

    # ------------------------------------------------------------------------------------------------ the page

    def finish(self):
        for record in self.repeats:
            self.put(record, self.told.get(self.same_mistake(record)))
        self.repeats = []
        frames = Frames(self.sources)
        order = sorted(range(len(self.order)), key=lambda n: self.order[n].gravity(), reverse=True)
        shown = order[:LISTED]
        numbers = {number: i for i, number in enumerate(shown)}
        lanes = self.timeline.choose_lanes()
        lane_numbers = {lane: i for i, lane in enumerate(lanes)}
        groups = [self.group(self.order[n], i < DETAILED and len(frames.rows) < FRAMES_MAX, frames, lane_numbers)
                  for i, n in enumerate(shown)]
        several = len({p[0] for p in self.processes}) > 1
        return {
            "version": VERSION,
            "records": self.records,
            "span": [self.first, self.last],
            "blocked_more": self.blocked_more,
            "families": {k: {"name": v[0], "about": v[1]} for k, v in FAMILIES.items()},
            "rows": [name for name, _ in ROWS],
            "processes": [{"program": cut(p[1]) or "?", "pid": p[2], "log": cut(p[0]) if several else None,
                           "first": v[1], "last": v[2], "records": v[3]}
                          for p, v in self.processes.items()][:2000],
            "process_count": len(self.processes),
            "lanes": [self.lane(lane, rank) for lane, rank in lanes.items()],
            "lane_count": len(self.timeline.about),
            "checks": self.checks(numbers),
            "groups": groups,
            "group_count": len(self.order),
            "hidden_weight": sum(self.order[n].weight for n in order[LISTED:]),
            "timeline": self.timeline.finish(numbers, lanes),
            "flames": self.flames(),
            "frames": frames.rows,
            "sources": frames.texts,
        }

    def lane(self, lane, rank):
        process, tid, thread, blocked, items = self.timeline.about[lane]
        return {"process": self.processes[process][0], "program": cut(process[1]) or "?", "pid": process[2],
                "tid": tid, "thread": cut(thread), "blocked": round(blocked, 6), "records": items, "rank": rank}

    def checks(self, numbers):
        """One entry for each check that the log has, the gravest first."""
        by_check = {}
        for number, group in enumerate(self.order):
            by_check.setdefault(group.check, []).append((number, group))
        result = []
        for slug, entries in by_check.items():
            groups = [g for _, g in entries]
            level = max((g.level for g in groups), key=lambda name: LEVEL_RANK.get(name, 2))
            seconds = array("d")
            for group in groups:
                seconds.extend(group.seconds)
            seconds = sorted(seconds)
            hint = next((t.hint for g in groups for t in g.traces if t.hint), None)
            firsts = [g.first for g in groups if g.first is not None]
            lasts = [g.last for g in groups if g.last is not None]
            result.append({
                "slug": cut(slug), "family": family(slug), "heading": heading(cut(slug), level), "level": level,
                "known": slug in CHECKS, "row": ROW_OF.get(slug, MARKS), "hint": cut(hint),
                "count": sum(g.weight for g in groups), "records": sum(g.records for g in groups),
                "repeats": sum(g.repeats for g in groups), "places": len(groups),
                "blocked": round(math.fsum(g.blocked for g in groups), 6),
                "first": min(firsts) if firsts else None, "last": max(lasts) if lasts else None,
                "stats": with_repeats(seconds, groups),
                "histogram": histogram(seconds) if seconds else None,
                "threshold": self.threshold(groups),
                "groups": sorted(numbers[n] for n, _ in entries if n in numbers)[:200],
            })
        result.sort(key=lambda c: (LEVEL_RANK.get(c["level"], 2), c["blocked"], c["count"]), reverse=True)
        return result

    @staticmethod
    def threshold(groups):
        """The one that all have; None when they differ."""
        values = {g.threshold for g in groups}
        return values.pop() if len(values) == 1 else None

    def group(self, group, detailed, frames, lanes):
        function = file = line = source = None
        if group.frame:
            f = group.frame
            function, file, line, source = f.function, f.file, f.line, f.source
        seconds = sorted(group.seconds)
        entry = {
            "check": cut(group.check), "family": family(group.check), "level": group.level,
            "program": cut(group.program), "place": cut(group.place, 400),
            "function": cut(function, 300), "file": cut(file, 500), "line": line, "source": cut(source, 300),
            "count": group.weight, "records": group.records, "repeats": group.repeats,
            "blocked": round(group.blocked, 6), "first": group.first, "last": group.last,
            "stats": with_repeats(seconds, [group]),
        }
        if not detailed:
            return entry
        traces = sorted(group.traces.items(), key=lambda item: -item[1])
        entry.update({
            "histogram": histogram(seconds) if len(seconds) > 4 else None,
            "threshold": group.threshold,
            "messages": [cut(m) for m in group.messages], "objects": [cut(o) for o in group.objects],
            "context": [[cut(k, 100), cut(v)] for k, v in list(group.context.items())[:12]],
            "spark": self.spark(group), "trace_count": len(traces),
            "processes": [[self.processes[p][0], n]
                          for p, n in sorted(group.processes.items(), key=lambda i: -i[1])[:20]],
            "process_count": len(group.processes),
            "lanes": sorted(lanes[n] for n in group.lanes if n in lanes)[:20],
            "traces": [{"count": n, "errors": [cut(e) for e in t.errors[:8]], "hint": cut(t.hint),
                        "stacks": [{"role": cut(s.role, 40), "title": cut(s.title, 300),
                                    "frames": [frames.number(f) for f in s.frames[:64]]} for s in t.stacks[:12]]}
                       for t, n in traces[:TRACES]],
            "around": frames.around(group.frame),
        })
        return entry

    def spark(self, group):
        if self.first is None or self.last is None or self.last <= self.first or not group.times:
            return None
        columns = [0] * SPARK
        scale = SPARK / (self.last - self.first)
        for when in group.times:
            columns[min(SPARK - 1, int((when - self.first) * scale))] += 1
        return columns

    def flames(self):
        wanted = (("ran", "Blocked time by what ran", "s", self.ran,
                   "Time in which a loop's thread could do nothing else, by the callback that ran and, where the log"
                   " has the thread's stack, by what it was in."),
                  ("made", "Blocked time by what started it", "s", self.made,
                   "The same time, by where the callback or task was created."),
                  ("leaked", "What was left behind", "n", self.leaked,
                   "Handles, tasks, coroutines and requests that nobody finished, by where they were created."))
        result = []
        for name, title, unit, tree, about in wanted:
            if tree.root[0] > 0:
                names, root = tree.finish(6 if unit == "s" else 0)
                result.append({"id": name, "title": title, "unit": unit, "about": about,
                               "names": [cut(n, 300) for n in names], "root": root})
        return result


class Frames:
    """The frames of the page, each once, and the source around them."""

    def __init__(self, sources):
        self.sources = sources
        self.rows, self.numbers = [], {}
        self.texts, self.known = [], {}

    def number(self, frame):
        known = self.numbers.get(frame)
        if known is None:
            known = self.numbers[frame] = len(self.rows)
            self.rows.append([cut(frame.function, 300), cut(frame.file, 500), frame.line, cut(frame.source, 300),
                              cut(frame.module, 500), frame.offset, cut(frame.build_id, 80), int(frame.inlined),
                              self.around(frame)])
        return known

    def around(self, frame):
        """The number of the text around this frame's line, or -1."""
        if frame is None:
            return -1
        key = (frame.file, frame.line)
        known = self.known.get(key)
        if known is None:
            found = self.sources.around(frame)
            known = -1
            if found:
                known = len(self.texts)
                self.texts.append(list(found))
            self.known[key] = known
        return known
