# SPDX-License-Identifier: MIT
"""What a summary counts, in constant memory however long the log is.

Records are first counted in groups: those that agree in process, thread, level, check, loop, stacks and place.
A line that is written exactly as the shim writes it is only cut at its marks; it is decoded when it is the first
of its group. When there are too many groups they are folded into the tables, which are
bounded too: what is beyond a table's end is counted together under OTHERS.

Tallies of parts of a log can be merged; parallel.py makes them in several processes.
"""

import re

from .calltree import CallTree
from .model import LEVELS, epoch, frame_name, main_stack, place
from .reader import Damage, Decoder
from .stats import Durations

GROUPS_MAX = 20000
PLACES_MAX = 5000  # of one check
PARTIES_MAX = 5000  # processes, threads, loops
VALUES_MAX = 4096  # durations kept in a group before they are added
OTHERS = "(others)"

# A record as the shim writes it. Between the marks stands what changes; no mark can be inside a string, whose end
# its quote would be.
OPENING = b'{"version":1,"time":"'
TIME_START, TIME_END = len(OPENING), len(OPENING) + 27
AFTER_TIME = b'","monotonic":'
PID, MESSAGE, LOOP, OBJECT = b',"pid":', b',"message":', b',"loop":', b',"object":'
SECONDS, THRESHOLD, COUNT, CONTEXT = b',"seconds":', b',"threshold":', b',"count":', b',"context":'
MIDDLE = b',"stacks":['
REPEATS_END = b' in all)"'
_string = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_text = rb'(?:null|' + _string + rb')'
IDENTITY = re.compile(rb',"pid":\d+,"tid":\d+,"thread":' + _text + rb',"program":' + _text +
                      rb',"level":"[A-Z]+","check":' + _text)
CONTEXT_SHAPE = re.compile(rb',"context":\{(?:' + _string + rb':' + _text + rb',?)*\}')
NAMED_PLACE = re.compile(rb'(\w+)\(\)(?: running| done, defined)? at ([^"]+?:\d+)')
LOOP_STATE = re.compile(r" (?:(?:running|closed|debug)=\w+|running in thread \d+)")  # of a loop's repr: what is not always the same
BARE_OBJECTS = (2, 16)  # quotes in `"object":null` and in one whose strings hold none


class Group:
    __slots__ = ("record", "count", "weight", "first", "last", "values")

    def __init__(self, record):
        self.record = record
        self.count = self.weight = 0
        self.first = self.last = None  # times as bytes or str of one shape, which compare as they should
        self.values = []


class Span:
    """How many, from when to when."""

    __slots__ = ("records", "weight", "first", "last")

    def __init__(self):
        self.records = self.weight = 0
        self.first = self.last = None  # seconds since 1970

    def count(self, records, weight, first, last):
        self.records += records
        self.weight += weight
        if first is not None and (self.first is None or first < self.first):
            self.first = first
        if last is not None and (self.last is None or last > self.last):
            self.last = last


class Place(Span):
    """Of one check. seconds: the sum of those that the log has, of timed records."""

    __slots__ = ("seconds", "timed", "most", "message")

    def __init__(self):
        super().__init__()
        self.seconds, self.timed, self.most = 0.0, 0, 0.0
        self.message = None  # of the first record


class Check(Span):
    __slots__ = ("level", "durations", "places", "tree", "threshold", "repeats")

    def __init__(self):
        super().__init__()
        self.level = "DEBUG"
        self.durations = Durations()
        self.places = {}
        self.tree = CallTree()  # of the stacks that tell best, each ending in its place
        self.threshold = None
        self.repeats = 0  # of the weight: those that the log counts, but does not show


class Party(Span):
    """A process, a thread, a loop or a log: what it has of each check."""

    __slots__ = ("checks", "seconds")

    def __init__(self):
        super().__init__()
        self.checks = {}
        self.seconds = 0.0


class Tally(Span):
    """filters: a Filter or None; tables: whether by process, thread and loop too."""

    def __init__(self, filters=None):
        super().__init__()
        self.filters = filters
        self.decoder = Decoder()
        self.groups = {}
        self.parts = {}  # of messages: whether they name a place
        self.checks = {}
        self.processes, self.threads, self.loops, self.logs = {}, {}, {}, {}
        self.damage = Damage()
        self.lines = 0

    def __getstate__(self):
        self.fold()
        state = self.__dict__.copy()
        del state["decoder"], state["filters"], state["parts"]
        state["span"] = (self.records, self.weight, self.first, self.last)
        return state

    def __setstate__(self, state):
        self.records, self.weight, self.first, self.last = state.pop("span")
        self.__dict__.update(state)
        self.filters, self.decoder, self.parts = None, None, {}

    # ------------------------------------------------------------------------------------------ counting

    def add_line(self, line, source):
        """Counts a line that has the shim's very shape; False: look at it closely. What is not compared byte by
        byte is compared once and remembered; two records written into each other have too many quotes."""
        find = line.find
        pid = find(PID, TIME_END)
        message = find(MESSAGE, pid)
        loop = find(LOOP, message)
        obj = find(OBJECT, loop)
        seconds = find(SECONDS, obj)
        threshold = find(THRESHOLD, seconds)
        count = find(COUNT, threshold)
        context = find(CONTEXT, count)
        at = find(MIDDLE, context)
        if (at < 0 or context < 0 or count < 0 or threshold < 0 or seconds < 0 or obj < 0 or loop < 0 or message < 0
                or pid < 0 or not line.startswith(OPENING)
                or line[TIME_END:TIME_END + 14] != AFTER_TIME or line.count(b'"', obj, seconds) not in BARE_OBJECTS
                or line.count(b'"', message, loop) != 4 or line.endswith(REPEATS_END, message, loop)):
            return False
        identity, where, size, tail = line[pid:message], line[loop:obj], line[count + 9:context], line[at + 1:]
        if at - context != 13 and not CONTEXT_SHAPE.fullmatch(line, context, at) or not size.isdigit():
            return False
        trace = self.decoder.traces.get(tail) or self.new_trace(tail)
        if not trace:
            return False
        named = None
        if identity.endswith(b'"slow-iteration"'):  # which names its place elsewhere
            return False
        if not trace.stacks or identity.endswith(b'"slow-callback"'):
            named = self.named(line[message + 12:loop])
        key = (identity, where, trace, named, source)
        group = self.groups.get(key)
        time = line[TIME_START:TIME_END]
        if group is None:
            record = IDENTITY.fullmatch(identity) and self.new_record(line)
            if not record or record.when is None:
                return False
            record.source = source
            group = self.new_group(key, record)
            group.first = group.last = time
        elif time > group.last:
            group.last = time
        elif time < group.first:
            group.first = time
        group.count += 1
        group.weight += int(size)
        if threshold - seconds != 15:  # null
            try:
                group.values.append(float(line[seconds + 11:threshold]))
            except ValueError:
                return True
            if len(group.values) >= VALUES_MAX:
                self.take_values(group)
        return True

    def new_trace(self, tail):
        try:
            return self.decoder.trace(tail)
        except (ValueError, RecursionError):
            return None

    def new_record(self, line):
        try:
            return self.decoder.decode(line)
        except ValueError:
            return None

    def named(self, message):
        """The part of a message that names a place, as model.place() finds it. Messages differ in numbers, that
        part does not."""
        end = message.find(b"() ")
        start = max(message.rfind(b"<", 0, end), message.rfind(b" ", 0, end), message.rfind(b"=", 0, end)) + 1
        part = message[start:message.find(b">", end)]
        known = self.parts.get(part)
        if known is None:
            known = NAMED_PLACE.match(part) is not None
            if len(self.parts) < GROUPS_MAX:
                self.parts[part] = known
        if known:
            return part
        found = NAMED_PLACE.search(message)
        return found and found.groups()

    def add(self, record):
        """Counts a record that was decoded anyway."""
        if self.filters and not self.filters.wants(record):
            return
        key = (record.source, record.pid, record.tid, record.thread, record.level, record.check, record.loop,
               record.trace, place(record), record.program)
        group = self.groups.get(key)
        if group is None:
            group = self.new_group(key, record)
        time = record.time if record.when is not None else None
        if time:
            group.first = time if group.first is None or time < group.first else group.first
            group.last = time if group.last is None or time > group.last else group.last
        group.count += 1
        group.weight += record.weight
        if record.repeats:
            self.add_repeats(record)
        if record.seconds is not None:
            group.values.append(record.seconds)
            if len(group.values) >= VALUES_MAX:
                self.take_values(group)

    def add_repeats(self, record):
        check = self.check(record.check)
        check.repeats += record.weight
        if record.total_seconds is not None:
            check.durations.add_repeats(record.repeats, record.total_seconds, record.max_seconds)
            self.spend(check, record, record.repeats, record.total_seconds, record.max_seconds)

    def new_group(self, key, record):
        if len(self.groups) >= GROUPS_MAX:
            self.fold()
        group = self.groups[key] = Group(record)
        return group

    # ------------------------------------------------------------------------------------------ the tables

    def check(self, slug):
        slug = slug or "(none)"
        known = self.checks.get(slug)
        if known is None:
            if len(self.checks) >= 1000:
                slug = OTHERS
            known = self.checks.setdefault(slug, Check())
        return known

    def take_values(self, group):
        """Gives the group's durations to its check, its place and its parties."""
        record, values = group.record, group.values
        if not values:
            return
        group.values = []
        check = self.check(record.check)
        check.durations.extend(values)
        self.spend(check, record, len(values), sum(values), max(values))

    def spend(self, check, record, count, total, most):
        spot = self.place_of(check, record)
        spot.seconds += total
        spot.timed += count
        spot.most = max(spot.most, most)
        check.tree.add_names(way_to(record), 0, total)
        for party in self.parties(record):
            party.seconds += total

    @staticmethod
    def place_of(check, record):
        name = place(record)
        spot = check.places.get(name)
        if spot is None:
            if len(check.places) >= PLACES_MAX:
                name = OTHERS
            spot = check.places.setdefault(name, Place())
        return spot

    def parties(self, record):
        program = record.program or "?"
        yield bounded(self.processes, (program, record.pid, record.source))
        if record.tid is not None:
            yield bounded(self.threads, (program, record.pid, record.tid, record.thread or "", record.source))
        if record.loop:
            yield bounded(self.loops, (program, record.pid, LOOP_STATE.sub("", record.loop), record.source))
        yield bounded(self.logs, (record.source,))

    def fold(self):
        """Empties the groups into the tables."""
        for group in self.groups.values():
            self.fold_group(group)
        self.groups.clear()

    def fold_group(self, group):
        record = group.record
        first, last = (epoch(t.decode() if isinstance(t, bytes) else t) for t in (group.first, group.last))
        what = (group.count, group.weight, first, last)
        self.count(*what)
        check = self.check(record.check)
        check.count(*what)
        if LEVELS.index(record.level) > LEVELS.index(check.level):
            check.level = record.level
        if record.threshold is not None:
            check.threshold = record.threshold
        spot = self.place_of(check, record)
        spot.count(*what)
        if spot.message is None:
            spot.message = record.message
        check.tree.add_names(way_to(record), group.weight)
        slug = record.check or "(none)"
        for party in self.parties(record):
            party.count(*what)
            party.checks[slug] = party.checks.get(slug, 0) + group.weight
        self.take_values(group)

    def merge(self, other):
        """Adds another's tables; the other is not to be used afterwards."""
        self.fold()
        other.fold()
        self.count(other.records, other.weight, other.first, other.last)
        for slug, theirs in other.checks.items():
            mine = self.check(slug)
            mine.count(theirs.records, theirs.weight, theirs.first, theirs.last)
            mine.level = max(mine.level, theirs.level, key=LEVELS.index)
            mine.repeats += theirs.repeats
            mine.threshold = theirs.threshold if theirs.threshold is not None else mine.threshold
            mine.durations.merge(theirs.durations)
            mine.tree.merge(theirs.tree)
            for name, spot in theirs.places.items():
                self.merge_place(mine, name, spot)
        for table in ("processes", "threads", "loops", "logs"):
            mine = getattr(self, table)
            for key, theirs in getattr(other, table).items():
                party = bounded(mine, key)
                party.count(theirs.records, theirs.weight, theirs.first, theirs.last)
                party.seconds += theirs.seconds
                for slug, weight in theirs.checks.items():
                    party.checks[slug] = party.checks.get(slug, 0) + weight

    @staticmethod
    def merge_place(check, name, theirs):
        if name not in check.places and len(check.places) >= PLACES_MAX:
            name = OTHERS
        mine = check.places.get(name)
        if mine is None:
            check.places[name] = theirs
            return
        mine.count(theirs.records, theirs.weight, theirs.first, theirs.last)
        mine.seconds += theirs.seconds
        mine.timed += theirs.timed
        mine.most = max(mine.most, theirs.most)


def way_to(record):
    """The frames of the record's main stack as names, oldest first, and its place, which some stacks do not reach:
    that of a slow callback ends where it was scheduled."""
    stack, name = main_stack(record), place(record)
    names = [frame_name(frame) for frame in stack.frames] if stack else []
    return names if names and names[-1] == name else names + [name]


def bounded(table, key):
    party = table.get(key)
    if party is None:
        if len(table) >= PARTIES_MAX:
            key = (OTHERS,)
        party = table.setdefault(key, Party())
    return party
