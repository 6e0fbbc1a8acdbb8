# SPDX-License-Identifier: MIT
"""Durations in constant memory.

Up to EXACT values are kept, and every figure is exact. From then on quantiles come from a histogram whose
buckets are 1 % wide, each answered by its middle, so that a quantile is off by half a percent at most; count,
total, minimum, average and maximum stay exact. Two of them can be merged, in any order, with the same result.

Of repeats a log tells only how many there were, how long they took together and at most: these are in count, total,
average and maximum, and not among the `measured` ones, of which minimum and quantiles are.
"""

import math
from array import array

EXACT = 10000
GROWTH = 1.01  # upper end of a bucket / its lower end
ERROR = math.sqrt(GROWTH) - 1  # of a quantile, relative
LEAST = 1e-9  # seconds; what is less shares a bucket
_log_growth = math.log(GROWTH)


class Durations:
    __slots__ = ("count", "measured", "total", "least", "most", "values", "buckets")

    def __init__(self):
        self.count = self.measured = 0
        self.total = 0.0
        self.least, self.most = math.inf, -math.inf
        self.values = array("d")
        self.buckets = None  # index -> how many, once there are too many values

    def add(self, seconds):
        self.extend((seconds,))

    def extend(self, values):
        if not values:
            return
        self.add_repeats(len(values), math.fsum(values), max(values))
        self.least = min(self.least, min(values))
        self.keep(values)

    def add_repeats(self, count, total, most):
        """So many of which nothing else is known."""
        self.count += count
        self.total += total
        self.most = max(self.most, most)

    def keep(self, values):
        self.measured += len(values)
        if self.buckets is None:
            self.values.extend(values)
            if len(self.values) <= EXACT:
                return
            values, self.values, self.buckets = self.values, array("d"), {}
        self.fill(values)

    def fill(self, values):
        buckets, log, floor = self.buckets, math.log, math.floor
        for value in values:
            index = floor(log(value) / _log_growth) if value > LEAST else floor(log(LEAST) / _log_growth)
            buckets[index] = buckets.get(index, 0) + 1

    def merge(self, other):
        self.add_repeats(other.count, other.total, other.most)
        self.least = min(self.least, other.least)
        if other.buckets is None:
            self.keep(other.values)
            return
        if self.buckets is None:
            values, self.values, self.buckets = self.values, array("d"), {}
            self.fill(values)
        self.measured += other.measured
        for index, count in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + count

    @property
    def exact(self):
        return self.buckets is None

    @property
    def average(self):
        return self.total / self.count if self.count else None

    def quantile(self, q):
        """The smallest value that at least the share q of all do not exceed (nearest rank); None: no values."""
        return self.quantiles((q,))[0]

    def quantiles(self, shares):
        if not self.measured:
            return [None] * len(shares)
        ranks = [max(1, math.ceil(q * self.measured)) for q in shares]
        if self.buckets is None:
            ordered = sorted(self.values)
            return [ordered[rank - 1] for rank in ranks]
        found, passed = {}, 0
        for index in sorted(self.buckets):
            passed += self.buckets[index]
            middle = math.exp((index + 0.5) * _log_growth)
            for rank in ranks:
                if rank <= passed:
                    found.setdefault(rank, min(max(middle, self.least), self.most))
        return [found[rank] for rank in ranks]

    def figures(self):
        """What a table of durations shows, as a dict in its order; seconds."""
        median, p95, p99 = self.quantiles((0.5, 0.95, 0.99))
        return {"count": self.count, "total": self.total, "min": self.least if self.measured else None,
                "average": self.average, "median": median, "p95": p95, "p99": p99,
                "max": self.most if self.count else None, "measured": self.measured,
                "quantile_error": 0 if self.exact else ERROR}
