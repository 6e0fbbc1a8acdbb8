# SPDX-License-Identifier: MIT
"""The source around a frame's line, where the file can be read on this machine.

What a log says is not trusted: a log from elsewhere could name any file, and a report is passed on. So only
regular files that look like source code are opened, and only a few lines around one that the log itself quotes
are taken: when the quoted line is not there, the file is another version, and none of it is shown. A line that
the log does not quote is shown only from files under a directory that the user named or stands in.
"""

import os
import stat

ENDINGS = frozenset((".c .h .cc .cpp .cxx .hh .hpp .hxx .inc .inl .ipp .tcc .s .m .mm .rs .go .zig .d .nim .v .y .l"
                     " .py .pyx .js .ts").split())
AROUND = 4  # lines above and below
SIZE_MAX = 4 << 20
FILES_MAX = 400
LINE_MAX = 300  # characters of one line


class Sources:
    def __init__(self, directories=(), enabled=True):
        self.enabled = enabled
        self.roots = [os.path.realpath(d) for d in (*directories, os.getcwd())]
        self.files = {}  # name in the log -> (lines, whether under a root), or None

    def candidates(self, name):
        """Where the file may be: relative names under each root, also without their first directories."""
        if os.path.isabs(name):
            yield name
        parts = [p for p in name.split("/") if p not in ("", ".", "..")]
        for root in self.roots:
            for skip in range(min(len(parts), 12)):
                yield os.path.join(root, *parts[skip:])

    def lines_of(self, name):
        if name in self.files:
            return self.files[name]
        if len(self.files) >= FILES_MAX:
            return None
        self.files[name] = None
        if "\0" in name or len(name) > 4000 or os.path.splitext(name)[1].lower() not in ENDINGS:
            return None
        for path in self.candidates(name):
            try:
                # Not blocking: the name may be a pipe's, which is then refused.
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError:
                continue
            with os.fdopen(fd, "rb") as file:
                state = os.fstat(fd)
                if not stat.S_ISREG(state.st_mode) or state.st_size > SIZE_MAX:
                    continue
                real = os.path.realpath(path)
                inside = any(real == root or real.startswith(root.rstrip("/") + "/") for root in self.roots)
                self.files[name] = (file.read().decode("utf-8", "replace").splitlines(), inside)
                break
        return self.files[name]

    def around(self, frame):
        """(number of the first line, lines), or None."""
        if not self.enabled or not frame.file or not frame.line or frame.line < 1:
            return None
        found = self.lines_of(frame.file)
        if not found:
            return None
        lines, inside = found
        if frame.line > len(lines):
            return None
        if frame.source is not None:
            if lines[frame.line - 1].strip() != frame.source.strip() or not frame.source.strip():
                return None
        elif not inside:
            return None
        first = max(1, frame.line - AROUND)
        return first, [text[:LINE_MAX].rstrip().expandtabs(8) for text in lines[first - 1:frame.line + AROUND]]
