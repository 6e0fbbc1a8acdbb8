# SPDX-License-Identifier: MIT
"""The checks that the shim knows: name, level, meaning. The shim itself is asked."""

from . import tables, terminal
from .terminal import Screen

HELP = "list the checks"
EXAMPLES = """\
examples:
  aiodebug checks
  aiodebug checks --json | jq -r '.[] | select(.level == "ERROR").slug'
  aiodebug explain slow-callback         more about one of them"""


def add_arguments(parser):
    tables.add_list_arguments(parser, ", with the usual cause and what to do")


def main(args):
    return tables.print_list(args, "checks", "slug", show)


def show(checks):
    colours = {(n, 1): terminal.LEVEL_COLOURS.get(check["level"]) for n, check in enumerate(checks)}
    Screen().table(["check", "level", "meaning"], [[c["slug"], c["level"], c["meaning"]] for c in checks],
                   (0, 1, 2), colours)
