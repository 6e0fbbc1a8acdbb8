# SPDX-License-Identifier: MIT
"""A record of the log, its stacks and frames, and the words for them.

What comes from a log is never trusted: each value has the type that is written here or is None, whatever the
line said. Reading files is reader's, computing over many records is stats' and calltree's.
"""

import calendar
import re
from collections import namedtuple

VERSION = 1  # of the JSON records that this program knows

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# Of a frame. offset: in the module; file and line: None where the shim had no debug information.
Frame = namedtuple("Frame", "function file line column inlined source module build_id offset")

# role: created, call, scheduled, closed, freed, raised, running or suspended; frames: oldest first.
Stack = namedtuple("Stack", "role title frames")

# What the record is about; id tells it from others of its kind, address is a string in hexadecimal.
Object = namedtuple("Object", "kind id address repr")


class Trace:
    """The part of a record that many records share: stacks, errors, hint. Equal ones are (mostly) the same
    object, so that what is computed from one can be kept in its `memo`, under a key of one's own."""

    __slots__ = ("stacks", "errors", "hint", "memo")

    def __init__(self, stacks=(), errors=(), hint=None):
        self.stacks = stacks  # tuple of Stack
        self.errors = errors  # tuple of str, deepest cause first; their stacks are those of role "raised"
        self.hint = hint
        self.memo = {}


NO_TRACE = Trace()
REPEATED = re.compile(r"^(.*) \.\.\. repeated (\d+) more times?"
                      r"(?:, together (\d+\.\d+) seconds, at most (\d+\.\d+) seconds)? \((\d+) in all\)$", re.S)


class Record:
    """One mistake, or the count of its repeats.

    time       as the log has it, RFC 3339 in UTC; when: the same as seconds since 1970 (None: not known)
    monotonic  seconds of the machine's monotonic clock, or None (text logs)
    weight     how many objects this record adds to the total. A record that counts the repeats of earlier
               ones says how many there were in all (count); those that were printed are not counted twice.
    repeats    None, or how many records this one stands for instead of being one itself; total_seconds,
               max_seconds: how long those took together and at most, None where the log does not tell
    source     which log it came from, line: where in it (from 1)
    extra      what a newer version wrote beside the fields known here
    """

    __slots__ = ("time", "when", "monotonic", "pid", "tid", "thread", "program", "level", "check", "message",
                 "loop", "object", "seconds", "threshold", "count", "context", "trace", "weight", "repeats",
                 "total_seconds", "max_seconds", "version", "source", "line", "extra")

    @property
    def stacks(self):
        return self.trace.stacks

    @property
    def errors(self):
        return self.trace.errors

    @property
    def hint(self):
        return self.trace.hint

    def __init__(self):
        self.time = self.when = self.monotonic = self.pid = self.tid = None
        self.thread = self.program = self.check = self.loop = self.object = None
        self.level = "WARNING"
        self.message = ""
        self.seconds = self.threshold = self.repeats = self.source = self.line = None
        self.total_seconds = self.max_seconds = None
        self.count = self.weight = self.version = 1
        self.context = {}
        self.extra = {}
        self.trace = NO_TRACE

    def note_repeats(self, total=None, longest=None):
        """Takes `... repeated N more times (M in all)` off the message. To be called once message and count
        are set; total and longest, where they are not only in the message, but exact."""
        found = REPEATED.match(self.message)
        if not found:
            self.weight = self.count
            return
        self.message = found[1]
        self.repeats, records = int(found[2][:18]), int(found[5][:18])
        self.weight = self.count * self.repeats // records if records else self.repeats
        if total is None and found[3]:
            total, longest = float(found[3][:18]), float(found[4][:18])
        if total is not None and longest is not None and 0 <= longest <= total:
            self.total_seconds, self.max_seconds = total, longest


# ---------------------------------------------------------------------------------------------------- from JSON

def text(value):
    return value if isinstance(value, str) else None


def number(value):
    """int or float, finite and of a size that time may have."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -1e300 < value < 1e300 else None


def whole(value):
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64 else None


def frame_from(value):
    get = value.get
    return Frame(text(get("function")), text(get("file")), whole(get("line")), whole(get("column")),
                 get("inlined") is True, text(get("source")), text(get("module")), text(get("build_id")),
                 whole(get("offset")))


def stack_from(value):
    frames = value.get("frames")
    frames = frames if isinstance(frames, list) else ()
    return Stack(text(value.get("role")) or "unknown", text(value.get("title")),
                 tuple(frame_from(f) for f in frames if isinstance(f, dict)))


def trace_from(fields):
    stacks, errors = fields.get("stacks"), fields.get("errors")
    stacks = stacks if isinstance(stacks, list) else ()
    errors = errors if isinstance(errors, list) else ()
    return Trace(tuple(stack_from(s) for s in stacks if isinstance(s, dict)),
                 tuple(e for e in errors if isinstance(e, str)), text(fields.get("hint")))


def object_from(value):
    if not isinstance(value, dict):
        return None
    return Object(text(value.get("kind")) or "object", whole(value.get("id")), text(value.get("address")),
                  text(value.get("repr")))


KNOWN = frozenset(("version time monotonic pid tid thread program level check message loop object seconds threshold"
                   " count total_seconds max_seconds context stacks errors hint").split())


def is_record(fields):
    """Whether this JSON value can be one of the shim's."""
    return isinstance(fields, dict) and isinstance(fields.get("message"), str) and "time" in fields


def record_from(fields, trace):
    """fields: a dict that is_record(), without what trace holds."""
    get = fields.get
    r = Record()
    r.version = whole(get("version")) or 0
    r.time = text(get("time"))
    r.when = epoch(r.time)
    r.monotonic = number(get("monotonic"))
    r.pid, r.tid = whole(get("pid")), whole(get("tid"))
    r.thread, r.program = text(get("thread")), text(get("program"))
    level = get("level")
    if level in LEVELS:
        r.level = level
    r.check, r.message, r.loop = text(get("check")), get("message"), text(get("loop"))
    value = get("object")
    if value is not None:
        r.object = object_from(value)
    r.seconds, r.threshold = number(get("seconds")), number(get("threshold"))
    count = whole(get("count"))
    r.count = r.weight = count if count is not None and count > 0 else 1
    value = get("context")
    if value and isinstance(value, dict):
        r.context = {k: v for k, v in value.items() if isinstance(v, str)}
    r.trace = trace
    if r.message.endswith(" in all)"):
        r.note_repeats(number(get("total_seconds")), number(get("max_seconds")))
    if not KNOWN.issuperset(fields):
        r.extra = {k: v for k, v in fields.items() if k not in KNOWN}
    return r


# --------------------------------------------------------------------------------------------------------- time

TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:?\d\d)?$", re.A)
_seconds = {}  # "2026-11-22T15:52:23" -> seconds since 1970


def epoch(time):
    """Seconds since 1970 of "2026-11-22T15:52:23.199362Z", or None."""
    if not time:
        return None
    if len(time) == 27 and time[26] == "Z":
        known = _seconds.get(time[:19])
        if known is not None:
            try:
                return known + int(time[20:26]) * 1e-6
            except ValueError:
                return None
    found = TIME.match(time)
    if not found:
        return None
    year, month, day, hour, minute = (int(n) for n in found.groups()[:5])
    second, zone = int(found[6] or 0), found[8] or "Z"
    if not (1970 <= year and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        return None
    whole_seconds = calendar.timegm((year, month, day, hour, minute, second))
    if zone == "Z":
        if len(_seconds) > 100000:
            _seconds.clear()
        _seconds[time[:19]] = whole_seconds
    else:
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        whole_seconds -= offset if zone[0] == "+" else -offset
    return whole_seconds + int((found[7] or "0").ljust(9, "0")) * 1e-9


# -------------------------------------------------------------------------------------------------------- words

# Which stack tells best where the mistake is made: the place that has to be changed.
TELLING = ("running", "call", "raised", "suspended", "closed", "freed", "created", "scheduled")
TELLING_FOR = {
    "slow-callback": ("running", "scheduled", "created"),
    "loop-hang": ("running", "created", "scheduled"),
    "blocking-call": ("call", "running", "created"),
    "task-destroyed-pending": ("suspended", "created"),
    "non-thread-safe-call": ("call", "running"),
    "handle-destroyed-active": ("freed", "closed", "created"),
    "loop-reentered": ("call", "running"),
}


def main_stack(record):
    """The Stack that says best where the mistake was made; None when the record has none."""
    best = None
    order = TELLING_FOR.get(record.check, TELLING)
    for stack in record.trace.stacks:
        if stack.frames and (best is None or rank(order, stack.role) < rank(order, best.role)):
            best = stack
    return best


def rank(order, role):
    return order.index(role) if role in order else len(order)


def frame_place(frame):
    """"file.c:12", or "libuv.so.1+0x1cc7d"."""
    if frame.file:
        return "%s:%s" % (frame.file, frame.line if frame.line is not None else "?")
    module = (frame.module or "?").rsplit("/", 1)[-1]
    return "%s+0x%x" % (module, frame.offset) if frame.offset is not None else module


def frame_name(frame):
    """"main (slow.c:25)", "uv_thread_join (libuv.so.1+0x1cc7d)" or "libuv.so.1+0x1cc7d"."""
    if frame.function:
        return "%s (%s)" % (frame.function, frame_place(frame))
    return frame_place(frame)


DEFINED_AT = re.compile(r"(\w+)\(\)(?: running| done, defined)? at (.+?:\d+)")


def place(record):
    """Where: one string that tells this place from others of the same check. A slow callback's is the function
    that was slow, where the message names it: its stack only says who scheduled it. A slow turn's is that of its dearest callback."""
    if record.check in ("slow-callback", "slow-iteration"):
        named = DEFINED_AT.search(record.context.get("dearest callback 1", "") if record.check == "slow-iteration"
                                  else record.message)
        if named:
            return "%s (%s)" % (named[1], named[2])
    memo, key = record.trace.memo, ("place", record.check)
    known = memo.get(key)
    if known:
        return known
    stack = main_stack(record)
    if stack:
        memo[key] = found = frame_name(stack.frames[-1])
        return found
    named = DEFINED_AT.search(record.message)
    return "%s (%s)" % (named[1], named[2]) if named else "(no stack)"
