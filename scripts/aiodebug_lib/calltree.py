# SPDX-License-Identifier: MIT
"""Stacks merged from the root: where many of them come from, at one look.

A node is a frame under its callers; its count and seconds are those of all stacks through it. As Seastar's
stall analyser prints them: a chain of single callees stays a plain list, a branch is marked with its share, and
what has less than a threshold of the whole is only counted.
"""

from .model import frame_name

NODES_MAX = 100000
DEEPEST = 256


class Node:
    __slots__ = ("name", "count", "seconds", "below")

    def __init__(self, name):
        self.name = name
        self.count = 0
        self.seconds = 0.0
        self.below = {}  # name -> Node


class CallTree:
    def __init__(self):
        self.root = Node("")
        self.nodes = 0

    def add(self, frames, count, seconds=0.0):
        """frames: of one stack, oldest first."""
        self.add_names([frame_name(frame) for frame in frames[:DEEPEST]], count, seconds)

    def add_names(self, names, count, seconds=0.0):
        node = self.root
        node.count += count
        node.seconds += seconds
        for name in names:
            child = node.below.get(name)
            if child is None:
                if self.nodes >= NODES_MAX:
                    return
                child = node.below[name] = Node(name)
                self.nodes += 1
            child.count += count
            child.seconds += seconds
            node = child

    def merge(self, other):
        self._merge(self.root, other.root)

    def _merge(self, mine, theirs):
        mine.count += theirs.count
        mine.seconds += theirs.seconds
        for name, child in theirs.below.items():
            own = mine.below.get(name)
            if own is None:
                if self.nodes >= NODES_MAX:
                    continue
                own = mine.below[name] = Node(name)
                self.nodes += 1
            self._merge(own, child)

    def lines(self, threshold=0.03, by_seconds=False):
        """(prefix, share or None, name, node) for each line to print; name None: what was left out, node its sum.
        threshold: share of the whole below which a branch is left out."""
        def weigh(node):
            return node.seconds if by_seconds else node.count

        whole = weigh(self.root)
        if whole > 0:
            yield from self._lines(self.root, "", weigh, whole, threshold)

    def _lines(self, node, indent, weigh, whole, threshold):
        children = sorted(node.below.values(), key=lambda n: (-weigh(n), n.name))
        shown = [child for child in children if weigh(child) >= threshold * whole]
        hidden = children[len(shown):]
        ends_here = weigh(node) - sum(weigh(child) for child in children)
        branching = len(children) > 1 or bool(children) and node.name and ends_here > 1e-9 * whole
        for position, child in enumerate(shown):
            last = position == len(shown) - 1 and not hidden
            if branching:
                yield indent + ("└─ " if last else "├─ "), weigh(child) / whole, child.name, child
                below = indent + ("   " if last else "│  ")
            else:
                yield indent, None, child.name, child
                below = indent
            yield from self._lines(child, below, weigh, whole, threshold)
        if hidden:
            rest = Node(None)
            rest.count, rest.seconds = sum(n.count for n in hidden), sum(n.seconds for n in hidden)
            yield indent + "└─ ", weigh(rest) / whole, None, rest

    def as_json(self, node=None):
        node = node or self.root
        return [{"frame": child.name, "count": child.count, "seconds": round(child.seconds, 9),
                 "below": self.as_json(child)}
                for child in sorted(node.below.values(), key=lambda n: (-n.count, n.name))]
