# SPDX-License-Identifier: MIT
"""The checks that the shim knows: name, level, meaning. The shim itself is asked."""

import json

from . import tables, terminal
from .terminal import Screen

HELP = "list the checks"
EXAMPLES = """\
examples:
  aiodebug checks
  aiodebug checks --json | jq -r '.[] | select(.level == "ERROR").slug'
  aiodebug explain slow-callback         more about one of them"""


def add_arguments(parser):
    parser.add_argument("--json", action="store_true", help="as JSON, with the usual cause and what to do")
    parser.add_argument("--names", action="store_true", help="the names alone, one a line")
    tables.add_shim_argument(parser)


def main(args):
    checks = tables.of(args)["checks"]
    if args.json:
        print(json.dumps(checks, indent=2))
    elif args.names:
        print("\n".join(check["slug"] for check in checks))
    else:
        colours = {(n, 1): terminal.LEVEL_COLOURS.get(check["level"]) for n, check in enumerate(checks)}
        Screen().table(["check", "level", "meaning"], [[c["slug"], c["level"], c["meaning"]] for c in checks],
                       (0, 1, 2), colours)
    return 0
