# SPDX-License-Identifier: MIT
"""pprof's profile.proto, gzipped, written by hand with the standard library (the message is small and frozen).

Two values of each sample: records, and blocked nanoseconds. The frames are the callback and what it was in; program,
process, thread and check are labels: `go tool pprof -tagfocus=check=blocking-call`, `-tagroot=program`.
"""

import gzip

from .export_samples import Sampler, counted_path
from .model import frame_place


def varint(n):
    n &= (1 << 64) - 1  # negative numbers are written as 64 bit two's complement
    out = bytearray()
    while n > 0x7f:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def integer(field, n):
    """A number; 0 is what is read when nothing is written."""
    return varint(field << 3) + varint(n) if n else b""


def nested(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def packed(field, numbers):
    return nested(field, b"".join(map(varint, numbers))) if numbers else b""


class Writer:
    def __init__(self, args):
        self.sampler = Sampler()
        self.strings = {"": 0}
        self.functions, self.function_bytes = {}, []
        self.locations, self.location_bytes = {}, []
        self.mappings, self.mapping_bytes = {}, []
        self.paths = {}
        self.samples = {}  # (path, labels) -> [records, nanoseconds]
        self.first = self.last = None

    def string(self, text):
        text = (text or "").replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        return self.strings.setdefault(text, len(self.strings))

    def mapping(self, frame):
        if not frame.module:
            return 0
        key = (frame.module, frame.build_id)
        known = self.mappings.get(key)
        if known is None:
            known = self.mappings[key] = len(self.mappings) + 1
            # No two at one address: pprof would take the second for a piece of the first.
            start = known << 40
            self.mapping_bytes.append(nested(3, integer(1, known) + integer(2, start) + integer(3, start + (1 << 40))
                                             + integer(5, self.string(frame.module))
                                             + integer(6, self.string(frame.build_id))
                                             + integer(7, 1) + integer(8, 1) + integer(9, 1)))
        return known

    def function(self, frame):
        name = frame.function or frame_place(frame)
        key = (name, frame.file or frame.module)
        known = self.functions.get(key)
        if known is None:
            known = self.functions[key] = len(self.functions) + 1
            text = self.string(name)
            self.function_bytes.append(nested(5, integer(1, known) + integer(2, text) + integer(3, text)
                                              + integer(4, self.string(frame.file))))
        return known

    def location(self, frame):
        function, mapping = self.function(frame), self.mapping(frame)
        line = frame.line if frame.line is not None and 0 < frame.line < 1 << 31 else 0
        offset = frame.offset if frame.offset is not None and 0 < frame.offset < 1 << 40 else 0
        key = (function, line, mapping, offset)
        known = self.locations.get(key)
        if known is None:
            known = self.locations[key] = len(self.locations) + 1
            self.location_bytes.append(nested(4, integer(1, known) + integer(2, mapping)
                                              + integer(3, (mapping << 40) + offset if mapping else 0)
                                              + nested(4, integer(1, function) + integer(2, line))))
        return known

    def path(self, frames):
        """The numbers of its places, innermost first, as pprof has it."""
        known = self.paths.get(frames)
        if known is None:
            known = self.paths[frames] = tuple(self.location(f) for f in reversed(frames)) or (0,)
        return known

    def add(self, record):
        sample = self.sampler.sample(record)
        path = sample.path if sample else counted_path(record)
        when = record.when
        if when is not None:
            self.first = when if self.first is None else min(self.first, when - (record.seconds or 0))
            self.last = when if self.last is None else max(self.last, when)
        key = (self.path(path), record.check, record.program, record.pid, record.tid, record.thread)
        values = self.samples.get(key)
        if values is None:
            values = self.samples[key] = [0, 0.0]
        values[0] += record.weight
        if sample:
            values[1] += sample.seconds

    def label(self, key, text=None, number=None):
        if text is None and number is None:
            return b""
        return nested(3, integer(1, self.string(key))
                      + (integer(2, self.string(text)) if text is not None else integer(3, number)))

    def value_type(self, name, unit):
        return integer(1, self.string(name)) + integer(2, self.string(unit))

    def write(self, out):
        parts = [nested(1, self.value_type("records", "count")), nested(1, self.value_type("blocked", "nanoseconds"))]
        for (path, check, program, pid, tid, thread), (count, seconds) in self.samples.items():
            parts.append(nested(2, packed(1, path) + packed(2, (count, round(seconds * 1e9)))
                                + self.label("check", check) + self.label("program", program)
                                + self.label("thread", thread) + self.label("pid", number=pid)
                                + self.label("tid", number=tid)))
        parts += self.mapping_bytes + self.location_bytes + self.function_bytes
        tail = b""
        if self.first is not None:
            tail += integer(9, round(self.first * 1e9)) + integer(10, round((self.last - self.first) * 1e9))
        tail += nested(11, self.value_type("blocked", "nanoseconds")) + integer(12, 1)
        tail += integer(14, self.string("blocked"))
        parts += [nested(6, text.encode()) for text in self.strings]  # after all that may add one
        parts.append(tail)
        # No time and no name in gzip's head, so that equal logs give equal files.
        with gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as packer:
            packer.write(b"".join(parts))
