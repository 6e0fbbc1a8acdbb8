# SPDX-License-Identifier: MIT
"""Work that several processes share, each of which sends back one value."""

import multiprocessing
import sys

from . import Failure


class Shared:
    """What all of them count."""

    def __init__(self, context):
        self.numbers = context.Array("q", 2)

    def take(self):
        """0, 1, 2, ...: each to one of them."""
        return self.add(0, 1)

    def read(self, size):
        """So many bytes more."""
        self.add(1, size)

    def add(self, index, more):
        with self.numbers.get_lock():
            before = self.numbers[index]
            self.numbers[index] = before + more
        return before


def gather(task, jobs, progress):
    """The values of task(job, shared), each from a process of its own, in the order of the jobs: who is ready early
    waits. progress() is told what they read. A Failure there is one here."""
    context = multiprocessing.get_context("fork")
    shared, crew, seen = Shared(context), [], 0
    sys.stdout.flush()
    for job in jobs:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(task, job, shared, there), daemon=True)
        process.start()
        there.close()
        crew.append((process, here))
    for _, channel in crew:
        while not channel.poll(0.1):
            read = shared.numbers[1]
            progress(read - seen)
            seen = read
        try:
            value = channel.recv()
        except EOFError:
            raise Failure("a worker process ended before its work did") from None
        if isinstance(value, Failure):
            raise value
        yield value
    for process, _ in crew:
        process.join()


def work(task, job, shared, channel):
    try:
        channel.send(task(job, shared))
    except Failure as failure:
        channel.send(failure)
    except KeyboardInterrupt:
        pass
    finally:
        channel.close()
