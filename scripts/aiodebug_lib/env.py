# SPDX-License-Identifier: MIT
"""The environment variables that the shim reads. The shim itself is asked; `aiodebug run` has options of the same
names."""

import os
import textwrap

from . import tables, terminal
from .terminal import Screen

HELP = "list the environment variables"
EXAMPLES = """\
examples:
  aiodebug env
  aiodebug env --json | jq -r '.[] | "\\(.name)=\\(.default)"'
  aiodebug run --slow-callback=20ms -- ./app      what AIODEBUG_SLOW_CALLBACK=20ms does"""


def add_arguments(parser):
    tables.add_list_arguments(parser)


def main(args):
    return tables.print_list(args, "variables", "name", show)


def show(variables):
    screen = Screen()
    width = min(terminal.columns(), 110) - 4
    for variable in variables:
        now = os.environ.get(variable["name"])
        default = variable["default"] or "unset"
        screen.line(screen.paint("bold", variable["name"]) + "  (default: %s)" % default +
                    (", here: " + terminal.clean(now) if now else ""))
        for text in (variable["meaning"], "accepted: " + variable["accepted"]):
            for line in textwrap.wrap(text, width, break_on_hyphens=False):
                screen.line("    " + line)
