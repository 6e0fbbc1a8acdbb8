# SPDX-License-Identifier: MIT
"""What the page's timeline is drawn from: lanes (one for each thread that had a loop), and in them intervals and
points in time.

Memory is a few machine words a record. The longest intervals and the gravest points are given one by one; where
there are more than a page can hold, the rest is given as density: how much of each small slice of time was
covered, and how many there were.
"""

from array import array

from .export_samples import process_of
from .report_words import MARKS, ROW_OF

ITEMS_MAX = 6000  # given one by one, of intervals and of points each
SLICES = 1200
LANES_MAX = 48
LEVEL_RANK = {"DEBUG": 0, "INFO": 1, "WARNING": 2, "ERROR": 3, "CRITICAL": 4}


class Timeline:
    def __init__(self):
        self.lanes = {}  # (process, tid) -> number
        self.about = []  # of each lane: [process, tid, name of the thread, seconds blocked, items]
        self.start, self.length = array("d"), array("d")
        self.lane, self.row, self.rank = array("i"), array("b"), array("b")
        self.group = array("i")
        self.hangs = {}  # lane -> (start, item) of the hang that is being reported

    def lane_of(self, record, process):
        key = (process, record.tid)
        number = self.lanes.get(key)
        if number is None:
            number = self.lanes[key] = len(self.about)
            self.about.append([process, record.tid, record.thread, 0.0, 0])
        return number

    def add(self, record, group, blocked):
        """group: the number of the record's group; blocked: seconds of it that no other record has told."""
        process = process_of(record)
        number = self.lane_of(record, process)
        about = self.about[number]
        about[3] += blocked
        about[4] += 1
        if record.when is None or record.repeats is not None:
            return number
        row = ROW_OF.get(record.check, MARKS)
        seconds = record.seconds
        if row == MARKS or seconds is None or seconds < 0:
            seconds, row = 0.0, MARKS
        start = record.when - seconds
        if record.check == "loop-hang":
            # Told again and again while it lasts: one interval that grows.
            known = self.hangs.get(number)
            if known and abs(self.start[known] - start) < max(0.05, 0.02 * seconds):
                self.length[known] = max(self.length[known], record.when - self.start[known])
                return number
            self.hangs[number] = len(self.start)
        self.start.append(start)
        self.length.append(seconds)
        self.lane.append(number)
        self.row.append(row)
        self.rank.append(LEVEL_RANK.get(record.level, 2))
        self.group.append(group)
        return number

    def merge_lanes(self, other):
        """The other's numbers of lanes -> ours; lanes that are not here yet are added."""
        numbers = []
        for key, theirs in other.lanes.items():
            process, tid, thread, blocked, items = other.about[theirs]
            number = self.lanes.get(key)
            if number is None:
                number = self.lanes[key] = len(self.about)
                self.about.append([process, tid, thread, 0.0, 0])
            self.about[number][3] += blocked
            self.about[number][4] += items
            numbers.append(number)
        return numbers

    def merge(self, other, lanes, groups):
        """Adds the items of a later part."""
        for mine, theirs in ((self.start, other.start), (self.length, other.length), (self.row, other.row),
                             (self.rank, other.rank)):
            mine.extend(theirs)
        self.lane.extend(array("i", map(lanes.__getitem__, other.lane)))
        self.group.extend(array("i", map(groups.__getitem__, other.group)))

    def choose_lanes(self):
        """The lanes that the page gets, in the order of their first record -> which rank each has by what it shows."""
        order = sorted(range(len(self.about)), key=lambda n: (-self.about[n][3], -self.about[n][4], n))[:LANES_MAX]
        ranks = {lane: rank for rank, lane in enumerate(order)}
        return {lane: ranks[lane] for lane in sorted(order)}

    def finish(self, groups, lanes):
        """groups: number of a group -> number on the page, or -1; lanes: the chosen ones."""
        place = {lane: i for i, lane in enumerate(lanes)}
        n = len(self.start)
        shown = [i for i in range(n) if self.lane[i] in place]
        if not shown:
            return {"t0": 0, "t1": 0, "items": {}, "density": []}
        t0 = min(self.start[i] for i in shown)
        t1 = max(self.start[i] + self.length[i] for i in shown)
        length, row, rank = self.length, self.row, self.rank
        spans = [i for i in shown if row[i] != MARKS]
        marks = [i for i in shown if row[i] == MARKS]
        rest = []
        if len(spans) > ITEMS_MAX:
            spans.sort(key=lambda i: (-rank[i], -length[i]))
            rest += spans[ITEMS_MAX:]
            del spans[ITEMS_MAX:]
        if len(marks) > ITEMS_MAX:
            marks.sort(key=lambda i: -rank[i])
            rest += marks[ITEMS_MAX:]
            del marks[ITEMS_MAX:]
        kept = sorted(spans + marks, key=lambda i: self.start[i])
        micro = [round((self.start[i] - t0) * 1e6) for i in kept]
        return {
            "t0": round(t0, 6), "t1": round(t1, 6), "slices": SLICES, "merged": len(rest),
            "items": {
                # Differences are shorter to write than times.
                "start": [b - a for a, b in zip([0] + micro, micro)],
                "length": [round(length[i] * 1e6) for i in kept],
                "lane": [place[self.lane[i]] for i in kept],
                "row": [row[i] for i in kept],
                "level": [rank[i] for i in kept],
                "group": [groups.get(self.group[i], -1) for i in kept],
            },
            "density": self.density(rest, place, t0, t1),
        }

    def density(self, rest, place, t0, t1):
        """Of what is not given one by one, for each lane and row: slice, thousandths covered, how many."""
        width = max(t1 - t0, 1e-6) / SLICES
        cells = {}
        for i in rest:
            first = min(SLICES - 1, int((self.start[i] - t0) / width))
            end = self.start[i] + self.length[i] - t0
            row = cells.setdefault((place[self.lane[i]], self.row[i]), {})
            cell = row.get(first)
            if cell is None:
                cell = row[first] = [0.0, 0]
            cell[1] += 1
            at, slice_ = self.start[i] - t0, first
            while at < end and slice_ < SLICES:
                edge = min(end, (slice_ + 1) * width)
                cell = row.setdefault(slice_, [0.0, 0])
                cell[0] += max(0.0, edge - at)
                at, slice_ = edge, slice_ + 1
        return [{"lane": lane, "row": row,
                 "cells": [[s, min(1000, round(1000 * c[0] / width)), c[1]] for s, c in sorted(row_cells.items())]}
                for (lane, row), row_cells in sorted(cells.items())]
