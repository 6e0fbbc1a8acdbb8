# SPDX-License-Identifier: MIT
"""Chrome's trace events, for Perfetto and chrome://tracing.

What took time on a loop's thread is a complete event ("X") of that thread; such events may only lie beside or inside
one another, so an end that sticks out of the one around it by rounding is drawn in. Everything else is an instant.
A task is an asynchronous event from its first record to its last, with an instant for each record between; so are
jobs that waited for the pool, which overlap.
"""

import json

from .export_samples import callback_frame, process_of
from .report_words import ROW_OF, MARKS, ROWS, family

HANG, POOL = ROW_OF["loop-hang"], ROW_OF["threadpool-saturated"]


class Writer:
    def __init__(self, args):
        self.processes = {}  # process -> number in the trace
        self.used = set()
        self.threads = {}  # (process, tid) -> number
        self.spans = {}  # (process, thread) -> [[start, end, name, category, arguments]]
        self.events = []
        self.tasks = {}  # (process, task) -> [first, last, name, [(when, name, level)]]
        self.hangs = {}  # (process, thread) -> the span that is growing
        self.asynchronous = 0
        self.start = None

    def process(self, record):
        key = process_of(record)
        number = self.processes.get(key)
        if number is None:
            number = record.pid if record.pid is not None and 0 < record.pid < 1 << 31 else 1
            while number in self.used:  # process ids of another host
                number += 1
            self.used.add(number)
            self.processes[key] = number
            name = record.program or "?"
            if record.pid is not None and record.pid != number:
                name += " (process %d)" % record.pid
            self.events.append({"ph": "M", "name": "process_name", "pid": number, "tid": 0, "args": {"name": name}})
        return number

    def thread(self, record, pid):
        key = (pid, record.tid)
        number = self.threads.get(key)
        if number is None:
            number = self.threads[key] = record.tid if record.tid is not None and 0 < record.tid < 1 << 31 else 1
            name = record.thread or "thread %s" % number
            self.events.append({"ph": "M", "name": "thread_name", "pid": pid, "tid": number, "args": {"name": name}})
        return number

    def name(self, record):
        frame = callback_frame(record) if record.object or record.check in ROW_OF else None
        if record.check == "slow-poll":
            return "poll"
        if frame and frame.function:
            return frame.function
        return record.check or record.message[:80]

    def arguments(self, record):
        value = {"check": record.check, "level": record.level, "message": record.message[:500]}
        if record.object and record.object.repr:
            value["object"] = record.object.repr[:500]
        if record.threshold is not None:
            value["threshold"] = record.threshold
        if record.count != 1:
            value["count"] = record.count
        for stack in record.trace.stacks[:4]:
            value["stack: " + stack.role] = self.stack(record.trace, stack)
        return value

    @staticmethod
    def stack(trace, stack):
        key = ("chrome", id(stack))
        if key not in trace.memo:
            lines = ["%s (%s:%s)" % (f.function or "??", f.file or f.module or "?", f.line if f.line is not None else "?")
                     for f in reversed(stack.frames[-12:])]
            trace.memo[key] = "\n".join(lines)
        return trace.memo[key]

    def add(self, record):
        if record.when is None or record.repeats is not None:
            return
        pid = self.process(record)
        tid = self.thread(record, pid)
        row = ROW_OF.get(record.check, MARKS)
        seconds = record.seconds if record.seconds is not None and record.seconds >= 0 else None
        end = record.when * 1e6
        begin = end - (seconds or 0) * 1e6
        if self.start is None or begin < self.start:
            self.start = begin
        if row == MARKS or seconds is None:
            self.events.append({"ph": "i", "s": "t", "name": record.check or "report", "cat": family(record.check),
                                "pid": pid, "tid": tid, "ts": end, "args": self.arguments(record)})
        elif row == POOL:
            self.pair(pid, tid, "wait for the pool", "pool", begin, end, self.arguments(record))
        else:
            self.span(record, row, (pid, tid), begin, end)
        if record.object and record.object.kind == "task" and (record.object.id or record.object.address):
            self.task(record, pid, tid, begin, end)

    def span(self, record, row, key, begin, end):
        spans = self.spans.setdefault(key, [])
        if row == HANG:
            # Told again and again while it lasts: one event that grows.
            known = self.hangs.get(key)
            if known and abs(known[0] - begin) < max(5e4, 0.02 * (end - begin)):
                known[1] = max(known[1], end)
                return
        span = [begin, end, self.name(record), ROWS[row][0], self.arguments(record)]
        if row == HANG:
            self.hangs[key] = span
        spans.append(span)

    def task(self, record, pid, tid, begin, end):
        key = (pid, record.object.id or record.object.address)
        known = self.tasks.get(key)
        if known is None:
            name = record.object.repr or "task"
            quoted = name.split("name='", 1)
            name = quoted[1].split("'", 1)[0] if len(quoted) == 2 else "task"
            known = self.tasks[key] = [begin, end, name, tid, []]
        known[0], known[1] = min(known[0], begin), max(known[1], end)
        known[4].append((end, record.check or "report", record.message[:300]))

    def pair(self, pid, tid, name, category, begin, end, arguments, inner=()):
        """An asynchronous event, from begin to end."""
        self.asynchronous += 1
        common = {"cat": category, "id": "0x%x" % self.asynchronous, "pid": pid, "tid": tid}
        self.events.append({"ph": "b", "name": name, "ts": begin, "args": arguments, **common})
        for when, what, message in inner:
            self.events.append({"ph": "n", "name": what, "ts": when, "args": {"message": message}, **common})
        self.events.append({"ph": "e", "name": name, "ts": end, **common})

    def finish(self):
        for (pid, tid), spans in self.spans.items():
            spans.sort(key=lambda s: (s[0], -s[1]))
            around = []  # ends of the events that are open
            for begin, end, name, category, arguments in spans:
                while around and around[-1] <= begin:
                    around.pop()
                if around:
                    end = min(end, around[-1])
                around.append(end)
                self.events.append({"ph": "X", "name": name, "cat": category, "pid": pid, "tid": tid, "ts": begin,
                                    "dur": end - begin, "args": arguments})
        for (pid, _), (begin, end, name, tid, inner) in self.tasks.items():
            self.pair(pid, tid, name, "task", begin, end, {}, inner)
        self.spans, self.tasks = {}, {}

    def write(self, out):
        self.finish()
        # Small numbers keep their microseconds: viewers read them as doubles or 64 bit integers of nanoseconds.
        start = self.start or 0.0
        out.write(b'{"displayTimeUnit":"ms","otherData":{"exporter":"aiodebug","start":%s},"traceEvents":[\n'
                  % json.dumps(round(start / 1e6, 6)).encode())
        encode = json.JSONEncoder(separators=(",", ":")).encode
        for i, event in enumerate(self.events):
            if "ts" in event:
                event["ts"] = round(event["ts"] - start, 3)
            if "dur" in event:
                event["dur"] = round(event["dur"], 3)
            out.write(b",\n" if i else b"")
            out.write(encode(event).encode())
        out.write(b"\n]}\n")
