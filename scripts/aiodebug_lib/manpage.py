# SPDX-License-Identifier: MIT
"""aiodebug(1), from the very parsers that read the command line, and libaiodebug(7), from the shim's own tables:
`aiodebug --manpage 1|7 [SHIM]`. `make install` writes them."""

import argparse
import re

from . import COMMANDS, tables
from .main import VERSION, make_parser

HEAD = r"""'\" t
.TH AIODEBUG 1 "" "libaiodebug %s" "User Commands"
.SH NAME
aiodebug \- run a program in libaiodebug's debug mode, and make sense of what it logged
.SH SYNOPSIS
"""

HEAD7 = r""".TH LIBAIODEBUG 7 "" "libaiodebug %s" "Miscellaneous"
.SH NAME
libaiodebug \- asyncio's debug mode for C programs on libuv and libaiort
.SH SYNOPSIS
.B LD_PRELOAD=libaiodebug.so
.I PROGRAM
.SH DESCRIPTION"""

FILES = (
    ("aiodebug-PROGRAM-N.jsonl", "The log of a run, in the current directory or, where nothing can be written there, in "
     "$TMPDIR. One JSON object a line; README.md of libaiodebug tells its keys."),
    ("libaiodebug.so", "The shim. Looked for in the source tree that the command is run from, then where it was "
     "installed; --shim names another."),
)
ENVIRONMENT = (
    ("AIODEBUG_*", "Read by the shim; `aiodebug env` lists them, and `aiodebug run` has an option for each."),
    ("NO_COLOR", "When set and not empty, nothing is printed in colour."),
    ("COLUMNS", "How wide to print, where that is not asked of the terminal."),
)
STATUS = (
    ("0", "All went well, whatever the logs say."),
    ("1", "What was asked for with --fail-on (run, diff) or --strict (summary) was found."),
    ("2", "The command line is wrong, a file cannot be opened, or a program cannot be watched."),
    ("126, 127", "run: the program cannot be run, is not there."),
    ("others", "run: the program's own. A signal that ended the program ends aiodebug too."),
)


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    return re.sub(r"^\.", r"\\&.", text, flags=re.M)


def section(title, pairs):
    yield ".SH " + title
    for term, text in pairs:
        yield ".TP\n.B %s\n%s" % (escape(term), escape(text))


def page(shim):
    parser = make_parser(None, shim)
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    yield (HEAD % VERSION).rstrip("\n")
    for name in COMMANDS:
        yield ".br\n.B aiodebug %s\n%s" % (name, escape(operands(commands[name])))
    yield ".SH DESCRIPTION"
    yield escape("libaiodebug.so is asyncio's debug mode for C programs on libuv and libaiort, loaded with LD_PRELOAD. "
                 "This command runs programs under it, and reads the logs that it writes, as JSON Lines or as text "
                 "(which knows less), from files, patterns, standard input, compressed by gzip, and while they grow. "
                 "What is damaged in a log is counted on standard error, and the rest is used.")
    for name in COMMANDS:
        yield from command(name, commands[name])
    yield from section("EXIT STATUS", STATUS)
    yield from section("ENVIRONMENT", ENVIRONMENT)
    yield from section("FILES", FILES)
    yield ".SH SEE ALSO\n.BR libaiodebug (7),\n.BR ld.so (8),\n.BR perf\\-stat (1),\n.BR jq (1)"


def operands(parser):
    words = ["[OPTION]..."]
    for action in parser._actions:
        if not action.option_strings:
            name = action.metavar or action.dest
            words.append({"*": "[%s]...", "+": "%s...", argparse.REMAINDER: "[%s]...", "?": "[%s]"}.get(
                action.nargs, "%s") % name)
    return " ".join(words)


def command(name, parser):
    yield ".SH AIODEBUG " + name.upper()
    yield ".B aiodebug %s\n%s\n.PP" % (name, escape(operands(parser)))
    yield escape(parser.description or "")
    for action in parser._actions:
        if action.dest == "help":
            continue
        value = " " + action.metavar if action.metavar and action.nargs != 0 else ""
        if action.option_strings:
            term = ", ".join(r"\fB%s\fR%s" % (escape(o), escape(value)) for o in action.option_strings)
        else:
            term = r"\fI%s\fR" % escape(action.metavar or action.dest)
        help_text = (action.help or "").replace("%%", "%")
        if help_text:
            yield ".TP\n%s\n%s" % (term, escape(help_text))
    yield from epilog(parser.epilog or "")


def epilog(text):
    """`examples:` and what is indented under it as it stands, the rest as text."""
    for part in re.split(r"\n\n", text):
        if part.startswith("examples:"):
            yield ".PP\nExamples:\n.PP\n.nf\n.RS\n%s\n.RE\n.fi" % escape(re.sub(r"(?m)^  ", "", part.partition("\n")[2]))
        elif part:
            yield ".PP\n" + escape(part)


ABOUT = (
    "Preloaded into a program on libuv or libaiort, libaiodebug.so reports what is wrong with its use of the loop: "
    "callbacks that take too long, tasks that are lost, handles that are freed while open, calls from the wrong thread. "
    "A report says what, where it was created, where it is now, and how to fix it. The program is neither compiled nor "
    "linked anew. In a process that uses neither library, and in set-user-id programs, nothing is done.",
    "A mistake that repeats itself from the same stacks is written three times, then counted; the counts are written at "
    "exit. A bad value of a variable is one line on standard error, and the default is used.")


def shims_page(shim):
    known = tables.load(shim)
    yield HEAD7 % VERSION
    yield "\n.PP\n".join(escape(text) for text in ABOUT)
    yield ".SH ENVIRONMENT"
    for v in known["variables"]:
        yield ".TP\n.BR %s \" (\" \"default: %s\" )" % (escape(v["name"]), escape(v["default"] or "unset"))
        yield escape("%s. Accepted: %s." % (v["meaning"], v["accepted"]))
    yield ".SH CHECKS\nA report ends its first line in the name of its check, in brackets."
    for c in known["checks"]:
        yield ".TP\n.BR %s \" (\" %s )" % (escape(c["slug"]), c["level"])
        yield escape("%s. Usually: %s. To do: %s." % (c["meaning"].capitalize(), c["cause"], c["hint"]))
    yield ".SH SEE ALSO\n.BR aiodebug (1),\n.BR ld.so (8)"


def main(argv, shim):
    shim = argv[1] if len(argv) > 1 else tables.find_shim(None, shim)
    print("\n".join(shims_page(shim) if argv[:1] == ["7"] else page(shim)))
    return 0
