# SPDX-License-Identifier: MIT
"""Which records are wanted: --since, --until, --check, --level, --grep, the same for each subcommand that has them."""

import fnmatch
import re
import time

from . import Failure
from .model import LEVELS, TIME, epoch, frame_name

AGO = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h|d)$")
UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def moment(text, last=None):
    """Seconds since 1970 of a time on the command line: RFC 3339 (UTC unless it says otherwise), a day, a time of
    the last record's day, or "10m": so long before the last record, or before now."""
    ago = AGO.match(text)
    if ago:
        return (time.time() if last is None else last) - float(ago[1]) * UNITS[ago[2]]
    if re.match(r"\d\d:\d\d(:\d\d(\.\d+)?)?$", text):
        text = time.strftime("%Y-%m-%dT", time.gmtime(last)) + text
    elif re.match(r"\d{4}-\d\d-\d\d$", text):
        text += "T00:00:00"
    when = epoch(text) if TIME.match(text) else None
    if when is None:
        raise Failure("%s: no time; give 2026-11-22T15:30:00, 2026-11-22, 15:30, or 10m for ten minutes ago" % text)
    return when


class Filter:
    def __init__(self, since=None, until=None, checks=(), level=None, grep=None):
        self.since, self.until, self.checks, self.level, self.grep = since, until, checks, level, grep

    def wants(self, record):
        if self.since is not None and (record.when is None or record.when < self.since):
            return False
        if self.until is not None and (record.when is None or record.when > self.until):
            return False
        if self.level and LEVELS.index(record.level) < LEVELS.index(self.level):
            return False
        if self.checks and not wanted_check(self.checks, record.check or ""):
            return False
        return not self.grep or self.finds(record)

    def finds(self, record):
        """Whether the expression is found in the message, the context, a frame or an error."""
        search = self.grep.search
        if search(record.message) or any(search(v) for v in record.context.values()):
            return True
        memo, key = record.trace.memo, ("grep", self.grep)
        if key not in memo:
            memo[key] = any(search(frame_name(f)) or f.source and search(f.source)
                            for stack in record.stacks for f in stack.frames) or any(map(search, record.errors))
        return memo[key]


def wanted_check(patterns, slug):
    """As AIODEBUG_CHECKS: names (or patterns), of which -name leaves one out."""
    positive = [p for p in patterns if not p.startswith("-")]
    if any(fnmatch.fnmatchcase(slug, p[1:]) for p in patterns if p.startswith("-")):
        return False
    return not positive or any(p == "all" or fnmatch.fnmatchcase(slug, p) for p in positive)


def add_arguments(parser):
    group = parser.add_argument_group("which records")
    group.add_argument("--since", metavar="TIME", help="only from this time on: 2026-11-22T15:30:00 (UTC), a day, "
                       "15:30 (of today), or 10m, 2h, 1d ago")
    group.add_argument("--until", metavar="TIME", help="only up to this time")
    group.add_argument("--check", metavar="SLUG,...", action="append",
                       help="only these checks; patterns are allowed, -slug leaves one out (--check=-slow-poll)")
    group.add_argument("--level", metavar="LEVEL", type=str.upper, choices=LEVELS,
                       help="only this level and above: " + ", ".join(LEVELS))
    group.add_argument("--grep", metavar="REGEX",
                       help="only records that have this in their message, context, frames or errors")


def filter_from(args):
    """The Filter of the arguments; None: every record is wanted."""
    if not (args.since or args.until or args.check or args.level or args.grep):
        return None
    try:
        grep = re.compile(args.grep) if args.grep else None
    except re.error as error:
        raise Failure("--grep=%s: no regular expression: %s" % (args.grep, error)) from None
    checks = [slug for text in args.check or () for slug in text.split(",") if slug]
    return Filter(moment(args.since) if args.since else None, moment(args.until) if args.until else None, checks,
                  args.level, grep)
