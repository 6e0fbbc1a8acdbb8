#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Names of places, against what addr2line makes of the same program with debug information.

Each of the six wrong programs is compiled with every combination of FLAGS, three times: with -g, without, and
with -g and then stripped. All three have the same code (checked), so that addr2line on the first says what
any offset in any of them is. Then the log of each is judged:

  -g         every frame of the program is called what addr2line calls it, inlined ones included, and the
             lines that `make demo` asks for are there
  without    every frame has its function's name from the symbol table, and no file or line
  stripped   no frame has a name, file or line
  all        the stacks are the same places; the build-id is right; and whatever else the log says about a
             place ("created at ..", "running at ..", "defined at ..") is true in the source

usage: ROOT=. BUILD=build/gcc CC=gcc tests/names/names.py [PROGRAM...]
The last line is "N passed, N failed".
"""

import concurrent.futures
import importlib.machinery
import importlib.util
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT, BUILD = os.path.abspath(os.environ["ROOT"]), os.path.abspath(os.environ["BUILD"])
CC = shlex.split(os.environ.get("CC") or "gcc")
EXAMPLES = os.path.join(ROOT, "tests/examples")
FLAGS = list(itertools.product(("-O0", "-O2"), ("-fPIE -pie", "-fno-pie -no-pie"),
                               ("-fomit-frame-pointer", "-fno-omit-frame-pointer")))
FORMS = ("g", "without", "stripped")


def load_demo():
    """scripts/demo knows the six programs and what has to be said about each."""
    loader = importlib.machinery.SourceFileLoader("demo", os.path.join(ROOT, "scripts/demo"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def output_of(command, **more):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=120, **more).stdout


# --------------------------------------------------------------------------------- the truth: the source

class Source:
    def __init__(self, name):
        self.file = name + ".c"
        with open(os.path.join(EXAMPLES, self.file)) as file:
            self.lines = [""] + file.read().splitlines()
        # Functions begin in the first column, with their name before the first parenthesis.
        self.defined = {match.group(1): number for number, line in enumerate(self.lines)
                        for match in [re.match(r"(?:static )?\w+ \*?(\w+)\(.*\)$", line)] if match}

    def function_of(self, line):
        above = [(number, name) for name, number in self.defined.items() if number <= line]
        return max(above)[1] if above else None

    def calls_us(self, line):
        return 0 < line < len(self.lines) and re.search(r"\b(aiort_\w+|AIORT_\w+)\(", self.lines[line])


class Truth:
    """What addr2line makes of offsets in the program with debug information."""

    def __init__(self, program):
        self.program, self.known = program, {}

    def frames(self, offset):
        """[(function, file, line)], innermost last, as the log has them."""
        if offset not in self.known:
            lines = output_of(["addr2line", "-f", "-i", "-e", self.program, hex(offset)]).splitlines()
            chain = []
            for function, place in zip(lines[::2], lines[1::2]):
                file, _, line = place.split(" ")[0].rpartition(":")
                chain.append((function, os.path.basename(file), int(line) if line.isdigit() else None))
            self.known[offset] = chain[::-1]
        return self.known[offset]


# ------------------------------------------------------------------------------------------ judging a log

PLACE = re.compile(
    r"(?:coro=<|coroutine object )(?P<running>\w+)\(\) running at (?P<running_file>[\w.]+):(?P<running_line>\d+)"
    r"|coro=<(?P<done>\w+)\(\) done, (?P<how>defined|created) at (?P<done_file>[\w.]+):(?P<done_line>\d+)"
    r"|Handle (?P<handle>\w+)\(\) at (?P<handle_file>[\w.]+):(?P<handle_line>\d+)"
    r"|created at (?P<created_file>[\w.]+):(?P<created_line>\d+)"
    r"|created at (?P<module>[\w.-]+)\+0x(?P<offset>[0-9a-f]+)"
    r"|^(?P<warned_file>[\w.]+):(?P<warned_line>\d+): RuntimeWarning: coroutine '(?P<warned>\w+)'")


def false_places(text, form, source, truth):
    """What a repr or message says of places and is not so."""
    for match in PLACE.finditer(text):
        said = {key: value for key, value in match.groupdict().items() if value is not None}
        file = next((value for key, value in said.items() if key.endswith("_file")), source.file)
        line = next((int(value) for key, value in said.items() if key.endswith("_line")), 0)
        mentions = lambda name: name in re.findall(r"\w+", source.lines[line]) and source.calls_us(line)
        if file != source.file or line >= len(source.lines):
            right = False
        elif "running" in said:
            # asyncio says so, too, of a coroutine that has not begun: it is at its first line.
            begins = source.defined.get(said["running"]) == line
            right = begins or source.function_of(line) == said["running"] and source.calls_us(line)
        elif said.get("how") == "defined" or ("handle" in said and form == "g"):
            right = source.defined.get(said.get("done") or said.get("handle")) == line
        elif "done" in said or "handle" in said or "warned" in said:  # where it was handed over
            right = mentions(said.get("done") or said.get("handle") or said.get("warned"))
        elif "created_line" in said:
            right = source.calls_us(line)
        else:
            innermost = truth.frames(int(said["offset"], 16))[-1]
            right = form != "g" and innermost[1] == source.file and source.calls_us(innermost[2])
        if not right:
            yield "it is not so that '%s'" % match.group(0)
    # Nothing that looks like a place is left unjudged.
    for place in re.findall(r"[\w.]+\.c:\d+", PLACE.sub("", text)):
        yield "unknown kind of place: %s in '%s'" % (place, text)


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_of(item)


def judge_frames(frames, form, truth, build_id):
    """Complaints about one stack's frames, and the places that it consists of."""
    problems, places = [], []
    for offset, group in itertools.groupby(frames, key=lambda frame: frame["offset"]):
        group, real = list(group), truth.frames(offset)
        said = [(frame["function"], frame["file"], frame["line"]) for frame in group]
        if form == "g":
            right = real
        else:
            # One frame where others were inlined: a symbol table knows only the outermost.
            right = [(real[0][0] if form == "without" else None, None, None)]
        if said != right:
            problems.append("0x%x is %s, not %s" % (offset, right, said))
        if any(frame["build_id"] != build_id for frame in group):
            problems.append("0x%x: build-id %s, not %s" % (offset, group[0]["build_id"], build_id))
        places += real
    return problems, places


def judge(log, program, form, source, truth):
    """Complaints about a JSON log, and its stacks as lists of true places."""
    notes = re.search(r"Build ID: (\w+)", output_of(["readelf", "-n", program]))
    problems, stacks = [], []
    for record in map(json.loads, log.splitlines()):
        for stack in record["stacks"]:
            ours = [frame for frame in stack["frames"] if frame["module"] in (program, None)]
            if not ours:
                problems.append("no frame of the program in stack '%s'" % stack["role"])
            found, places = judge_frames(ours, form, truth, notes.group(1) if notes else None)
            problems += found
            if stack["role"] == "running":  # where a thread happened to be: the line is chance
                places = [place[:2] for place in places]
            stacks.append((stack["role"], places))
        texts = {key: value for key, value in record.items() if key not in ("stacks", "hint")}
        for text in set(strings_of(texts)):
            problems += false_places(text, form, source, truth)
    return problems, stacks


# --------------------------------------------------------------------------------- compiling and running

def build(name, flags, directory):
    """{form: path}; all are called the same, since the log has the program's name in it."""
    paths = {}
    uv = shlex.split(output_of(["pkg-config", "--cflags", "--libs", "libuv"]))
    for form in FORMS:
        os.makedirs(os.path.join(directory, form))
        paths[form] = path = os.path.join(directory, form, name)
        if form == "stripped":
            output_of(["strip", "-o", path, paths["g"]])
            continue
        output_of(CC + ["-std=gnu11", "-Wl,--build-id"] + (["-g"] if form == "g" else []) + flags +
                  ["-I" + os.path.join(ROOT, "runtime/include"), name + ".c", "-o", path,
                   "-L" + BUILD, "-Wl,-rpath," + BUILD, "-laiort"] + uv, cwd=EXAMPLES)
    return paths


def code_of(path):
    with tempfile.NamedTemporaryFile() as text:
        output_of(["objcopy", "-O", "binary", "--only-section=.text", path, text.name])
        return text.read()


def run(program, settings=()):
    """Its log, and whatever it prints."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("AIODEBUG") and k != "LD_PRELOAD"}
    with tempfile.NamedTemporaryFile("r") as log:
        env.update(settings, LD_PRELOAD=os.path.join(BUILD, "libaiodebug.so"), AIODEBUG_LOG=log.name)
        output_of([program], env=env, cwd=EXAMPLES)
        return log.read()


def test(demo, bug, flags):
    """[(what, complaints)] of one program compiled in one way."""
    name, _, words, slug, places = bug
    directory = tempfile.mkdtemp(prefix="names-")
    try:
        paths = build(name, flags, directory)
        source, truth = Source(name), Truth(paths["g"])
        if code_of(paths["g"]) != code_of(paths["without"]):
            return [("code", ["-g changes the code: nothing can be said"])]
        results, expected = [], None
        for form in FORMS:
            # Again when a thread was caught between its frames, as another thread's stack may be.
            for _ in range(3):
                log = run(paths[form], {"AIODEBUG_FORMAT": "json"})
                problems, stacks = judge(log, paths[form], form, source, truth)
                if ("running", []) not in stacks:
                    break
            if not stacks:
                problems.append("nothing was logged")
            expected = expected or stacks
            if stacks != expected:
                problems.append("other places than with -g: %s, not %s" % (stacks, expected))
            results.append((form, problems))
        results.append(("text", demo.missing(name, run(paths["g"]), words, slug, places)))
        return results
    except subprocess.SubprocessError as error:
        return [("commands", ["%s\n%s" % (error, getattr(error, "output", None) or "")])]
    finally:
        shutil.rmtree(directory)


def main():
    demo = load_demo()
    jobs = [(bug, flags) for bug in demo.BUGS for flags in FLAGS if not sys.argv[1:] or bug[0] in sys.argv[1:]]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        work = [pool.submit(test, demo, bug, " ".join(flags).split()) for bug, flags in jobs]
        for (bug, flags), done in zip(jobs, work):
            for what, problems in done.result():
                passed, failed = passed + (not problems), failed + bool(problems)
                if problems:
                    print("FAILED  %s, %s (%s)" % (bug[0], what, " ".join(flags)))
                    print("".join("    %s\n" % line for text in problems for line in text.splitlines()), end="")
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
