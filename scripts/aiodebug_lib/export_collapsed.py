# SPDX-License-Identifier: MIT
"""Brendan Gregg's collapsed stacks: `program;thread;callback;function 1234`, a line for each stack, in whole
microseconds (flamegraph.pl takes whole numbers only), or with --weight=count in numbers of records."""

from .export_samples import Sampler, counted_path
from .report_trees import flame_name


def word(name):
    """A semicolon would part the name, a newline the line; lone surrogates are no UTF-8."""
    return " ".join(name.replace(";", ":").split()).encode("utf-8", "replace").decode() or "?"


class Writer:
    def __init__(self, args):
        self.by_count = args.weight == "count"
        self.sampler = Sampler()
        self.names = {}  # path -> words
        self.stacks = {}

    def add(self, record):
        if self.by_count:
            path, weight = counted_path(record), record.weight
        else:
            sample = self.sampler.sample(record)
            if not sample:
                return
            path, weight = sample.path, sample.seconds
        names = self.names.get(path)
        if names is None:
            names = tuple(word(flame_name(f)) for f in path)
            if len(self.names) < 65536:
                self.names[path] = names
        first = [word(record.check or "report")] if self.by_count else []
        key = (word(record.program or "?"), word(record.thread or str(record.tid or "?")), *first, *names)
        self.stacks[key] = self.stacks.get(key, 0) + weight

    def write(self, out):
        for key, weight in sorted(self.stacks.items()):
            whole = weight if self.by_count else round(weight * 1e6)
            if whole > 0:
                out.write(("%s %d\n" % (";".join(key), whole)).encode())
