# SPDX-License-Identifier: MIT
"""Records -> samples: where a loop's thread spent the time in which it could do nothing else.

A sample is (process, thread, path, seconds, record). The path is a tuple of frames, outermost first: the callback
or coroutine that ran, then what it was in, where the log has a stack of that. A slow callback's own stack only
says who scheduled it, so it is not part of the path.

No time is counted twice: a blocking call lies inside a slow callback, a hang is reported several times while it
lasts. Records come in the order in which what they tell of ended, so of each record only that part of its time
counts which no earlier record of the same thread has covered.
"""

import re
from collections import namedtuple

from . import filters, model, reader
from .report_words import BLOCKED
from .terminal import Progress

Sample = namedtuple("Sample", "process thread path seconds record")

# `slow() at slow.c:6`, `coro=<create() running at chain.c:10>`, `cb=tick() at app.c:12`: what the loop ran.
RAN = re.compile(r"([\w$][\w$.:~]*)\(\)(?: running| done, defined)? at ([^\s<>]+):(\d+)", re.A)
RAN_UNKNOWN = re.compile(r"<(\w+)")

# The stacks that show the thread itself, best first.
LIVE = {"blocking-call": ("call", "running"), "loop-hang": ("running", "call")}

KEPT = 4096  # intervals remembered of each thread


def process_of(record):
    """What tells one process from another; logs of several hosts may share process ids."""
    return (record.source, record.program, record.pid)


def named(function):
    return model.Frame(function, None, None, None, False, None, None, None, None)


TURN = named("turn of the loop")


def dearest_frame(record):
    """Of a slow turn, in which no callback was slow by itself: the one that took most."""
    for value in record.context.values():
        found = RAN.search(value)
        if found:
            return model.Frame(found[1], found[2], int(found[3][:9]), None, False, None, None, None, None)
    return None


def callback_frame(record):
    """The function that the loop ran, as a frame; None when the record does not tell."""
    if record.check == "slow-iteration":
        return TURN
    text = record.object.repr if record.object and record.object.repr else record.message
    found = RAN.search(text)
    if found:
        return model.Frame(found[1], found[2], int(found[3][:9]), None, False, None, None, None, None)
    found = RAN_UNKNOWN.search(text)
    return named(found[1]) if found else None


def path_of(record):
    """The callback, then the frames inside it."""
    top = callback_frame(record)
    frames = ()
    for role in LIVE.get(record.check, ()):
        frames = next((s.frames for s in record.trace.stacks if s.role == role and s.frames), ())
        if frames:
            break
    if top is None:
        return frames or (named(record.check or "report"),)
    # Below the callback lie main() and the loop, the same for all; where the callback is not on the stack
    # (it was a coroutine's, or it has no name there), all of it is shown.
    for i, frame in enumerate(frames):
        if frame.function == top.function:
            return frames[i:]
    return (top,) + frames


def counted_path(record):
    """What a record is counted under: the path, or the stack that tells best where the mistake was made."""
    if record.check in BLOCKED:
        return path_of(record)
    stack = model.main_stack(record)
    return stack.frames if stack else path_of(record)


class Clock:
    """What of a thread's time is counted already."""

    def __init__(self):
        self.covered = {}  # thread -> list of disjoint (start, end), in order

    def take(self, thread, start, end):
        """How much of start..end is new; it is covered from now on."""
        known = self.covered.get(thread)
        if known is None:
            known = self.covered[thread] = []
        if not known or known[-1][1] <= start:
            known.append((start, end))
            if len(known) > 2 * KEPT:
                del known[:KEPT]
            return end - start
        low, high, double = start, end, 0.0
        while known and known[-1][1] > start:
            s, e = known.pop()
            double += max(0.0, min(e, end) - max(s, start))
            low, high = min(low, s), max(high, e)
        known.append((low, high))
        return max(0.0, end - start - double)


class Sampler:
    """Turns one record after the other into a sample, or None."""

    def __init__(self):
        self.clock = Clock()

    def sample(self, record):
        seconds = record.seconds
        if seconds is None or seconds <= 0 or record.check not in BLOCKED:
            return None
        process = process_of(record)
        if record.when is not None:
            seconds = self.clock.take((process, record.tid), record.when - seconds, record.when)
            if seconds < 1e-7:
                return None
        return Sample(process, (record.thread, record.tid), path_of(record), seconds, record)


def samples(records):
    sampler = Sampler()
    for record in records:
        sample = sampler.sample(record)
        if sample:
            yield sample


def collect(logs, args, take):
    """take() for each record of the logs that the arguments want; a progress bar meanwhile, what was damaged after."""
    wanted = filters.filter_from(args)
    bar = logs.progress = Progress(reader.total_size(logs.names))
    try:
        with logs:
            for record in logs:
                if wanted is None or wanted.wants(record):
                    take(record)
    finally:
        bar.close()
    logs.damage.tell()
