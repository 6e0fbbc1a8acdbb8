# SPDX-License-Identifier: MIT
"""What is printed for people: colours where the terminal has them (NO_COLOR turns them off), tables as wide as
they need to be, a progress bar on stderr, and numbers as people write them.

Everything that came from a log goes through clean(): nothing in a log may steer a terminal.
"""

import os
import shutil
import sys
import time
import unicodedata

COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35"}
LEVEL_COLOURS = {"CRITICAL": "magenta", "ERROR": "red", "WARNING": "yellow", "INFO": "blue", "DEBUG": "dim"}


def has_colours(stream):
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """Where to print: lines with painted words, tables."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.colours = has_colours(self.stream)
        encoding = (getattr(self.stream, "encoding", None) or "ascii").lower()
        self.unicode = "utf" in encoding
        self.written = []

    def paint(self, colour, text):
        return "\033[%sm%s\033[0m" % (COLOURS[colour], text) if self.colours and colour else text

    def line(self, text=""):
        if not self.unicode:
            text = (text.replace("└─", "`-").replace("├─", "|-").replace("│", "|").replace("×", "x")
                    .replace("…", "..."))
        print(text, file=self.stream)

    def heading(self, text):
        self.line()
        self.line(self.paint("bold", text))

    def table(self, head, rows, left=(0,), colours=None, indent=""):
        """rows: lists of str. left: the columns that are set left. colours: {(row, column): colour}."""
        widths = [max(width(str(row[i])) for row in [head] + rows) for i in range(len(head))]
        for number, row in enumerate([head] + rows):
            cells = []
            for i, cell in enumerate(row):
                pad = " " * (widths[i] - width(cell))
                last = i == len(row) - 1
                text = self.paint("dim" if number == 0 else (colours or {}).get((number - 1, i)), cell)
                cells.append(text + ("" if last else pad) if i in left else pad + text)
            self.line(indent + "  ".join(cells).rstrip())


def width(text):
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def clean(text):
    """No control characters, no changes of direction: one line of print."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else
                   "\\n" if c == "\n" else "\\x%02x" % ord(c) if ord(c) < 256 else "\\u%04x" % ord(c) for c in text)


def shorten(text, most):
    return text if width(text) <= most else text[:max(1, most - 1)] + "…"


def columns():
    return shutil.get_terminal_size((100, 24)).columns


# ------------------------------------------------------------------------------------------------------ numbers

def number(n):
    """12 345 678."""
    return format(n, ",").replace(",", " ")


def count(n, one, many=None):
    return "%s %s" % (number(n), one if n == 1 else many or one + "s")


def seconds(value):
    """Three digits that matter: 1.23 ms, 0.150 s, 12.3 s, 4 min 12 s."""
    if value is None:
        return "-"
    size = abs(value)
    if size == 0:
        return "0 s"
    if size < 1e-3:
        return "%.3g us" % (value * 1e6) if size >= 1e-6 else "%.3g ns" % (value * 1e9)
    if size < 0.1:
        return "%.3g ms" % (value * 1e3)
    if size < 1:
        return "%.3f s" % value
    if size < 100:
        return "%.4g s" % value
    return span(value)


def span(value):
    """4 min 12 s, 3 h 07 min, 2 days 4 h."""
    whole = int(round(value))
    if whole < 60:
        return "%.3g s" % value
    if whole < 3600:
        return "%d min %02d s" % divmod(whole, 60)
    if whole < 86400:
        return "%d h %02d min" % divmod(whole // 60, 60)
    days, rest = divmod(whole, 86400)
    return "%d day%s %d h" % (days, "" if days == 1 else "s", rest // 3600)


def percent(share):
    return "%.0f %%" % (share * 100) if share >= 0.0995 or share == 0 else "%.1f %%" % (share * 100)


def clock(when, with_day=True):
    """Seconds since 1970 as UTC."""
    if when is None:
        return "-"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S" if with_day else "%H:%M:%S", time.gmtime(when))
    except (OverflowError, ValueError, OSError):
        return "-"


# ----------------------------------------------------------------------------------------------------- progress

class Progress:
    """A bar on stderr while bytes are read; nothing when that is no terminal, or when it is over at once."""

    def __init__(self, total, what="reading"):
        self.total, self.what = total, what
        self.done = 0
        self.start = self.last = time.monotonic()
        self.on = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.drawn = False

    def __call__(self, size):
        self.done += size
        now = time.monotonic()
        if self.on and now - self.last > 0.1 and now - self.start > 0.3:
            self.last = now
            self.draw(now)

    def draw(self, now):
        rate = self.done / max(now - self.start, 1e-3)
        if self.total:
            share = min(self.done / self.total, 1.0)
            bar = int(share * 30)
            left = (self.total - self.done) / rate if rate else 0
            text = "%s [%s%s] %3.0f %%, %.0f MB/s, %s left" % (self.what, "#" * bar, "." * (30 - bar), share * 100,
                                                             rate / 1e6, span(max(left, 0)))
        else:
            text = "%s %.0f MB, %.0f MB/s" % (self.what, self.done / 1e6, rate / 1e6)
        sys.stderr.write("\r\033[K" + text[:max(columns() - 1, 20)])
        sys.stderr.flush()
        self.drawn = True

    def close(self):
        if self.drawn:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self.drawn = False
