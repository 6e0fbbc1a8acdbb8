# SPDX-License-Identifier: MIT
"""What could stand at the cursor: `aiodebug --complete INDEX WORD...`, which the files of scripts/completion ask.
Options and checks come from where the commands themselves have them, so the shells' files know none.

Prints one candidate a line, or a first line `:files` or `:program N` (a program and its arguments from word N on).
"""

import argparse

from . import COMMANDS, Failure, tables
from .main import make_parser

SLUGS = ("--check", "--fail-on", "--checks", "--abort")  # options that take a list of checks
FILES = ("--shim", "--log", "--output", "-o", "--debug-dir", "--sysroot", "--suppress", "--tool")


def main(argv, shim):
    try:
        index = int(argv[0])
    except (IndexError, ValueError):
        return 2
    words = argv[1:index] if index > 0 else []
    current = argv[index] if index < len(argv) else ""
    for line in candidates(words, current, shim):
        print(line)
    return 0


def candidates(words, current, shim):
    """words: those before the cursor's, without the program's own name."""
    if not words:
        return matching(list(COMMANDS) + ["--help", "--version"], current)
    if words[0] not in COMMANDS:
        return []
    parser = subparser(words[0], shim)
    words, option, current, prefix = option_of(words[1:], current)
    if words is None:
        return []
    if option:
        return values(parser, option, current, shim, prefix)
    options = {text: action for action in parser._actions for text in action.option_strings}
    position = 0
    skip = False
    for number, word in enumerate(words):
        if word == "=" or words[number - 1:number] == ["="]:  # bash's --option = value
            skip = False
        elif skip:
            skip = False
        elif word == "--":
            return operand(parser, position, current, shim, number + 3)
        elif word.startswith("-") and len(word) > 1:
            skip = "=" not in word and word in options and options[word].nargs != 0
        else:
            if parser.prog.endswith(" run"):
                return [":program %d" % (number + 2)]
            position += 1
    if skip:
        return values(parser, words[-1], current, shim, "")
    if current.startswith("-"):
        return matching(sorted(text + ("=" if action.nargs != 0 and text.startswith("--") else "")
                               for text, action in options.items()), current)
    return operand(parser, position, current, shim, len(words) + 2)


def option_of(words, current):
    """bash cuts --check=slow into three words, zsh does not: (words, option or None, its value, what of it stays)."""
    if current == "=" and words and words[-1].startswith("--"):
        return words[:-1], words[-1], "", ""
    if len(words) >= 2 and words[-1] == "=" and words[-2].startswith("--"):
        return words[:-2], words[-2], current, ""
    if current.startswith("--") and "=" in current:
        option, _, value = current.partition("=")
        return words, option, value, option + "="
    return words, None, current, ""


def subparser(command, shim):
    for action in make_parser(command, shim)._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices[command]
    raise AssertionError(command)


def matching(words, current):
    return [word for word in words if word.startswith(current)]


def values(parser, option, current, shim, prefix):
    action = next((a for a in parser._actions if option in a.option_strings), None)
    if action and action.choices:
        return [prefix + word for word in matching([str(c) for c in action.choices], current.upper() or current)]
    if option in SLUGS and not (option == "--fail-on" and parser.prog.endswith(" diff")):
        done, comma, rest = current.rpartition(",")
        minus = "-" if rest.startswith("-") else ""
        return [prefix + done + comma + minus + slug for slug in matching(slugs(shim) + ["all"], rest.lstrip("-"))]
    if option == "--fail-on":
        done, comma, rest = current.rpartition(",")
        return [prefix + done + comma + kind for kind in matching(["new", "gone", "better", "worse", "none"], rest)]
    return [":files"] if option in FILES else []


def operand(parser, position, current, shim, index):
    if parser.prog.endswith(" explain"):
        return matching(slugs(shim), current)
    if parser.prog.endswith(" run"):
        return [":program %d" % index]
    return [":files"] if any(not a.option_strings for a in parser._actions) else []


def slugs(shim):
    try:
        return [check["slug"] for check in tables.load(tables.find_shim(None, shim))["checks"]]
    except Failure:
        return []
