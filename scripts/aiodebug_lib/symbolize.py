# SPDX-License-Identifier: MIT
"""Names the frames of a log that was written where symbols were missing: function, file, line, and the callers that
the compiler has inlined. A module is only used when it has the very build-id that the log names."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

from . import Failure, elf, reader, textlog
from .terminal import Progress

HELP = "name the frames of a log from a machine without symbols"
EXAMPLES = """\
examples:
  aiodebug symbolize app.jsonl > named.jsonl
  aiodebug symbolize app.jsonl --debug-dir ./dbgsym/usr/lib/debug --sysroot /srv/bookworm -o named.jsonl
  aiodebug symbolize app.log.gz | aiodebug summary -

Looked for are DIR/.build-id/xx/yyyy.debug in each --debug-dir (and /usr/lib/debug), then the module's own path, under
each --sysroot and as it is. Lines without such frames are passed on as they are, damaged ones too. Needs addr2line of
binutils, or eu-addr2line of elfutils; each is started once for a module."""

NAMED = re.compile(rb'"file":null,"line":null,"column":null,"inlined":false,"source":null,"module":')
UNKNOWN = ("??", "")


def add_arguments(parser):
    parser.add_argument("log", metavar="LOG", help="JSON Lines or text, gzip or not; - for standard input")
    parser.add_argument("--debug-dir", metavar="DIR", action="append", default=[],
                        help="where .build-id/ is; may be given several times")
    parser.add_argument("--sysroot", metavar="DIR", action="append", default=[],
                        help="a tree that the modules' paths are under; may be given several times")
    parser.add_argument("--output", "-o", metavar="FILE", help="instead of standard output")
    parser.add_argument("--tool", metavar="PROGRAM", help="an addr2line (of another architecture, say)")


def main(args):
    tool = args.tool or shutil.which("addr2line") or shutil.which("eu-addr2line")
    if not tool or not shutil.which(tool):
        raise Failure("%s is not to be found: install binutils or elfutils" % (args.tool or "addr2line"))
    if args.output and args.log != "-" and os.path.exists(args.output) and os.path.samefile(args.log, args.output):
        raise Failure("%s: cannot be read and written at the same time" % args.output)
    log = Spool(args.log)
    namer = Namer(Finder(args.debug_dir + ["/usr/lib/debug"], args.sysroot), tool)
    for line in log.lines():
        for key in unnamed(line):
            namer.want(*key)
    namer.ask()
    log.file.damage.tell()
    output = open(args.output, "wb") if args.output else sys.stdout.buffer
    try:
        for line in log.lines():
            output.write(named(line, namer))
        output.flush()
    finally:
        if args.output:
            output.close()
    namer.tell()
    return 0


class Spool:
    """The lines of a log, as often as they are asked for. What can be read only once, or is compressed, is copied.
    Runs of zero bytes and lines longer than any record are left out, and said to be damage."""

    def __init__(self, path):
        self.path = path
        self.copy = None
        self.file = self.open()

    def open(self):
        return reader.LogFile(self.path, reader.Damage())

    def lines(self):
        """Each with its newline."""
        if self.copy:
            self.copy.seek(0)
            yield from self.copy
            return
        file = self.file = self.open()
        fd = file.open()
        keep = None if self.seekable(fd) else tempfile.TemporaryFile()
        try:
            for line, _ in file.lines(file.blocks(fd)):
                line = line.lstrip(b"\0") + b"\n"
                if keep:
                    keep.write(line)
                yield line
        finally:
            if self.path != "-":
                os.close(fd)
        self.copy = keep

    def seekable(self, fd):
        return self.path != "-" and stat.S_ISREG(os.fstat(fd).st_mode) and os.pread(fd, 2, 0) != b"\x1f\x8b"


# ------------------------------------------------------------------------------------------------ lines of the log

def unnamed(line):
    """(module, build-id, offset) of each frame of the line that has neither file nor line."""
    if line[:1] == b"{":
        if NAMED.search(line) is None and b'"file": null' not in line:
            return
        for frame in frames_of(parsed(line)):
            if wants_name(frame):
                yield frame["module"], frame.get("build_id"), frame["offset"]
    elif line.startswith(b"  Module "):
        found = textlog.MODULE.match(line.decode("utf-8", "replace").rstrip("\r\n"))
        if found:
            yield found[1], found[4], int(found[2], 16)


def parsed(line):
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def frame_lists(fields):
    stacks = fields.get("stacks")
    for stack in stacks if isinstance(stacks, list) else ():
        if isinstance(stack, dict) and isinstance(stack.get("frames"), list):
            yield stack


def frames_of(fields):
    for stack in frame_lists(fields):
        for frame in stack["frames"]:
            if isinstance(frame, dict):
                yield frame


def wants_name(frame):
    return (frame.get("file") is None and isinstance(frame.get("module"), str)
            and isinstance(frame.get("offset"), int) and not isinstance(frame["offset"], bool)
            and isinstance(frame.get("build_id"), (str, type(None))))


def named(line, namer):
    """The line with its frames named; the line itself when there is nothing to name."""
    if not any(namer.found(*key) for key in unnamed(line)):
        return line
    if line[:1] != b"{":
        found = textlog.MODULE.match(line.decode("utf-8", "replace").rstrip("\r\n"))
        places = namer.found(found[1], found[4], int(found[2], 16))
        return "".join('  File "%s", line %d, in %s\n' % (file, number, function or "?")
                       for function, file, number in reversed(places)).encode("utf-8", "surrogateescape")
    fields = parsed(line)
    for stack in frame_lists(fields):
        frames = []
        for frame in stack["frames"]:
            places = namer.found(frame["module"], frame.get("build_id"), frame["offset"]) \
                if isinstance(frame, dict) and wants_name(frame) else None
            if not places:
                frames.append(frame)
                continue
            # addr2line begins with the innermost; the log's frames are oldest first.
            for position, (function, file, number) in reversed(list(enumerate(places))):
                frames.append(dict(frame, function=function or frame.get("function"), file=file, line=number,
                                   inlined=position < len(places) - 1))
        stack["frames"] = frames
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


# ---------------------------------------------------------------------------------------------------- finding files

class Finder:
    """Module and build-id -> a file that has the very same build-id."""

    def __init__(self, debug_dirs, sysroots):
        self.debug_dirs, self.sysroots = debug_dirs, sysroots

    def file(self, module, build_id):
        """(path, None), or (None, why not)."""
        if not build_id or not re.fullmatch(r"[0-9a-f]{4,128}", build_id):
            return None, "the log names no build-id"
        for directory in self.debug_dirs:
            for root in [""] + self.sysroots:
                path = root + os.path.join("/" if root else "", directory, ".build-id", build_id[:2],
                                           build_id[2:] + ".debug")
                if elf.build_id(path) == build_id:
                    return path, None
        others = False
        for root in self.sysroots + [""]:
            path = root + module
            there = elf.build_id(path) if os.path.isfile(path) else None
            if there == build_id:
                return path, None
            others = others or there is not None
        return None, "what is there has another build-id" if others else "no file of build-id %s" % build_id


class Namer:
    def __init__(self, finder, tool):
        self.finder, self.tool = finder, tool
        self.wanted = {}  # (module, build-id) -> set of offsets
        self.answers = {}  # (module, build-id, offset) -> [(function, file, line)], innermost first
        self.missing = {}  # (module, build-id) -> why

    def want(self, module, build_id, offset):
        self.wanted.setdefault((module, build_id), set()).add(offset)

    def found(self, module, build_id, offset):
        return self.answers.get((module, build_id, offset))

    def ask(self):
        progress = Progress(sum(map(len, self.wanted.values())), "naming")
        for (module, build_id), offsets in sorted(self.wanted.items(), key=str):
            path, why = self.finder.file(module, build_id)
            if path is None:
                self.missing[module, build_id] = why
            else:
                self.ask_about(module, build_id, path, sorted(offsets))
            progress(len(offsets))
        progress.close()

    def ask_about(self, module, build_id, path, offsets):
        """One batch. -a prints each address before its answer, which may have several pairs of lines."""
        try:
            done = subprocess.run([self.tool, "-e", path, "-a", "-f", "-i", "-C"], stdout=subprocess.PIPE,
                                  input="".join("0x%x\n" % offset for offset in offsets).encode(),
                                  stderr=subprocess.PIPE, env=dict(os.environ, LC_ALL="C"))
        except OSError as error:
            raise Failure("%s: %s" % (self.tool, error.strerror)) from None
        if done.returncode:
            self.missing[module, build_id] = "%s failed: %s" % (
                os.path.basename(self.tool), done.stderr.decode("utf-8", "replace").strip().split("\n")[-1])
            return
        offset, function = None, None
        for line in done.stdout.decode("utf-8", "surrogateescape").split("\n"):
            if re.fullmatch(r"0x[0-9a-f]+", line):
                offset, function = int(line, 16), None
            elif offset is not None and line:
                if function is None:
                    function = line
                else:
                    self.note((module, build_id, offset), function, line)
                    function = None

    def note(self, key, function, where):
        where = re.sub(r" \(discriminator \d+\)$", "", where)
        file, _, number = where.rpartition(":")
        number = re.match(r"\d+", number)
        if file in UNKNOWN or not number or number[0] == "0":
            return
        self.answers.setdefault(key, []).append((None if function in UNKNOWN else function, file, int(number[0])))

    def tell(self):
        """On stderr: what was named, and which modules were not to be found."""
        total = sum(map(len, self.wanted.values()))
        print("aiodebug: named %d of %d places in %d of %d modules" % (
            len(self.answers), total, len({key[:2] for key in self.answers}), len(self.wanted)), file=sys.stderr)
        for (module, _), why in sorted(self.missing.items(), key=str):
            print("aiodebug: %s: %s" % (reader.printable(module), why), file=sys.stderr)
