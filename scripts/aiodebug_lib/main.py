# SPDX-License-Identifier: MIT
"""The command line: picks the subcommand, turns what may go wrong into one line and a status.

Status: 0, or what a subcommand documents; 2: the command line or a file named there is wrong; 130 and 141 as a
shell has it for an interrupt and a pipe that nobody reads any more.
"""

import argparse
import importlib
import os
import sys

from . import COMMANDS, Failure

VERSION = "0.1.0"


class Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog):
        super().__init__(prog, max_help_position=26, width=min(100, int(os.environ.get("COLUMNS") or 100) - 2))


class TopFormatter(Formatter):
    """Names and their help on one line; argparse counts too little for commands."""

    def __init__(self, prog):
        super().__init__(prog)
        self._action_max_length = 15


class Parser(argparse.ArgumentParser):
    command = None  # that the words after it are for

    def error(self, message):
        self.exit(2, "aiodebug: %s\nTry '%s --help'.\n" % (message, " ".join(filter(None, (self.prog, self.command)))))


def module_of(name):
    return importlib.import_module("." + COMMANDS[name], __package__)


def make_parser(wanted=None, shim=""):
    """The parser for all subcommands, or for the wanted one only, which is quicker."""
    parser = Parser(prog="aiodebug", formatter_class=TopFormatter,
                    description="Runs a program in libaiodebug's debug mode, and makes sense of what it logged.",
                    epilog="examples:\n"
                           "  aiodebug run -- ./app                 run it, log into a file, say what was found\n"
                           "  aiodebug summary app.*.jsonl          how often, how long, from where\n"
                           "  aiodebug explain slow-callback        what it means, how to fix it\n\n"
                           "aiodebug COMMAND --help tells more, with examples of its own.")
    parser.add_argument("--version", action="version", version="aiodebug " + VERSION)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for name in [wanted] if wanted else COMMANDS:
        module = module_of(name)
        if hasattr(module, "INSTALLED_SHIM"):
            module.INSTALLED_SHIM = shim
        sub = commands.add_parser(name, help=module.HELP, formatter_class=Formatter, epilog=module.EXAMPLES,
                                  description=(module.__doc__ or "").strip(), allow_abbrev=False)
        module.add_arguments(sub)
        sub.set_defaults(main=module.main)
    return parser


def silence(stream):
    """So that the interpreter's own flush at exit does not complain again."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        pass


def main(argv, shim=""):
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    try:
        if argv[:1] in (["--complete"], ["--manpage"]):  # for scripts/completion and make install
            return importlib.import_module({"--complete": ".complete", "--manpage": ".manpage"}[argv[0]],
                                           __package__).main(argv[1:], shim)
        wanted = argv[0] if argv and argv[0] in COMMANDS else None
        parser = make_parser(wanted, shim)
        parser.command = wanted
        args = parser.parse_args(argv)
        if not args.command:
            parser.print_help()
            return 2
        args.installed_shim = shim
        status = args.main(args)
        sys.stdout.flush()
        return status or 0
    except Failure as failure:
        print("aiodebug: %s" % failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        silence(sys.stdout)
        return 141
    except OSError as error:  # a full disk under stdout, say
        silence(sys.stdout)
        print("aiodebug: %s%s" % (error.filename + ": " if error.filename else "", error.strerror), file=sys.stderr)
        return 2
