# SPDX-License-Identifier: MIT
"""Draws a log as one page: verdicts, a timeline of each loop, durations, flame graphs, every finding with its stacks.

The page is a single file that needs no network and no server, and works in light and dark, by keyboard, and on paper.
"""

import base64
import hashlib
import html
import json
import os
import sys
import tempfile
import time

from . import Failure, filters, reader, report_parallel
from .report_data import Collector
from .report_sources import Sources

HELP = "draw a log as one self-contained page: report app.jsonl -o report.html"
EXAMPLES = """examples:
  aiodebug report app.jsonl -o report.html
  aiodebug report 'logs/*.jsonl.gz' -o report.html --title 'nightly run'
  aiodebug report app.jsonl -o report.html --source ~/src/app    (where the sources are now)
  aiodebug report app.jsonl --since 10m --check=-slow-poll -o report.html
  aiodebug report app.jsonl --no-source > report.html            (nothing of the sources goes into the page)
"""

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page")
# In this order they are one script. Each is a part of the page; dom.js and model.js are what the others use.
SCRIPTS = ("dom.js", "model.js", "verdicts.js", "timeline.js", "durations.js", "flame.js", "findings.js", "page.js")


def add_arguments(parser):
    parser.add_argument("logs", nargs="*", metavar="LOG",
                        help="JSON or text logs of the shim, also gzip; patterns; - or nothing: standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="where the page goes (default: standard output)")
    parser.add_argument("--title", metavar="TEXT", help="what the page is called (default: the logs' names)")
    parser.add_argument("--source", metavar="DIR", action="append", default=[],
                        help="a directory to look for source files in; may be given several times")
    parser.add_argument("--no-source", action="store_true", help="read no source files")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing about what was written")
    filters.add_arguments(parser)


def main(args):
    logs = reader.open_logs(args.logs)
    if not args.output and sys.stdout.isatty():
        raise Failure("the page would go to the terminal; name a file with -o report.html")
    for directory in args.source:
        if not os.path.isdir(directory):
            raise Failure("%s: is no directory" % directory)
    collector = Collector(Sources(args.source, not args.no_source))
    report_parallel.collect_all(logs, args, collector)
    data = collector.finish()
    data["logs"] = list(logs.names[:50])
    data["log_count"] = len(logs.names)
    data["damage"] = list(logs.damage.lines())[:50]
    data["generated"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    data["title"] = args.title or title_of(logs.names)
    write(args.output, render(data))
    if args.output and not args.quiet:
        print("aiodebug: %s: %d record%s, %d place%s" % (reader.printable(args.output), data["records"],
                                                        "s" * (data["records"] != 1), data["group_count"],
                                                        "s" * (data["group_count"] != 1)), file=sys.stderr)
    return 0


def title_of(names):
    first = os.path.basename(names[0]) if names[0] != "-" else "standard input"
    return first if len(names) == 1 else "%s and %d more" % (first, len(names) - 1)


# ------------------------------------------------------------------------------------------------------ the page

def part(name):
    with open(os.path.join(PAGE, name), encoding="utf-8") as file:
        return file.read()


def digest(text):
    return "'sha256-%s'" % base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def data_for_script(data):
    """JSON that may stand in a <script>: no character that ends the element or begins a comment in it."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def render(data):
    """The page. Only what is named by its digest in the policy may run in it; nothing can be loaded."""
    style = part("style.css")
    script = "'use strict';\n(() => {\n%s})();\n" % "".join(part(name) for name in SCRIPTS)
    policy = ("default-src 'none'; script-src %s; style-src %s; base-uri 'none'; form-action 'none'"
              % (digest(script), digest(style)))
    values = {
        "POLICY": html.escape(policy, quote=True),
        "TITLE": html.escape(data["title"]),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": data_for_script(data),
    }
    # One pass: nothing that was put in is looked at again.
    pieces = part("page.html").split("@@")
    for i in range(1, len(pieces), 2):
        pieces[i] = values[pieces[i]]
    return "".join(pieces)


def write(path, text):
    """The whole page or none of it: the file takes its name when it is complete."""
    if not path:
        sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
        return
    text = text.encode("utf-8", "backslashreplace")
    if os.path.exists(path) and not os.path.isfile(path):  # /dev/null, a pipe
        with open(path, "wb") as file:
            file.write(text)
        return
    directory = os.path.dirname(os.path.abspath(path))
    try:
        fd, temporary = tempfile.mkstemp(prefix=".aiodebug-report-", dir=directory)
    except OSError as error:
        raise Failure("%s: %s" % (path, error.strerror)) from None
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(fd, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
