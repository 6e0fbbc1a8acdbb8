# SPDX-License-Identifier: MIT
"""What scripts/aiodebug imports. Python's standard library only, Python 3.9 or newer.

Arrows run one way: a subcommand -> what it computes (statistics, trees) -> reader -> model.

    model      a record of the log, its stacks and frames, and the words for them
    textlog    the shim's text form -> records
    reader     files, globs, stdin, gzip, growing files -> records; counts what is damaged
    filters    which records are wanted: --since, --check, --grep, ...
    stats      durations in constant memory
    calltree   stacks merged from the root
    tally      what a summary counts; parallel: by as many processes as there are processors
    terminal   colours, widths, progress, numbers as people write them
    tables     the shim's own tables of variables and checks, asked of the shim itself
    elf        what must be known of a program before it is run, and of a module before it is believed
    examples   the C that `aiodebug explain` shows

Each subcommand is a module with

    HELP           one line
    EXAMPLES       what --help ends with
    add_arguments(parser)
    main(args)     -> exit status

and is named in COMMANDS below, in the order in which --help lists them. Only the one that was asked for is
imported.
"""

# name on the command line -> module
COMMANDS = {
    "run": "run",
    "summary": "summary",
    "diff": "diff",
    "report": "report",
    "export": "export",
    "symbolize": "symbolize",
    "explain": "explain",
    "checks": "checks",
    "env": "env",
}


class Failure(Exception):
    """Something the user must be told in one line: bad arguments, a file that cannot be read. Status 2."""
