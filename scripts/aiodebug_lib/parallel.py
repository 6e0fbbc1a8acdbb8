# SPDX-License-Identifier: MIT
"""A tally of many or large logs, by as many processes as there are processors.

Large files of JSON Lines are cut into pieces at the ends of lines. Text, gzip and standard input cannot be cut, and
are read by one process each. Each worker makes one tally of all the pieces that it took, so that little has to be
sent back.
"""

import os
import stat

from . import crew
from .reader import BLOCK, Damage, LogFile, checked, expand
from .tally import Tally
from .terminal import Progress

PIECE = 16 << 20
WORTH = 8 << 20  # bytes from which a second process pays


class Piece:
    """Lines of a file that begin at start or later and before end; None: the whole file, of any kind."""

    def __init__(self, name, start=None, end=None):
        self.name, self.start, self.end = name, start, end


def pieces_of(names):
    """(pieces, bytes in all or None)."""
    pieces, total = [], 0
    for name in names:
        size = cuttable_size(name)
        if size is None or size < WORTH:
            pieces.append(Piece(name))
        else:
            pieces += [Piece(name, at, min(at + PIECE, size)) for at in range(0, size, PIECE)]
        try:
            state = os.stat(name)
            total = total + state.st_size if total is not None and stat.S_ISREG(state.st_mode) else None
        except OSError:
            total = None
    return pieces, total


def cuttable_size(name):
    """Of a plain file of JSON Lines; None: it is something else, or has holes."""
    try:
        state = os.stat(name)
        if name == "-" or not stat.S_ISREG(state.st_mode) or state.st_blocks * 512 + BLOCK < state.st_size:
            return None
        with open(name, "rb") as file:
            return state.st_size if file.read(1) == b"{" else None
    except OSError:
        return None


class PieceFile(LogFile):
    """A LogFile that stops after the line in which its end lies, and leaves out the line in which its start does
    unless that is the line's first byte."""

    def __init__(self, piece, damage, decoder, progress):
        super().__init__(piece.name, damage, decoder, progress, start=piece.start or 0)
        self.stop = piece.end

    def blocks(self, fd):
        if self.stop is None:
            yield from super().blocks(fd)
            return
        at = self.start
        if at:
            at -= 1  # the newline before a line that begins right at the start
        first = bool(at)
        while at < self.stop:
            block = os.pread(fd, min(BLOCK, self.stop - at), at)
            if not block:
                return
            at += len(block)
            self.progress(len(block))
            if first:
                cut = block.find(b"\n")
                if cut < 0:
                    continue
                block, first = block[cut + 1:], False
            yield block
        if first or ended_at(fd, self.stop):
            return
        while True:  # the rest of the last line
            block = os.pread(fd, 65536, at)
            cut = block.find(b"\n")
            yield block if cut < 0 else block[:cut + 1]
            at += len(block)
            if cut >= 0 or not block:
                return


def ended_at(fd, at):
    return at > 0 and os.pread(fd, 1, at - 1) == b"\n"


def tally_piece(tally, piece, progress):
    """Adds one piece; gives the number of its lines and what was damaged in it."""
    damage = Damage()
    file = PieceFile(piece, damage, tally.decoder, progress)
    for _ in file.read(tally):
        pass
    return file.number, damage


def tally_logs(paths, filters=None, processes=None):
    """The Tally of all these logs."""
    pieces, total = pieces_of(checked(expand(paths)))
    workers = min(processes or len(os.sched_getaffinity(0)), len(pieces))
    progress = Progress(total)
    try:
        if workers <= 1 or total is not None and total < WORTH:
            tally, told = Tally(filters), {}
            for index, piece in enumerate(pieces):
                told[index] = tally_piece(tally, piece, progress)
        else:
            tally, told = tally_in_parallel(pieces, filters, workers, progress)
    finally:
        progress.close()
    tally.fold()
    collect_damage(tally.damage, ((piece,) + told[index] for index, piece in enumerate(pieces)))
    return tally


def tally_in_parallel(pieces, filters, workers, progress):
    """Each worker takes pieces until there are none."""
    def work(_, shared):
        tally, told = Tally(filters), {}
        while (index := shared.take()) < len(pieces):
            told[index] = tally_piece(tally, pieces[index], shared.read)
        return tally, told

    tally, told = Tally(filters), {}
    for theirs, told_there in crew.gather(work, range(workers), progress):
        tally.merge(theirs)
        told.update(told_there)
    return tally, told


def collect_damage(damage, told):
    """told: of each piece, in order: the piece, the number of its lines, what was damaged in it. Numbers of lines count
    from the piece; here they are made to count from the file."""
    lines = {}
    for piece, number, theirs in told:
        before = lines.get(piece.name, 0)
        for (source, kind), (count, line) in theirs.found.items():
            damage.add(source, kind, line + before if line else line, count)
        lines[piece.name] = before + number
