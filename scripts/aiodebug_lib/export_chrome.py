# SPDX-License-Identifier: MIT
"""Chrome's trace events, for Perfetto and chrome://tracing.

What took time on a loop's thread is a complete event ("X") of that thread. Such events may only lie beside or inside
one another; records come in the order of their ends, so an event that begins inside an earlier one by an error of the
clock is made to begin with it. Everything else is an instant. A task is an asynchronous event from its first record
to its last, with an instant for each record; so are jobs that waited for the pool, which overlap.

Events are written as they come, to a file of their own, so that a million of them need little memory. Times are
microseconds since 1970.
"""

import json
import shutil
import tempfile

from .export_samples import callback_frame, process_of
from .report_words import MARKS, ROW_OF, ROWS, family

HANG, POOL = ROW_OF["loop-hang"], ROW_OF["threadpool-saturated"]
TEXT_MAX = 500
BELIEVED = 1e9  # seconds
KEPT = 4096  # events remembered of each thread


class Writer:
    def __init__(self, args):
        self.processes, self.used = {}, set()  # process -> number in the trace
        self.threads = {}  # (process, tid) -> number
        self.spans = {}  # thread -> [(begin, end)] that lie beside one another
        self.hangs = {}  # thread -> the event that still grows
        self.tasks = {}  # (process, task) -> [number, begin, last, name, thread]
        self.pairs = 0
        self.spool = tempfile.TemporaryFile()
        self.encode = json.JSONEncoder(separators=(",", ":")).encode

    def emit(self, **event):
        self.spool.write(self.encode(event).encode() + b",\n")

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
            self.emit(ph="M", name="process_name", pid=number, tid=0, args={"name": name})
        return number

    def thread(self, record, pid):
        key = (pid, record.tid)
        number = self.threads.get(key)
        if number is None:
            number = self.threads[key] = record.tid if record.tid is not None and 0 < record.tid < 1 << 31 else 1
            self.emit(ph="M", name="thread_name", pid=pid, tid=number,
                      args={"name": record.thread or "thread %s" % number})
        return number

    @staticmethod
    def name(record):
        if record.check == "slow-poll":
            return "poll"
        frame = callback_frame(record)
        return frame.function if frame and frame.function else record.check or "report"

    def arguments(self, record):
        value = {"check": record.check, "level": record.level, "message": record.message[:TEXT_MAX]}
        if record.object and record.object.repr:
            value["object"] = record.object.repr[:TEXT_MAX]
        if record.threshold is not None:
            value["threshold"] = record.threshold
        if record.count != 1:
            value["count"] = record.count
        memo = record.trace.memo
        if "chrome" not in memo:
            memo["chrome"] = [("stack: " + s.role, "\n".join(self.line(f) for f in reversed(s.frames[-12:])))
                              for s in record.trace.stacks[:4]]
        value.update(memo["chrome"])
        return value

    @staticmethod
    def line(frame):
        return "%s (%s:%s)" % (frame.function or "??", frame.file or frame.module or "?",
                               frame.line if frame.line is not None else "?")

    def add(self, record):
        if record.when is None or record.repeats is not None:
            return
        pid = self.process(record)
        tid = self.thread(record, pid)
        row = ROW_OF.get(record.check, MARKS)
        seconds = record.seconds if record.seconds is not None and 0 <= record.seconds < BELIEVED else None
        end = round(record.when * 1e6)
        begin = max(0, end - round((seconds or 0) * 1e6))
        if row == MARKS or seconds is None:
            self.emit(ph="i", s="t", name=record.check or "report", cat=family(record.check), pid=pid, tid=tid, ts=end,
                      args=self.arguments(record))
        elif row == POOL:
            number = self.pair("b", None, "wait for the pool", "pool", pid, tid, begin, self.arguments(record))
            self.pair("e", number, "wait for the pool", "pool", pid, tid, end)
        else:
            event = [begin, end, self.name(record), ROWS[row][0], self.arguments(record)]
            if row != HANG:
                self.flush(pid, tid)
                self.span(pid, tid, event)
            else:
                self.hang(pid, tid, event)
        if record.object and record.object.kind == "task" and (record.object.id or record.object.address):
            self.task(record, pid, tid, begin, end)

    def hang(self, pid, tid, event):
        """Told again and again while it lasts: one event that grows."""
        known = self.hangs.get((pid, tid))
        if known and abs(known[0] - event[0]) < max(50000, 0.02 * (event[1] - event[0])):
            known[1] = max(known[1], event[1])
            return
        self.flush(pid, tid)
        self.hangs[pid, tid] = event

    def flush(self, pid, tid):
        event = self.hangs.pop((pid, tid), None)
        if event:
            self.span(pid, tid, event)

    def span(self, pid, tid, event):
        begin, end, name, category, arguments = event
        known = self.spans.setdefault((pid, tid), [])
        while known and known[-1][1] > begin:
            last = known.pop()
            begin, end = min(begin, last[0]), max(end, last[1])
        known.append((begin, end))
        if len(known) > 2 * KEPT:
            del known[:KEPT]
        self.emit(ph="X", name=name, cat=category, pid=pid, tid=tid, ts=begin, dur=end - begin, args=arguments)

    def task(self, record, pid, tid, begin, end):
        key = (pid, record.object.id or record.object.address)
        known = self.tasks.get(key)
        if known is None:
            quoted = (record.object.repr or "").split("name='", 1)
            name = quoted[1].split("'", 1)[0] if len(quoted) == 2 else "task"
            number = self.pair("b", None, name, "task", pid, tid, begin, {})
            known = self.tasks[key] = [number, begin, end, name, tid]
        known[2] = end = max(known[2], end)
        self.pair("n", known[0], record.check or "report", "task", pid, known[4], end,
                  {"message": record.message[:TEXT_MAX]})

    def pair(self, phase, number, name, category, pid, tid, when, arguments=None):
        """A part of an asynchronous event; its number, a new one when there is none yet."""
        if number is None:
            self.pairs += 1
            number = self.pairs
        event = {"ph": phase, "name": name, "cat": category, "id": "0x%x" % number, "pid": pid, "tid": tid, "ts": when}
        if arguments is not None:
            event["args"] = arguments
        self.emit(**event)
        return number

    def write(self, out):
        for pid, tid in list(self.hangs):
            self.flush(pid, tid)
        for (pid, _), (number, _, last, name, tid) in self.tasks.items():
            self.pair("e", number, name, "task", pid, tid, last)
        out.write(b'{"displayTimeUnit":"ms","traceEvents":[\n')
        with self.spool:
            self.spool.seek(0)
            shutil.copyfileobj(self.spool, out, 1 << 20)
        # Ends the list, whose events all end in a comma.
        out.write(self.encode({"ph": "M", "name": "exporter", "pid": 0, "tid": 0, "args": {"name": "aiodebug"}}).encode())
        out.write(b"\n]}\n")
