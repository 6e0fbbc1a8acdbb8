# SPDX-License-Identifier: MIT
"""What a check means, the usual cause, what to do, and an example: the mistake, and the same done right."""

import difflib
import json
import re
import textwrap

from . import Failure, tables, terminal
from .examples import EXAMPLES as CODE
from .terminal import Screen

HELP = "what a check means and how to fix it"
EXAMPLES = """\
examples:
  aiodebug explain slow-callback
  aiodebug explain task-destroyed-pending unclosed-loop
  aiodebug checks                        the names of all"""


def add_arguments(parser):
    parser.add_argument("slugs", nargs="+", metavar="SLUG", help="the name in brackets at the end of a log's line")
    parser.add_argument("--json", action="store_true", help="as JSON")
    tables.add_shim_argument(parser)


def main(args):
    known = tables.of(args)
    checks = {check["slug"]: check for check in known["checks"]}
    wanted = [slug.strip("[]") for slug in args.slugs]
    for slug in wanted:
        if slug not in checks:
            near = difflib.get_close_matches(slug, checks, 3, 0.4)
            raise Failure("there is no check %s%s (aiodebug checks lists them)" % (
                terminal.clean(slug), "; near it are " + ", ".join(near) if near else ""))
    if args.json:
        print(json.dumps([dict(checks[slug], example=dict(zip(("wrong", "right"), CODE.get(slug, (None, None)))))
                          for slug in wanted], indent=2))
        return 0
    screen = Screen()
    for position, slug in enumerate(wanted):
        if position:
            screen.line()
        show(screen, checks[slug], known["variables"])
    return 0


def show(screen, check, variables):
    slug = check["slug"]
    screen.line("%s  %s" % (screen.paint("bold", slug),
                            screen.paint(terminal.LEVEL_COLOURS.get(check["level"]), check["level"])))
    screen.line()
    width = min(terminal.columns(), 100)
    for title, text in (("What", check["meaning"]), ("Usually", check["cause"]), ("To do", check["hint"])):
        for number, line in enumerate(textwrap.wrap(text, width - 11, break_on_hyphens=False)):
            screen.line("  " + (screen.paint("bold", title) + " " * (9 - len(title)) if number == 0 else " " * 9) + line)
    if slug in CODE:
        for title, code in zip(("Wrong:", "Right:"), CODE[slug]):
            screen.line()
            screen.line("  " + screen.paint("bold", title))
            for line in code.strip("\n").split("\n"):
                screen.line("    " + line if line else "")
    screen.line()
    used = set(re.findall(r"AIODEBUG_[A-Z_]+", " ".join((check["meaning"], check["cause"], check["hint"]))))
    notes = ["%s (%s): %s" % (v["name"], v["default"] or "unset", v["meaning"]) for v in variables if v["name"] in used]
    notes.append("AIODEBUG_CHECKS=-%s turns it off; AIODEBUG_SUPPRESS does so for one function or module; "
                 "AIODEBUG_ABORT=%s makes a core file." % (slug, slug))
    for note in notes:
        for line in textwrap.wrap(note, width - 2, break_on_hyphens=False, subsequent_indent="  "):
            screen.line("  " + line)
