#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""aiodebug report and aiodebug export, over a log that workshop.c writes here and now.

usage: BUILD=build/gcc check.py [--chromium PATH] [--picture FILE] SCRATCH     (run.sh calls it)

--picture: only draws the picture for the README. The last line is "N passed, N failed".
"""

import argparse
import os
import shutil
import sys

import export_checks
import harness
import logs
import page_checks
from devtools import Browser
from harness import check, finish


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch")
    parser.add_argument("--chromium")
    parser.add_argument("--picture", metavar="FILE")
    args = parser.parse_args()
    scratch = args.scratch
    build = os.path.abspath(os.environ.get("BUILD", os.path.join(harness.ROOT, "build/gcc")))
    program = os.path.join(scratch, "workshop")
    log = os.path.join(scratch, "workshop.jsonl")
    records = check("workshop runs under the shim", logs.run_workshop, build, program, log)
    if records is None:
        return finish()
    if args.picture:
        with Browser(args.chromium) as browser:
            page_checks.picture(browser, scratch, log, args.picture)
        return finish()

    check("collapsed", export_checks.collapsed, scratch, log, records)
    check("nothing counted twice", export_checks.nothing_twice, scratch, records)
    speedscope = check("speedscope", export_checks.speedscope_file, scratch, log, records)
    check("chrome", export_checks.chrome, scratch, log, records)
    pprof = check("pprof", export_checks.pprof, scratch, log, records)
    if shutil.which("go"):
        check("go tool pprof", export_checks.pprof_tool, pprof, records)
    else:
        harness.missing("no go, so pprof's own tool did not read the export")
    package = export_checks.speedscope_package(scratch)
    if package:
        check("speedscope's schema", export_checks.speedscope_schema, package, speedscope)
    elif shutil.which("npm"):
        harness.missing("npm did not deliver speedscope, so only our own check of its format ran")
    else:
        print("skipped: no npm, so only our own check of speedscope's format ran")

    check("no secrets", page_checks.secrets, scratch, records)
    if len(os.sched_getaffinity(0)) > 1:
        check("a log in parts", page_checks.in_parts, scratch, records)
    check("the README's picture", page_checks.picture_is_there)
    if not args.chromium:
        harness.failed += 1
        print("FAILED  the page was not opened: there is no chromium, and it could not be installed")
        return finish()
    url = check("report", page_checks.report, scratch, log, "report.html")
    if url is None:
        return finish()
    with Browser(args.chromium) as browser:
        check("contents", page_checks.contents, browser, url, records)
        for name in ("painted", "filters", "flame", "keyboard", "accessible", "contrast", "themes", "widths", "printing",
                     "policy"):
            check(name, getattr(page_checks, name), browser, url)
        check("plain libuv", page_checks.handles, browser, scratch, build)
        check("a hang", page_checks.hang, browser, scratch)
        check("text log", page_checks.text_log, browser, scratch, build, program)
        check("many threads", page_checks.many_threads, browser, scratch, records)
        check("hostile log", page_checks.hostile, browser, scratch, records)
        check("empty log", page_checks.empty, browser, scratch)
        check("damaged log", page_checks.damaged, browser, scratch, log)
        check("odd values", page_checks.odd_values, browser, scratch, records)
        check("options", page_checks.options, browser, scratch, log)
        check("many places", page_checks.many_places, browser, scratch, records)
        check("large log", page_checks.large, browser, scratch, records)
        if package and speedscope:
            check("speedscope opens it", export_checks.speedscope_opens, browser, package, speedscope)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
