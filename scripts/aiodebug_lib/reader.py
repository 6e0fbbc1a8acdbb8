# SPDX-License-Identifier: MIT
"""Files, globs, stdin, gzip and growing files -> records, one after another, in constant memory.

    with open_logs(["app.*.jsonl", "-"]) as logs:
        for record in logs:
            ...
    logs.damage.tell()          # one line on stderr for each kind of damage

open_logs() takes the paths as they stand on the command line; Logs gives the records file by file, or, with
merge=True, the records of all files by their time. Each file says by its first record whether it is JSON or text,
and may hold both. A line that cannot be read is counted, never fatal; of two records that were written into
each other, the one that is whole is still used.

With follow=True files are read as they grow, by name as `tail -F` does, and None is given whenever nothing new is
there; only an interrupt ends it.
"""

import errno
import glob
import heapq
import json
import os
import stat
import sys
import time
import zlib

from . import Failure, textlog
from .model import VERSION, is_record, record_from, trace_from

BLOCK = 1 << 20
LINE_MAX = 16 << 20  # a record of 64 stacks of 64 frames has about 2 MB
POLL = 0.2  # seconds between two looks at a growing file


# ------------------------------------------------------------------------------------------------------- damage

KINDS = {
    "truncated": ("line is cut off", "lines are cut off"),
    "spliced": ("line holds pieces of two records", "lines hold pieces of two records"),
    "garbage": ("line is neither JSON nor text of the shim's", "lines are neither JSON nor text of the shim's"),
    "stranger": ("line is JSON but no record", "lines are JSON but no records"),
    "newer": ("record is of a newer version than this program knows; what it knows was used",
              "records are of a newer version than this program knows; what it knows was used"),
    "long": ("line is longer than %d MB" % (LINE_MAX >> 20), "lines are longer than %d MB" % (LINE_MAX >> 20)),
    "zeros": ("run of zero bytes (a file that was cut while it was written to?)",
              "runs of zero bytes (a file that was cut while it was written to?)"),
    "gzip": ("compressed file ends early or is damaged", "compressed files end early or are damaged"),
    "foreign": ("line is no part of a record (the program's own output?)",
                "lines are no part of a record (the program's own output?)"),
    "empty": ("file is empty", "files are empty"),
    "unread": ("file could not be read to its end", "files could not be read to their end"),
}
HARMLESS = ("foreign", "newer", "empty")


class Damage:
    """What was wrong, by file and kind: how often, and where first."""

    def __init__(self):
        self.found = {}  # (source, kind) -> [count, first line]

    def add(self, source, kind, line=None, count=1):
        entry = self.found.setdefault((source, kind), [0, line])
        entry[0] += count

    def merge(self, other):
        for (source, kind), (count, line) in other.found.items():
            self.add(source, kind, line, count)

    def serious(self):
        """Whether anything of the log was lost."""
        return any(kind not in HARMLESS for _, kind in self.found)

    def lines(self):
        for (source, kind), (count, line) in sorted(self.found.items()):
            where = ", first line %d" % line if line and count > 1 else " (line %d)" % line if line else ""
            yield "%s: %d %s%s" % (source, count, KINDS[kind][count != 1], where)

    def tell(self, file=None):
        for line in self.lines():
            print("aiodebug: " + printable(line), file=file or sys.stderr)


def printable(line):
    """For a terminal: no control characters, whatever a file is called."""
    return "".join(c if c.isprintable() else "\\x%02x" % ord(c) for c in line)


# ----------------------------------------------------------------------------------------------------- one line

MIDDLE = b',"stacks":['  # cannot be inside a string: the quote would end it
START = b'{"version":'
TRACES_MAX, TRACES_BYTES = 16384, 32 << 20


def _no_constant(name):
    raise ValueError(name)


_decoder = json.JSONDecoder(parse_constant=_no_constant)


class Decoder:
    """JSON lines -> records. What follows the stacks is the same for each record from one place, so it is
    decoded once and remembered; the memory is bounded."""

    def __init__(self):
        self.traces = {}
        self.bytes = 0

    def trace(self, tail):
        known = self.traces.get(tail)
        if known is None:
            fields = _decoder.decode("{" + tail.decode())
            if not {"stacks", "errors", "hint"}.issuperset(fields):
                raise ValueError("more than the trace")
            known = trace_from(fields)
            if len(self.traces) >= TRACES_MAX or self.bytes > TRACES_BYTES:
                self.traces.clear()
                self.bytes = 0
            self.traces[tail] = known
            self.bytes += len(tail) * 4  # the objects are larger than the text
        return known

    def decode(self, line):
        """The record, None when the line is JSON but none; raises ValueError when it is no JSON."""
        at = line.find(MIDDLE)
        if at > 0:
            try:
                trace = self.trace(line[at + 1:])
                fields = _decoder.decode((line[:at] + b"}").decode())
            except (ValueError, RecursionError):
                pass
            else:
                return record_from(fields, trace) if is_record(fields) else None
        try:
            fields = _decoder.decode(line.decode("utf-8", "replace"))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return record_from(fields, trace_from(fields)) if is_record(fields) else None

    def read(self, line, source, number, damage, last):
        """The records of one line that begins with a brace: one, or none; last: nothing follows, not even a
        newline."""
        try:
            record = self.decode(line)
            if record is None:
                damage.add(source, "stranger", number)
        except ValueError:
            record = self.rescue(line)
            kind = "truncated" if last or line.startswith(START) and not line.endswith(b"}") else "garbage"
            damage.add(source, "spliced" if record else kind, number)
        if record:
            record.source, record.line = source, number
            if record.version > VERSION:
                damage.add(source, "newer", number)
        return record

    def rescue(self, line):
        """The last record that begins inside the line and is whole to its end."""
        at = line.rfind(START)
        if at <= 0:
            return None
        try:
            return self.decode(line[at:])
        except ValueError:
            return None


# ----------------------------------------------------------------------------------------------------- one file

def data_blocks(fd, start, end, skipped):
    """Blocks of the file from start to end (None: to its end). Holes are not read: skipped(n) is told."""
    at = start
    sparse = False
    try:
        state = os.fstat(fd)
        sparse = stat.S_ISREG(state.st_mode) and state.st_blocks * 512 + BLOCK < state.st_size
    except OSError:
        pass
    while end is None or at < end:
        if sparse:
            try:
                data = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # a hole up to the end
                    skipped(os.fstat(fd).st_size - at)
                    return
                data = at
            if end is not None and data >= end:
                skipped(end - at)
                return
            if data > at:
                skipped(data - at)
                at = data
            block = os.pread(fd, BLOCK if end is None else min(BLOCK, end - at), at)
        else:
            block = os.read(fd, BLOCK if end is None else min(BLOCK, end - at))
        if not block:
            return
        at += len(block)
        yield block


class LogFile:
    """One source of lines: a path, or - for stdin. Its own position, numbers of lines and damage."""

    def __init__(self, path, damage, decoder=None, progress=None, start=0, end=None, follow=False):
        self.path = path
        self.name = "<stdin>" if path == "-" else path
        self.damage = damage
        self.decoder = decoder or Decoder()
        self.progress = progress
        self.start, self.end, self.follow = start, end, follow
        self.number = 0  # of the line last read
        self.parser = textlog.Parser(self.name)
        self.records = 0

    def open(self):
        if self.path == "-":
            return sys.stdin.buffer.fileno()
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Failure("%s: %s" % (self.path, error.strerror)) from None
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.close(fd)
            raise Failure("%s: is a directory; name the files in it, or a pattern such as '%s/*.jsonl'"
                          % (self.path, self.path.rstrip("/")))
        return fd

    def blocks(self, fd):
        """The bytes of the file, in pieces; None where a followed file has nothing new."""
        if self.start:
            os.lseek(fd, self.start, os.SEEK_SET)
        raw = self.told(data_blocks(fd, self.start, self.end, self.hole))
        first = next(raw, b"")
        if first[:2] == b"\x1f\x8b" and not self.start:
            yield from self.unpack(first, raw)
            return
        if first:
            yield first
        yield from raw
        if self.follow and self.path != "-":
            yield from self.growth(fd)

    def told(self, blocks):
        for block in blocks:
            if self.progress:
                self.progress(len(block))
            yield block

    def hole(self, size):
        self.damage.add(self.name, "zeros")
        if self.progress:
            self.progress(size)

    def unpack(self, first, raw):
        """gzip, several members allowed. What was unpacked before the damage is used."""
        inflate = zlib.decompressobj(31)
        try:
            block = first
            while block is not None:
                while block:
                    if inflate.eof:
                        if not block.strip(b"\0"):  # padding
                            break
                        inflate = zlib.decompressobj(31)
                    out = inflate.decompress(block, BLOCK)
                    while out:
                        yield out
                        out = inflate.decompress(inflate.unconsumed_tail, BLOCK) if inflate.unconsumed_tail else b""
                    block = inflate.unused_data if inflate.eof else b""
                block = next(raw, None)
            if not inflate.eof:
                self.damage.add(self.name, "gzip")
        except zlib.error:
            self.damage.add(self.name, "gzip")

    def growth(self, fd):
        """As `tail -F`: what is appended, the file from its beginning when it was cut or replaced."""
        while True:
            block = os.read(fd, BLOCK)
            if block:
                yield block
                continue
            yield None
            time.sleep(POLL)
            here = os.fstat(fd)
            if here.st_size < os.lseek(fd, 0, os.SEEK_CUR):
                os.lseek(fd, 0, os.SEEK_SET)
            try:
                there = os.stat(self.path)
            except OSError:
                continue  # gone: until there is one of this name again
            if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) and not os.read(fd, 0):
                rest = os.read(fd, BLOCK)
                if rest:
                    yield rest
                    continue
                fresh = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                os.dup2(fresh, fd, inheritable=False)
                os.close(fresh)

    def lines(self, blocks):
        """(line without newline, whether it had none) of the blocks. Longer ones than LINE_MAX are left out."""
        carry, discarding = [], False
        size = 0
        for block in blocks:
            if block is None:
                yield None, False
                continue
            *whole, rest = block.split(b"\n")
            if whole:
                if discarding:
                    whole[0] = b""
                    discarding = False
                elif carry:
                    carry.append(whole[0])
                    whole[0] = b"".join(carry)
                carry, size = [], 0
                for line in whole:
                    self.number += 1
                    yield line, False
            if rest and not discarding:
                carry.append(rest)
                size += len(rest)
                if size > LINE_MAX:
                    zeros = not any(piece.strip(b"\0") for piece in carry)
                    self.damage.add(self.name, "zeros" if zeros else "long", self.number + 1)
                    carry, size = [], 0
                    discarding = not zeros
        if carry:
            self.number += 1
            yield b"".join(carry), True

    def read(self, tally=None):
        """The records; None where a followed file has nothing new. With a tally they are counted there instead,
        most of them without being decoded."""
        fd = self.open()
        quick = tally.add_line if tally and not tally.filters else None
        decode, damage, name, parser = self.decoder.read, self.damage, self.name, self.parser
        anything = False
        in_text = False
        try:
            for line, last in self.lines(self.blocks(fd)):
                if line is None:
                    record = parser.finish()  # each is written at once: it has ended, though none has begun yet
                    if record:
                        yield record
                    yield None
                    continue
                anything = True
                if line[:1] == b"\0":
                    damage.add(name, "zeros", self.number)
                    line = line.lstrip(b"\0")
                if line[:1] == b"{":
                    if quick and quick(line, name):
                        self.records += 1
                        continue
                    record = decode(line, name, self.number, damage, last)
                elif line:
                    record = self.other(line, last, in_text)
                    in_text = in_text or parser.record is not None
                else:
                    record = None
                if record:
                    self.records += 1
                    if tally:
                        tally.add(record)
                    else:
                        yield record
                elif not line and parser.record is not None:
                    parser.feed("", self.number)
            record = parser.finish()
            if record:
                self.records += 1
                if tally:
                    tally.add(record)
                else:
                    yield record
        except OSError as error:
            damage.add(name, "unread")
            print("aiodebug: %s: %s" % (printable(name), error.strerror), file=sys.stderr)
        finally:
            if self.path != "-":
                os.close(fd)
            if parser.foreign:
                damage.add(name, "foreign", None, parser.foreign)
            if not anything and not self.start:
                damage.add(name, "empty")

    def other(self, line, last, in_text):
        """A line that is not JSON."""
        at = line.rfind(START)
        if at > 0:  # a record behind the end of another, or behind what the program printed
            record = self.decoder.rescue(line)
            if record:
                self.damage.add(self.name, "spliced", self.number)
                record.source, record.line = self.name, self.number
                return record
        text = line.decode("utf-8", "replace").rstrip("\r")
        if not in_text and not textlog.HEADER.match(text):
            binary = "\ufffd" in text or "\0" in text or '":' in text
            self.damage.add(self.name, "garbage" if binary else "foreign", self.number)
            return None
        return self.parser.feed(text, self.number)


# --------------------------------------------------------------------------------------------------- many files

def expand(paths):
    """The files that the arguments name: patterns that the shell has left alone are expanded here."""
    names = []
    for path in paths or ["-"]:
        if path != "-" and not os.path.exists(path) and glob.has_magic(path):
            found = sorted(glob.glob(path))
            if not found:
                raise Failure("%s: no file has such a name" % path)
            names += found
        else:
            names.append(path)
    if names.count("-") > 1:
        raise Failure("-: standard input can be read only once")
    return names


def checked(names):
    """The names. A wrong one is a mistake of the command line, and told before any work."""
    for name in names:
        try:
            # A named pipe is not opened: its writer would see us come and go.
            if name != "-" and not stat.S_ISFIFO(os.stat(name).st_mode):
                os.close(LogFile(name, None).open())
        except OSError as error:
            raise Failure("%s: %s" % (name, error.strerror)) from None
    return names


def total_size(names):
    """Bytes to read, for a progress bar; None when nobody knows."""
    total = 0
    for name in names:
        try:
            state = os.stat(name)
        except OSError:
            return None
        if not stat.S_ISREG(state.st_mode):
            return None
        total += state.st_size
    return total


class Logs:
    """Iterate to get records (and None, when following). Damage is complete when the iteration is over."""

    def __init__(self, names, follow=False, merge=False, progress=None):
        self.names = names
        self.damage = Damage()
        self.follow, self.merge, self.progress = follow, merge, progress
        self.decoder = Decoder()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def files(self):
        return [LogFile(name, self.damage, self.decoder, self.progress, follow=self.follow) for name in self.names]

    def __iter__(self):
        files = self.files()
        if self.follow and len(files) > 1:
            yield from self.round_robin(files)
        elif self.merge and len(files) > 1:
            yield from merged(files)
        else:
            for file in files:
                yield from file.read()

    @staticmethod
    def round_robin(files):
        """Each growing file in turn, until it has nothing new."""
        sources = [file.read() for file in files]
        while sources:
            idle = True
            for source in list(sources):
                for record in source:
                    if record is None:
                        break
                    idle = False
                    yield record
                else:
                    sources.remove(source)
            if idle:
                yield None


def merged(files):
    """By time. Within a file the order of its lines stands, and a record without a time follows the one before."""
    def keyed(index, file):
        now = float("-inf")
        for position, record in enumerate(file.read()):
            if record.when is not None and record.when > now:
                now = record.when
            yield now, index, position, record

    for _, _, _, record in heapq.merge(*(keyed(i, file) for i, file in enumerate(files))):
        yield record


def open_logs(paths, follow=False, merge=False, progress=None):
    """paths: files, patterns, - (also what no path at all means). progress(bytes) is called as bytes are read."""
    return Logs(checked(expand(paths)), follow, merge, progress)
