# SPDX-License-Identifier: MIT
"""Writes a log in the formats of other tools: FlameGraph, speedscope, Perfetto and chrome://tracing, go tool pprof.

What is weighed is the time in which a loop's thread could do nothing else (slow callbacks and turns, blocking calls,
hangs), none of it twice; with --weight=count each record counts once, and a count of repeats as many times as it says.
"""

import importlib
import os
import sys

from . import Failure, filters, reader
from . import export_samples as records

HELP = "write a log for FlameGraph, speedscope, Perfetto or pprof: export --format speedscope app.jsonl"
EXAMPLES = """examples:
  aiodebug export --format collapsed app.jsonl | flamegraph.pl --countname us > blocked.svg
  aiodebug export --format speedscope app.jsonl -o blocked.speedscope.json     (open at speedscope)
  aiodebug export --format chrome app.jsonl -o trace.json                      (open in Perfetto or chrome://tracing)
  aiodebug export --format pprof app.jsonl -o blocked.pb.gz && go tool pprof -top blocked.pb.gz
"""

# name -> (module, whether it is bytes that no terminal should get)
FORMATS = {
    "collapsed": ("export_collapsed", False),
    "speedscope": ("export_speedscope", False),
    "chrome": ("export_chrome", False),
    "pprof": ("export_pprof", True),
}


def add_arguments(parser):
    parser.add_argument("logs", nargs="*", metavar="LOG",
                        help="JSON or text logs of the shim, also gzip; patterns; - or nothing: standard input")
    parser.add_argument("--format", required=True, choices=FORMATS, help="which tool it is for")
    parser.add_argument("-o", "--output", metavar="FILE", help="where it goes (default: standard output)")
    parser.add_argument("--weight", choices=("time", "count"), default="time",
                        help="what a stack weighs: blocked time, or how often (collapsed and speedscope; pprof has both)")
    filters.add_arguments(parser)


def main(args):
    module, binary = FORMATS[args.format]
    logs = reader.open_logs(args.logs)
    if binary and not args.output and sys.stdout.isatty():
        raise Failure("--format=%s is not for a terminal; name a file with -o" % args.format)
    writer = importlib.import_module("." + module, __package__).Writer(args)
    records.collect(logs, args, writer.add)
    if not args.output:
        sys.stdout.flush()
        writer.write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return 0
    try:
        out = open(args.output, "wb")
    except OSError as error:
        raise Failure("%s: %s" % (args.output, error.strerror)) from None
    try:
        with out:
            writer.write(out)
    except BaseException:
        if os.path.isfile(args.output):
            os.unlink(args.output)  # half a file would pass for a whole one
        raise
    return 0
