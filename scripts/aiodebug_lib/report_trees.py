# SPDX-License-Identifier: MIT
"""Trees of frames with a weight, for the page's flame graphs.

A node of the page is [name, weight, children]; names are numbers in a list of their own. A frame's name is its
function and place without the line, so that two lines of one function are one node, as flame graphs have it.
"""

from .model import frame_place

NODES_MAX = 12000
DEPTH_MAX = 96


def flame_name(frame):
    if frame.function:
        if frame.file:
            return "%s  %s" % (frame.function, frame.file.rsplit("/", 1)[-1])
        if frame.module:
            return "%s  %s" % (frame.function, frame.module.rsplit("/", 1)[-1])
        return frame.function
    return frame_place(frame)


class Tree:
    """Nodes are [weight of itself and below, children by name]."""

    def __init__(self):
        self.root = [0.0, {}]
        self.names = {}  # of a path: what was computed for it, since many records share one

    def add(self, first, path, weight):
        """first: names of nodes above the path; path: a tuple of frames, outermost first."""
        names = self.names.get(path)
        if names is None:
            names = tuple(flame_name(f) for f in path[:DEPTH_MAX])
            if len(self.names) < 65536:
                self.names[path] = names
        node = self.root
        node[0] += weight
        for name in first:
            child = node[1].get(name)
            if child is None:
                child = node[1][name] = [0.0, {}]
            child[0] += weight
            node = child
        for name in names:
            child = node[1].get(name)
            if child is None:
                child = node[1][name] = [0.0, {}]
            child[0] += weight
            node = child

    def merge(self, other):
        stack = [(self.root, other.root)]
        while stack:
            mine, theirs = stack.pop()
            mine[0] += theirs[0]
            for name, child in theirs[1].items():
                known = mine[1].get(name)
                if known is None:
                    mine[1][name] = child
                else:
                    stack.append((known, child))

    def __getstate__(self):
        return {"root": self.root, "names": {}}

    def threshold(self):
        """Below it nodes are left out, so that what is left has at most NODES_MAX nodes."""
        weights, stack = [], [self.root]
        while stack:
            weight, children = stack.pop()
            weights.append(weight)
            stack.extend(children.values())
        if len(weights) <= NODES_MAX:
            return 0.0
        weights.sort(reverse=True)
        return weights[NODES_MAX]

    def finish(self, digits):
        """(names, tree) of the page. Children are ordered by name, so that equal trees look alike."""
        least = self.threshold()
        names, numbers = [], {}

        def number(name):
            if name not in numbers:
                numbers[name] = len(names)
                names.append(name)
            return numbers[name]

        def node(name, entry):
            weight, children = entry
            kept = [node(n, c) for n, c in sorted(children.items()) if c[0] > least]
            return [number(name), round(weight, digits), kept]

        return names, node("all", self.root)
