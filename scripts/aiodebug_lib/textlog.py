# SPDX-License-Identifier: MIT
"""The shim's text form -> records, as far as text goes: no monotonic clock, no thread, no columns, no objects.

A text log is often a program's stderr, with the program's own lines in between. What cannot belong to the
record before it is left out and counted; a line of the program's that looks like a line of the record is taken
for one.
"""

import re

from .model import NO_TRACE, Frame, Record, Stack, Trace, epoch

HEADER = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (.*?)\[(\d+)\] (DEBUG|INFO|WARNING|ERROR|CRITICAL)"
                    r":aiodebug:(.*)", re.A)
SLUG = re.compile(r"(.*) \[([a-z][a-z0-9-]*)\]$", re.S)
FILE = re.compile(r'  File "(.*)", line (-?\d+), in (.*)$')
MODULE = re.compile(r'  Module "(.*)", offset 0x([0-9a-f]+)(?:, in (.*?))?(?:, build-id ([0-9a-f]+))?$')
AGAIN = re.compile(r"  \[Previous line repeated (\d+) more times?\]$")
CONTEXT = re.compile(r"([A-Za-z_][\w -]{0,40}): (.*)$", re.S)
TITLE = re.compile(r"(.*\(most recent call last\)):?$")
TOOK = re.compile(r"\b(?:took|for|waited|been running for) (\d+(?:\.\d+)?) seconds\b")
FRAMES_MAX = 4096
SEEN_MAX = 1000  # mistakes whose stacks are kept for the line that counts their repeats

ROLES = {
    "Object created at": "created", "Called at": "call", "Handle created at": "scheduled", "Closed at": "closed",
    "Freed at": "freed", "Raised at": "raised", "Running at": "running", "Suspended at": "suspended",
    "Traceback": "raised",
}
# Titles that checks give themselves.
ROLE_WORDS = (("created", "created"), ("suspended", "suspended"), ("closed", "closed"), ("freed", "freed"),
              ("Called", "call"), ("called", "call"), (" was at", "running"), ("running", "running"))
KEYED = ("source_traceback", "handle_traceback")


def role_of(title):
    words = title.rsplit(" (most recent call last)", 1)[0]
    if words in ROLES:
        return ROLES[words]
    for word, role in ROLE_WORDS:
        if word in words:
            return role
    return "unknown"


class Parser:
    """Lines in, records out: feed() gives the record that has just ended, or None; finish() the last one."""

    def __init__(self, source=None):
        self.source = source
        self.foreign = 0  # lines that are of no record
        self.record = None
        self.seen = {}

    def feed(self, line, number):
        header = HEADER.match(line)
        if header:
            ended = self.finish()
            self.begin(header, number)
            return ended
        if self.record is None or self.over or not self.continued(line):
            self.foreign += bool(line.strip())
        return None

    def begin(self, header, number):
        self.record = r = Record()
        r.time, r.program, pid, r.level, r.message = header.groups()
        r.pid, r.when = int(pid), epoch(r.time)
        r.source, r.line = self.source, number
        self.stacks, self.errors, self.hint = [], [], None
        self.frames = None  # of the stack that is being read
        self.in_traceback = self.over = False
        self.in_message = True  # its lines may go on, indented
        self.last_key = None

    def continued(self, line):
        """Takes a line of the record; False: it is none."""
        if self.in_message and line.startswith("    ") and not SLUG.match(self.record.message):
            self.record.message += "\n" + line[4:]
            return True
        self.in_message = False
        return self.frame(line) or self.heading(line)

    def frame(self, line):
        if self.frames is None or not line.startswith("  ") or len(self.frames) > FRAMES_MAX:
            return False
        found = FILE.match(line)
        if found:
            self.frames.append(Frame(found[3] if found[3] != "?" else None, found[1], int(found[2]), None, False, None,
                                     None, None, None))
            return True
        found = MODULE.match(line)
        if found:
            self.frames.append(Frame(found[3], None, None, None, False, None, found[1], found[4], int(found[2], 16)))
            return True
        found = AGAIN.match(line)
        if found and self.frames:
            self.frames.extend(self.frames[-1:] * min(int(found[1]), FRAMES_MAX))
            return True
        if line.startswith("    ") and self.frames and self.frames[-1].file and self.frames[-1].source is None:
            self.frames[-1] = self.frames[-1]._replace(source=line[4:])
            return True
        return False

    def heading(self, line):
        if line.startswith("hint: "):
            self.hint = line[6:]
            self.over = True
            return True
        if line.startswith("... and ") or line == "" or line.startswith("The above exception was the direct cause"):
            return self.in_traceback or line.startswith("... and ")
        key, _, rest = line.partition(": ")
        found = TITLE.match(rest if key in KEYED else line)
        if found:
            title = found[1]
            self.frames = []
            self.stacks.append((role_of(title), None if key in KEYED or title.rsplit(" (", 1)[0] in ROLES else line,
                                self.frames))
            self.in_traceback = title.startswith("Traceback")
            return True
        if self.in_traceback and not line.startswith(" "):
            self.errors.append(line)
            self.frames = None
            return True
        if line.startswith("    ") and self.last_key:
            self.record.context[self.last_key] += "\n" + line[4:]
            return True
        found = CONTEXT.match(line)
        if found and len(self.record.context) < 64:
            self.frames = None
            self.last_key = found[1]
            self.record.context[found[1]] = found[2]
            return True
        return False

    def finish(self):
        r, self.record = self.record, None
        if r is None:
            return None
        slug = SLUG.match(r.message)
        if slug:
            r.message, r.check = slug.groups()
        r.note_repeats()
        took = TOOK.search(r.message)
        if r.repeats:
            r.weight = r.repeats
        elif took:
            r.seconds = float(took[1])
        r.loop = r.context.get("loop")
        if self.stacks or self.errors or self.hint:
            r.trace = Trace(tuple(Stack(role, title, tuple(frames)) for role, title, frames in self.stacks),
                            tuple(self.errors), self.hint)
        self.share(r)
        return r

    def share(self, r):
        """A count of repeats is one line without stacks: it gets those of the first that it counts."""
        key = (r.program, r.pid, r.check, r.message)
        if r.repeats:
            if r.trace is NO_TRACE:
                r.trace = self.seen.get(key, NO_TRACE)
        elif r.trace.stacks and (key in self.seen or len(self.seen) < SEEN_MAX):
            self.seen.setdefault(key, r.trace)
