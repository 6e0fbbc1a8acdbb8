#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds README.md to the truth: prints what is wrong, and last "N passed, N failed".

What the page says is marked there by a comment in front of a fenced block:

    <!-- program NAME.c -->     a whole program: it compiles, and ends with status 0
    <!-- prints NAME.c -->      all that it prints
    <!-- log NAME MODE -->      what tests/examples/NAME.c printed, "plain" or in "debug" mode. Lines that begin
                                with # are comments, a line "[...]" stands for lines left out

The tables of variables and checks must be those that AIODEBUG=help prints, "(not yet)" behind the name where,
and only where, nothing in the sources uses it. The tour names every source file, and no other.

ROOT, BUILD, CC, SANITIZE, SANITIZE_PRELOAD: as `make check` sets them.
"""

import json
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD") or os.path.join(ROOT, "build/gcc")
CC = shlex.split(os.environ.get("CC") or "gcc")
SANITIZE = os.environ.get("SANITIZE")
SHIM = ":".join(os.environ.get("SANITIZE_PRELOAD", "").split() + [os.path.join(BUILD, "libaiodebug.so")])
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-parameter", "-Werror"]

TIME_LIMIT = 60  # seconds for one program
ATTEMPTS = 3  # on a busy machine any step may be a slow one, and be reported
TOURED = (".c", ".h", ".S", ".map")
passed = failed = 0


def check(name, complaint):
    """complaint: what is wrong, as text; empty when nothing is."""
    global passed, failed
    if complaint:
        failed += 1
        print("FAILED  README.md: %s\n    %s" % (name, complaint.replace("\n", "\n    ")))
    else:
        passed += 1


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


# ----------------------------------------------------------------------------------------- programs and logs

def environment(shim, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("AIODEBUG") and k != "LD_PRELOAD"}
    env.update(LD_LIBRARY_PATH=BUILD, NO_COLOR="1")
    if shim:
        env["LD_PRELOAD"] = SHIM
    env.update(more)
    return env


def compile_program(name, directory, warnings):
    uv = subprocess.run(["pkg-config", "--cflags", "--libs", "libuv"], stdout=subprocess.PIPE, text=True)
    command = CC + (["-fsanitize=" + SANITIZE] if SANITIZE else []) + warnings + [
        "-g", name + ".c", "-o", name, "-I" + os.path.join(ROOT, "runtime/include"), "-L" + BUILD, "-laiort"]
    done = subprocess.run(command + uv.stdout.split(), cwd=directory, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.stdout or ("status %d" % done.returncode if done.returncode else "")


def run(name, directory, env):
    """What it prints on a terminal, in order, and the status. (In a pipe, stdout would come last.)"""
    master, slave = pty.openpty()
    process = subprocess.Popen(["./" + name], cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=slave,
                               stderr=slave)
    os.close(slave)
    deadline, output = time.monotonic() + TIME_LIMIT, b""
    while time.monotonic() < deadline:
        if select.select([master], [], [], 1)[0]:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # EIO: the program has ended
                break
            output += chunk
    else:
        process.kill()
    os.close(master)
    return output.decode("utf-8", "backslashreplace").replace("\r\n", "\n"), process.wait()


def normal(line):
    """Without what differs from run to run."""
    line = re.sub(r"^\d{4}-\d\d-\d\dT[\d:.]+Z (\S+)\[\d+\] ", r"TIME \1[PID] ", line)
    line = re.sub(r"\bthread \d+", "thread TID", line)
    return re.sub(r"took \d+\.\d{3} seconds", "took N seconds", line)


def compare_log(shown, printed):
    """shown: the page's block, without its command; a complaint."""
    printed = [normal(line) for line in printed.splitlines()]
    at, gap = 0, False
    for line in shown:
        if line.startswith("#"):
            continue
        if line == "[...]":
            gap = True
            continue
        wanted = normal(line)
        while gap and at < len(printed) and printed[at] != wanted:
            at += 1
        if at >= len(printed) or printed[at] != wanted:
            return "it does not print here:\n%s\nbut:\n%s" % (wanted, "\n".join(printed[at:at + 3]))
        at, gap = at + 1, False
    if at < len(printed) and not gap:
        return "it prints more:\n" + "\n".join(printed[at:])
    return ""


def check_sessions(page, directory):
    if SANITIZE:
        return  # a sanitizer's runtime would have to be preloaded first
    for number, (argument, text) in enumerate(re.findall(r"^<!-- session ([^>]*) -->\n```\n(.*?)^```$", page, re.M | re.S), 1):
        complaint = ""
        for _ in range(ATTEMPTS):
            place = os.path.join(directory, "session%d" % number)
            shutil.rmtree(place, ignore_errors=True)
            os.mkdir(place)
            for name in argument.split():
                shutil.copy(os.path.join(ROOT, "tests/examples", name + ".c"), place)
                complaint = complaint or compile_program(name, place, [])
            complaint = complaint or session(text, place)
            if not complaint:
                break
        check("session %d" % number, complaint)


def session(text, place):
    """Types what is typed there; a complaint."""
    parts = re.split(r"^\$ ((?:.*\\\n)*.*)\n", text, flags=re.M)
    script = ["aiodebug() { if [ \"$1\" = run ]; then shift; set -- run --shim '%s' \"$@\"; fi; '%s' \"$@\"; }" % (
        os.path.join(BUILD, "libaiodebug.so"), os.path.join(ROOT, "scripts/aiodebug"))]
    for typed in parts[1::2]:
        script += [typed, "echo '---- next'"]
    done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=place, env=environment(False, COLUMNS="100", LC_ALL="C.UTF-8"),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=TIME_LIMIT * 4)
    printed = done.stdout.split("---- next\n")
    for typed, shown, said in zip(parts[1::2], parts[2::2], printed):
        complaint = compare_log(plain(shown).splitlines(), plain(said))
        if complaint:
            return "$ %s\n%s" % (typed, complaint)
    return ""


def plain(text):
    """Without times, durations, process numbers and the widths that depend on them; without empty lines."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DAY TIME", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "TIME", text)
    text = re.sub(r"\b[\d.]+ (s|ms|us|ns|min \d\d s)(?![a-z])", "N s", text)
    text = re.sub(r"\[\d+\]", "[PID]", re.sub(r"(aiodebug-\w+)-\d+", r"\1-N", text))
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def check_blocks(page, directory):
    programs = set()
    for what, argument, text in re.findall(r"^<!-- (program|prints|log) ([^>]*) -->\n```\w*\n(.*?)^```$", page,
                                           re.M | re.S):
        words = argument.split()
        name = words[0].removesuffix(".c")
        if what == "program":
            programs.add(name)
            with open(os.path.join(directory, name + ".c"), "w", encoding="utf-8") as file:
                file.write(text)
            check("%s.c compiles without a warning" % name, compile_program(name, directory, WARNINGS))
        elif what == "prints":
            programs.discard(name)
            for shim in (False, True):  # the page's own programs have no mistake
                output, status = run(name, directory, environment(shim))
                check("%s.c prints what is said%s" % (name, ", in debug mode too" if shim else ""),
                      "" if (output, status) == (text, 0) else "status %d, output:\n%s" % (status, output))
        else:
            source = os.path.join(ROOT, "tests/examples", name + ".c")
            shutil.copy(source, directory)
            complaint = compile_program(name, directory, [])
            shown = text.splitlines()
            prefix = "$ LD_PRELOAD=libaiodebug.so ./" if words[1] == "debug" else "$ ./"
            if not complaint and shown[0] != prefix + name:
                complaint = "the first line is not the command: " + prefix + name
            for _ in range(0 if complaint else ATTEMPTS):
                output, _ = run(name, directory, environment(words[1] == "debug"))
                complaint = compare_log(shown[1:], output)
                if not complaint:
                    break
            check("the log of %s, %s" % (name, words[1]), complaint)
    check("every program's output is shown", ", ".join(sorted(programs)))


def check_json_keys(page, directory):
    """The keys that the page lists are those of a record, its stacks and frames; check_blocks() built it."""
    done = subprocess.run(["./never_retrieved"], cwd=directory, env=environment(True, AIODEBUG_FORMAT="json"),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    record = json.loads(done.stderr.splitlines()[0])
    keys = set(record) | set(record["object"]) | set(record["stacks"][0]) | set(record["stacks"][0]["frames"][0])
    paragraph = re.search(r"^A JSON record has the keys.*?\n\n", page, re.M | re.S)[0]
    listed = set(re.findall(r"`(\w+)`", paragraph)) - {"null"}
    check("the keys of a JSON record", "" if keys == listed else "one has them, the other not: %s"
          % ", ".join(sorted(keys ^ listed)))


# -------------------------------------------------------------------------------------------------- the tables

def sources(*directories, without=()):
    text = ""
    for directory in directories:
        for path, _, files in os.walk(os.path.join(ROOT, directory)):
            text += "".join(read(path, f) for f in files if f.endswith((".c", ".h")) and f not in without)
    return text


def check_tables(page):
    said = subprocess.run(["true"], env=environment(True, AIODEBUG="help", ASAN_OPTIONS="detect_leaks=0"),
                          stderr=subprocess.PIPE, text=True).stderr
    shim, runtime = sources("shim", without=("config.c",)), sources("runtime")
    rows = {re.match(r"\| `([^`]+)`", row)[1]: row for row in said.splitlines() if row.startswith("| `")}
    check("AIODEBUG=help prints tables", "" if len(rows) > 20 else said)

    def used(name):
        if name == "AIODEBUG":
            return True
        if name.startswith("AIODEBUG_"):
            return "aiodebug_config." + name.removeprefix("AIODEBUG_").lower() in shim
        identifier = "AIODEBUG_CHECK_" + name.upper().replace("-", "_")
        return bool(re.search(r"record_new\w*\(\s*%s\b" % identifier, shim)) or '"%s"' % name in runtime

    here = {}
    for section in ("The variables", "The checks"):
        text = re.search(r"^### %s\n(.*?)^##" % section, page, re.M | re.S)[1]
        here.update({re.match(r"\| `([^`]+)`", row)[1]: row
                     for row in text.splitlines() if row.startswith("| `")})
    for name in sorted(rows.keys() | here.keys()):
        wanted = rows.get(name)
        if wanted and not used(name):
            wanted = wanted.replace("| `%s` |" % name, "| `%s` (not yet) |" % name, 1)
        check("the row of " + name, "" if here.get(name) == wanted else
              "the page:   %s\nthe sources: %s" % (here.get(name), wanted))


# ---------------------------------------------------------------------------------------------------- the tour

def check_tour(page):
    tour = re.search(r"^## A tour of the files.*?\n(.*?)^## ", page, re.M | re.S)[1]
    named = set()
    for directory, text in re.findall(r"^### (\S+)/\n(.*?)(?=^### |\Z)", tour, re.M | re.S):
        for line in re.findall(r"^- (`.*?):", text, re.M):
            named.update("%s/%s" % (directory, file) for file in re.findall(r"`([^`]+)`", line))
    listed = subprocess.run(["git", "ls-files", "runtime", "shim"], cwd=ROOT, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True).stdout.split()
    if not listed:  # not a clone
        listed = [os.path.relpath(os.path.join(path, f), ROOT) for d in ("runtime", "shim")
                  for path, _, files in os.walk(os.path.join(ROOT, d)) for f in files]
    present = {path for path in listed if path.endswith(TOURED) and os.path.exists(os.path.join(ROOT, path))}
    check("the tour names every source file", "\n".join(sorted(present - named)))
    check("the tour names no file that is not there",
          "\n".join(sorted(path for path in named if not os.path.exists(os.path.join(ROOT, path)))))
    links = re.findall(r"\]\(([^)#:]+)\)", page)
    check("the links lead somewhere",
          "\n".join(sorted(link for link in set(links) if not os.path.exists(os.path.join(ROOT, link)))))


def check_examples():
    """The examples are read at one sitting."""
    for name in sorted(os.listdir(os.path.join(ROOT, "tests/examples"))):
        lines = read("tests/examples", name).count("\n")
        check("%s is short" % name, "it has %d lines" % lines if lines > 150 else "")


def main():
    page = read("README.md")
    with tempfile.TemporaryDirectory() as directory:
        check_blocks(page, directory)
        check_sessions(page, directory)
        check_json_keys(page, directory)
    check_tables(page)
    check_tour(page)
    check_examples()
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
