# SPDX-License-Identifier: MIT
"""What has changed between two logs, or two sets of logs: places that are new, gone, worse or better. A place is a
function and its file; that its line has moved is no change."""

import json
import os
import re
import sys

from . import Failure, filters, parallel, terminal
from .reader import checked, expand
from .terminal import Screen, clean, seconds

HELP = "what is new, gone, better or worse; its status is for CI"
EXAMPLES = """\
examples:
  aiodebug diff yesterday.jsonl today.jsonl
  aiodebug diff 'main/*.jsonl' 'branch/*.jsonl' --fail-on=new
  aiodebug diff old.jsonl new.jsonl --check=slow-callback --ratio=2 --json

The status is 0 when nothing of --fail-on (new and worse, unless told otherwise) was found, 1 when something was, and
2 when a log cannot be opened. A place is worse when it was reported more than --ratio times as often as before, or
took more than --ratio times as long on average."""

KINDS = ("new", "worse", "better", "gone", "same")
COLOURS = {"new": "red", "worse": "red", "better": "green", "gone": "green"}
LINE = re.compile(r"(\.[A-Za-z]{1,4}):\d+\)$")


def add_arguments(parser):
    parser.add_argument("old", metavar="OLD", help="a log, or a pattern in quotes for several")
    parser.add_argument("new", metavar="NEW", help="likewise")
    filters.add_arguments(parser)
    parser.add_argument("--ratio", type=float, default=1.5, metavar="X",
                        help="how many times as often or as long counts as a change (1.5)")
    parser.add_argument("--slack", type=int, default=2, metavar="N",
                        help="a count that differs by no more than this is the same (2)")
    parser.add_argument("--fail-on", default="new,worse", metavar="KIND,...",
                        help="kinds that make the status 1: new, gone, better, worse, none (new,worse)")
    parser.add_argument("--per-second", action="store_true",
                        help="compare counts per second of log, for logs that are of different length")
    parser.add_argument("--all", action="store_true", help="list what has stayed the same too")
    parser.add_argument("--json", action="store_true", help="one JSON object")


class Side:
    """A place in one of the two logs."""

    def __init__(self):
        self.count, self.seconds, self.timed, self.most = 0, 0.0, 0, 0.0

    @property
    def average(self):
        return self.seconds / self.timed if self.timed else None

    def as_json(self):
        return {"count": self.count, "average": self.average and round(self.average, 9),
                "longest": round(self.most, 9) if self.timed else None}


def main(args):
    kinds = args.fail_on.split(",")
    for kind in kinds:
        if kind not in KINDS + ("none",):
            raise Failure("--fail-on=%s: known are new, gone, better, worse and none" % kind)
    if args.ratio < 1 or args.slack < 0:
        raise Failure("--ratio is 1 or more, --slack 0 or more")
    wanted = filters.filter_from(args)
    for path in (args.old, args.new):  # both, before either is read
        checked(expand([path]))
    old, new = (parallel.tally_logs([path], wanted) for path in (args.old, args.new))
    changes = compare(old, new, args)
    if args.json:
        json.dump(as_json(changes, args), sys.stdout, indent=2)
        print()
    else:
        show(changes, args)
    for tally in (old, new):
        tally.damage.tell()
    return int(any(kind in kinds for kind, *_ in changes))


def sides(tally):
    """(check, place without its line) -> Side."""
    found = {}
    for slug, check in tally.checks.items():
        for name, spot in check.places.items():
            side = found.setdefault((slug, LINE.sub(r"\1)", name)), Side())
            side.count += spot.weight
            side.seconds += spot.seconds
            side.timed += spot.timed
            side.most = max(side.most, spot.most)
    return found


def length(tally):
    return max(tally.last - tally.first, 1.0) if tally.first is not None else 1.0


def compare(old, new, args):
    """(kind, check, place, old Side, new Side), the worst first."""
    before, after = sides(old), sides(new)
    scale = length(new) / length(old) if args.per_second else 1.0
    changes = []
    for key in before.keys() | after.keys():
        was, now = before.get(key), after.get(key)
        if was is None or now is None:
            kind = "new" if was is None else "gone"
        else:
            kind = judge(was, now, scale, args)
        changes.append((kind,) + key + (was or Side(), now or Side()))
    changes.sort(key=lambda c: (KINDS.index(c[0]), -max(c[3].seconds, c[4].seconds), -max(c[3].count, c[4].count), c[1:3]))
    return changes


def judge(was, now, scale, args):
    expected = was.count * scale
    more = now.count > expected * args.ratio and now.count - expected > args.slack
    less = now.count * args.ratio < expected and expected - now.count > args.slack
    slower = was.average and now.average and now.average > was.average * args.ratio
    faster = was.average and now.average and now.average * args.ratio < was.average
    if more or slower:
        return "worse"
    return "better" if less or faster else "same"


def how(was, now):
    """The change in words: counts, and average times where there are any."""
    text = "%s -> %s" % (terminal.number(was.count), terminal.number(now.count))
    if was.average is not None or now.average is not None:
        text += ", %s -> %s on average" % (seconds(was.average), seconds(now.average))
    return text


def show(changes, args):
    screen = Screen()
    shown = [change for change in changes if args.all or change[0] != "same"]
    if shown:
        rows = [[kind, clean(slug), how(was, now), clean(name)] for kind, slug, name, was, now in shown]
        screen.table(["", "check", "count", "where"], rows, (0, 1, 2, 3),
                     {(n, 0): COLOURS.get(change[0]) for n, change in enumerate(shown)})
        screen.line()
    sums = [(sum(change[0] == kind for change in changes), kind) for kind in KINDS]
    screen.line("%s: %s" % (" and ".join(clean(os.path.basename(path)) for path in (args.old, args.new)),
                            ", ".join("%s %s" % (terminal.number(n), kind) for n, kind in sums if n) or "nothing"))


def as_json(changes, args):
    found = {kind: [] for kind in KINDS}
    for kind, slug, name, was, now in changes:
        found[kind].append({"check": slug, "place": name, "old": was.as_json(), "new": now.as_json()})
    if not args.all:
        found["same"] = len(found["same"])
    return found
