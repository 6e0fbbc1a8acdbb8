# SPDX-License-Identifier: MIT
"""Collects a large log by as many processes as there are processors.

Each gets one part of the log, so that what it finds can be put behind what the one before it has found. Before its
part it reads a little of what comes before, only to know which time is counted already: a blocking call lies in the
part before when the callback around it ends in this one.
"""

import multiprocessing
import os
import sys

from . import Failure, filters, parallel, reader
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


def work(pieces, wanted, shared, channel):
    try:
        collector = Collector()

        def progress(size):
            with shared.get_lock():
                shared.value += size

        told = collect_part(collector, pieces, wanted, progress)
        channel.send((collector, told))
    except Failure as failure:
        channel.send(str(failure))
    except KeyboardInterrupt:
        pass
    finally:
        channel.close()


def collect_all(logs, args, collector):
    """Everything the arguments want, into the collector; damage is told, and kept in logs.damage."""
    pieces, total = parallel.pieces_of(logs.names)
    workers = len(os.sched_getaffinity(0))
    if workers <= 1 or len(pieces) <= 1 or total is not None and total < parallel.WORTH:
        collect(logs, args, collector.add)
        return
    parts = [joined(part) for part in shares(pieces, workers)]
    context = multiprocessing.get_context("fork")
    shared = context.Value("q", 0)
    wanted = filters.filter_from(args)
    sys.stdout.flush()
    crew = []
    for part in parts:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(part, wanted, shared, there), daemon=True)
        process.start()
        there.close()
        crew.append((process, here))
    progress, seen = Progress(total), 0
    told = []
    try:
        for process, channel in crew:  # in order; who is ready early waits
            while not channel.poll(0.1):
                progress(shared.value - seen)
                seen = shared.value
            try:
                answer = channel.recv()
            except EOFError:
                raise Failure("a worker process ended before its work did") from None
            if isinstance(answer, str):
                raise Failure(answer)
            collector.merge(answer[0])
            told += answer[1]
    finally:
        progress.close()
    for process, _ in crew:
        process.join()
    lines = {}  # numbers of lines count from the piece; told is from the file's beginning
    for piece, number, damage in told:
        before = lines.get(piece.name, 0)
        for (source, kind), (count, line) in damage.found.items():
            logs.damage.add(source, kind, line + before if line else line, count)
        lines[piece.name] = before + number
    logs.damage.tell()
