# SPDX-License-Identifier: MIT
"""What a log says, in numbers: how often each check was reported, from how many places and when; how long what was
slow took; the top places with the stacks that lead there; and by process, thread and loop."""

import json
import sys
import time

from . import filters, parallel, terminal
from .reader import open_logs
from .tally import OTHERS, Tally
from .terminal import Screen, clean, clock, percent, seconds, shorten, span

HELP = "how often, how long, from where: one log or many, in numbers"
EXAMPLES = """\
examples:
  aiodebug summary app.jsonl
  aiodebug summary 'logs/*.jsonl.gz' --since 15:30 --check slow-callback
  aiodebug summary --follow app.jsonl              again and again, as the log grows
  zcat old.gz | aiodebug summary - --json | jq '.checks["loop-hang"].count'

Logs may be JSON Lines or text (which knows less), compressed by gzip, and of several hosts. Lines that are damaged
are counted on stderr, and the others used; the status is 0 all the same unless --strict is given (1), and 2 when a
file cannot be opened. The count of a check is that of the objects its records stand for, repeats included, which a
log counts but does not show; of their durations it tells the sum and the longest, so that they are in total, average
and max, but not in min, median, p95 and p99 (nor anywhere, if the log is of an older version)."""

REFRESH = 1.0  # seconds between two pictures when following


def add_arguments(parser):
    parser.add_argument("logs", nargs="*", metavar="LOG", help="files or patterns; - or none: standard input")
    filters.add_arguments(parser)
    parser.add_argument("--top", type=int, default=5, metavar="N", help="places of each check to show (5)")
    parser.add_argument("--threshold", type=float, default=3, metavar="PERCENT",
                        help="branches of a tree of stacks with less than this are left out (3)")
    parser.add_argument("--no-stacks", action="store_true", help="without the stacks, merged from the root")
    parser.add_argument("--json", action="store_true", help="one JSON object with all of it")
    parser.add_argument("--follow", "-f", action="store_true", help="go on as the logs grow, until interrupted")
    parser.add_argument("--strict", action="store_true", help="status 1 when anything in the logs was damaged")


def main(args):
    wanted = filters.filter_from(args)
    if args.follow:
        return follow(args, wanted)
    tally = parallel.tally_logs(args.logs, wanted)
    show(tally, args)
    tally.damage.tell()
    return 1 if args.strict and tally.damage.serious() else 0


def show(tally, args, screen=None):
    if args.json:
        json.dump(as_json(tally, args), sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        Page(screen or Screen(), args).show(tally)


def follow(args, wanted):
    """On a terminal a new picture each second; elsewhere one, when interrupted."""
    tally = Tally(wanted)
    logs = open_logs(args.logs, follow=True)
    live = sys.stdout.isatty() and not args.json
    drawn, news = 0.0, True
    try:
        for record in logs:
            if record is not None:
                tally.add(record)
                news = True
            now = time.monotonic()
            if live and news and now - drawn > REFRESH:
                tally.fold()
                print("\033[H\033[2J", end="")
                show(tally, args)
                sys.stdout.flush()
                drawn, news = now, False
    except KeyboardInterrupt:
        pass
    tally.fold()
    if live:
        print("\033[H\033[2J", end="")
    show(tally, args)
    logs.damage.tell()
    return 1 if args.strict and logs.damage.serious() else 0


# --------------------------------------------------------------------------------------------------------- text

def by_weight(table):
    return sorted(table.items(), key=lambda item: (-item[1].weight, str(item[0])))


class Page:
    def __init__(self, screen, args):
        self.screen, self.args = screen, args
        self.width = max(terminal.columns(), 80) if screen.stream.isatty() else 110

    def show(self, tally):
        screen = self.screen
        screen.line(screen.paint("bold", terminal.count(tally.weight, "report") + " in "
                                 + terminal.count(tally.records, "record")) + self.whence(tally))
        if not tally.records:
            screen.line("Nothing was reported." if not self.args_filter() else "No record is wanted by these options.")
            return
        self.checks(tally)
        self.durations(tally)
        for slug, check in self.ordered(tally):
            self.places(slug, check)
        self.parties(tally)

    def args_filter(self):
        args = self.args
        return any(getattr(args, name, None) for name in ("since", "until", "check", "level", "grep"))

    @staticmethod
    def ordered(tally):
        return by_weight(tally.checks)

    @staticmethod
    def whence(tally):
        text = " of " + terminal.count(len(tally.processes), "process", "processes") if tally.processes else ""
        if tally.first is not None:
            text += ", %s to %s UTC (%s)" % (clock(tally.first), clock(tally.last, day(tally)),
                                             span(tally.last - tally.first))
        return text

    def checks(self, tally):
        rows, colours = [], {}
        for number, (slug, check) in enumerate(self.ordered(tally)):
            rows.append([slug, check.level, terminal.number(check.weight), places_of(check),
                         clock(check.first, day(tally)), clock(check.last, day(tally))])
            colours[number, 1] = terminal.LEVEL_COLOURS[check.level]
        self.screen.line()
        self.screen.table(["check", "level", "count", "places", "first", "last"], rows, (0, 1), colours)

    def durations(self, tally):
        timed = [(slug, check) for slug, check in self.ordered(tally) if check.durations.count]
        if not timed:
            return
        rows, inexact, unmeasured = [], False, False
        for slug, check in timed:
            figures = check.durations.figures()
            inexact = inexact or figures["quantile_error"] > 0
            unmeasured = unmeasured or figures["measured"] < figures["count"]
            rows.append([slug, terminal.number(figures["count"])] +
                        ["-" if figures[k] is None else seconds(figures[k]) for k in ("total", "min", "average", "median", "p95", "p99", "max")])
        self.screen.heading("How long")
        self.screen.table(["check", "count", "total", "min", "average", "median", "p95", "p99", "max"], rows)
        if unmeasured:
            self.screen.line(self.screen.paint("dim", "(min, median, p95 and p99 without the repeats, of which the log "
                                                      "tells the sum and the longest)"))
        if inexact:
            self.screen.line(self.screen.paint("dim", "(median, p95 and p99 of more than 10 000 values are within "
                                                      "0.5 %)"))

    def places(self, slug, check):
        screen = self.screen
        top = sorted(check.places.items(), key=lambda item: (-item[1].seconds, -item[1].weight, item[0]))
        shown = top[:max(self.args.top, 0)]
        if not shown:
            return
        screen.heading(clean(slug) + ("" if len(top) == len(shown) else
                                      ": the top %d of %s places" % (len(shown), places_of(check))))
        rows = []
        whole = check.durations.total
        for name, spot in shown:
            share = spot.seconds / whole if whole > 0 else spot.weight / check.weight
            row = [terminal.number(spot.weight), percent(share)]
            if whole > 0:
                row += [seconds(spot.seconds), seconds(spot.most)] if spot.timed else ["-", "-"]
            rows.append(row + [clean(name)])
        screen.table(["count", "share"] + (["total", "max"] if whole > 0 else []) + ["where"], rows, (len(rows[0]) - 1,))
        if OTHERS in check.places and len(top) > len(shown):
            screen.line("(places beyond the first %d were counted together)" % (len(check.places) - 1))
        if not self.args.no_stacks:
            self.tree(check)

    def tree(self, check):
        """The stacks of all places, merged from the root, unless they say nothing but the places."""
        lines = list(check.tree.lines(self.args.threshold / 100, check.durations.total > 0))
        if all(node.name in check.places for _, _, frame, node in lines if frame is not None):
            return
        self.screen.line(self.screen.paint("dim", "the stacks, merged from the root:"))
        for prefix, share, frame, node in lines:
            label = "%s " % percent(share) if share is not None else ""
            what = clean(frame) if frame is not None else "(less than %g %% each)" % self.args.threshold
            self.screen.line("    " + shorten(prefix + label + what, self.width - 4))

    def parties(self, tally):
        for title, table, name in (("By log", tally.logs, log_name), ("By process", tally.processes, process_name),
                                   ("By thread", tally.threads, thread_name), ("By loop", tally.loops, loop_name)):
            # Where each process has one thread, or one loop, a second table would say the same.
            if len(table) > 1 and (table is tally.logs or table is tally.processes or several(table)):
                self.party(title, table, name)

    def party(self, title, table, name):
        top = by_weight(table)
        shown = top[:max(self.args.top, 1) * 2]
        rows = [[terminal.number(party.weight), seconds(party.seconds) if party.seconds else "-",
                 shorten(clean(name(key)), 60),
                 ", ".join("%s × %s" % (terminal.number(n), clean(slug)) for slug, n in
                           sorted(party.checks.items(), key=lambda item: (-item[1], item[0]))[:4])]
                for key, party in shown]
        self.screen.heading(title + ("" if len(shown) == len(top) else ": the top %d of %s" % (
            len(shown), terminal.number(len(top)))))
        self.screen.table(["count", "seconds", title[3:], "checks"], rows, (2, 3))


def several(table):
    """Whether any process has more than one of these."""
    return len({(key[:2], key[-1]) for key in table}) < len(table)


def day(tally):
    """Whether times need their day: not when all are of one."""
    return clock(tally.first)[:10] != clock(tally.last)[:10]


def places_of(check):
    many = OTHERS in check.places
    return terminal.number(len(check.places) - many) + ("+" if many else "")


def process_name(key):
    return key[0] if len(key) == 1 else "%s[%s]" % (key[0], key[1])


def thread_name(key):
    if len(key) == 1:
        return key[0]
    program, pid, tid, thread, _ = key
    return "%s[%s] thread %s%s" % (program, pid, tid, " (%s)" % thread if thread and thread != program else "")


def loop_name(key):
    return key[0] if len(key) == 1 else "%s[%s] %s" % (key[0], key[1], key[2])


def log_name(key):
    return key[0]


# --------------------------------------------------------------------------------------------------------- JSON

def rounded(value):
    return round(value, 9) if isinstance(value, float) else value


def span_json(span_):
    return {"records": span_.records, "count": span_.weight, "first": iso(span_.first), "last": iso(span_.last)}


def iso(when):
    return None if when is None else "%s.%06dZ" % (clock(when).replace(" ", "T"), round(when % 1 * 1e6) % 1000000)


def as_json(tally, args):
    checks = {}
    for slug, check in by_weight(tally.checks):
        places = sorted(check.places.items(), key=lambda item: (-item[1].seconds, -item[1].weight, item[0]))
        checks[slug] = dict(span_json(check), level=check.level, threshold=check.threshold, repeats=check.repeats,
                            distinct_places=len(check.places) - (OTHERS in check.places),
                            durations={k: rounded(v) for k, v in check.durations.figures().items()}
                            if check.durations.count else None,
                            places=[place_json(name, spot) for name, spot in places[:max(args.top, 0)]],
                            stacks=None if args.no_stacks else check.tree.as_json())
    return dict(span_json(tally), checks=checks,
                processes=[dict(party_json(p), program=k[0], pid=k[1] if len(k) > 1 else None)
                           for k, p in by_weight(tally.processes)],
                threads=[dict(party_json(p), program=k[0], pid=k[1] if len(k) > 1 else None,
                              tid=k[2] if len(k) > 1 else None, thread=k[3] if len(k) > 1 else None)
                         for k, p in by_weight(tally.threads)],
                loops=[dict(party_json(p), program=k[0], pid=k[1] if len(k) > 1 else None,
                            loop=k[2] if len(k) > 1 else None) for k, p in by_weight(tally.loops)],
                logs=[dict(party_json(p), log=k[0]) for k, p in by_weight(tally.logs)],
                damage=[{"log": source, "kind": kind, "count": count, "line": line}
                        for (source, kind), (count, line) in sorted(tally.damage.found.items())])


def place_json(name, spot):
    return dict(span_json(spot), place=name, message=spot.message, timed=spot.timed, seconds=rounded(spot.seconds),
                longest=rounded(spot.most) if spot.timed else None)


def party_json(party):
    return dict(span_json(party), seconds=rounded(party.seconds), checks=party.checks)
