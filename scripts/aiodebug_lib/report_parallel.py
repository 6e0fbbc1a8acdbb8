# SPDX-License-Identifier: MIT
"""Collects a large log by as many processes as there are processors.

Each gets one part of the log, so that what it finds can be put behind what the one before it has found. Before its
part it reads a little of what comes before, only to know which time is counted already: a blocking call lies in the
part before when the callback around it ends in this one.
"""

import os

from . import crew, filters, parallel, reader
from .export_samples import collect
from .report_data import Collector
from .terminal import Progress

BEFORE = 2 << 20  # bytes


def shares(pieces, workers):
    """The pieces in order, in as many parts of about the same size."""
    total = sum(size_of(piece) for piece in pieces)
    parts, at = [[]], 0
    for piece in pieces:
        if at >= total * len(parts) / workers and parts[-1]:
            parts.append([])
        parts[-1].append(piece)
        at += size_of(piece)
    return parts


def size_of(piece):
    if piece.start is not None:
        return piece.end - piece.start
    try:
        return os.stat(piece.name).st_size
    except OSError:
        return 0


def joined(pieces):
    """Pieces of a file that follow one another as one."""
    result = []
    for piece in pieces:
        last = result[-1] if result else None
        if last and last.name == piece.name and last.end is not None and last.end == piece.start:
            last.end = piece.end
        else:
            result.append(piece)
    return result


def collect_part(collector, pieces, wanted, progress):
    """Adds these pieces; for each: the piece, the number of its lines, what was damaged."""
    told = []
    decoder = reader.Decoder()
    for piece in pieces:
        if piece.start:
            before = parallel.Piece(piece.name, max(0, piece.start - BEFORE), piece.start)
            for record in parallel.PieceFile(before, reader.Damage(), decoder, lambda size: None).read():
                if wanted is None or wanted.wants(record):
                    collector.sampler.sample(record)
        damage = reader.Damage()
        file = parallel.PieceFile(piece, damage, decoder, progress)
        for record in file.read():
            if wanted is None or wanted.wants(record):
                collector.add(record)
        told.append((piece, file.number, damage))
    return told


def collect_all(logs, args, collector):
    """Everything the arguments want, into the collector; damage is told, and kept in logs.damage."""
    pieces, total = parallel.pieces_of(logs.names)
    workers = len(os.sched_getaffinity(0))
    if workers <= 1 or len(pieces) <= 1 or total is not None and total < parallel.WORTH:
        collect(logs, args, collector.add)
        return
    wanted = filters.filter_from(args)

    def work(part, shared):
        theirs = Collector()
        return theirs, collect_part(theirs, part, wanted, shared.read)

    progress, told = Progress(total), []
    try:
        for theirs, told_there in crew.gather(work, [joined(part) for part in shares(pieces, workers)], progress):
            collector.merge(theirs)
            told += told_there
    finally:
        progress.close()
    parallel.collect_damage(logs.damage, told)
    logs.damage.tell()
