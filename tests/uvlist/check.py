#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the list of libuv's functions against the header, the library and the shim.

The header is read as the compiler sees it, so that one for several systems shows what is declared
here. To see that each check can fail: the same checks are made once more with a function taken out
of, and one put into, what they compare.
"""
import ctypes.util
import os
import re
import subprocess
import sys

ROOT, BUILD = os.environ["ROOT"], os.environ["BUILD"]
LIST = os.path.join(ROOT, "shim", "interpose", "uv_list.h")
INTERPOSED = ("INITS", "OPS", "FS", "OWN")
passed = failed = 0


def check(what, wrong):
    """One case: `wrong` names what is wrong, and is empty."""
    global passed, failed
    if wrong:
        failed += 1
        print(f"FAILED {what}: {', '.join(sorted(wrong))}")
    else:
        passed += 1


def preprocess(text):
    command = [os.environ.get("CC", "gcc"), "-E", "-P", "-x", "c", "-"]
    flags = subprocess.run(["pkg-config", "--cflags", "libuv"], capture_output=True, text=True)
    return subprocess.run(command + flags.stdout.split(), input=text, capture_output=True,
                          text=True, check=True).stdout


def functions_of_header():
    text = preprocess("#include <uv.h>\n")
    return set(re.findall(r"\b(uv_\w+)\s*\((?!\s*\*)[^;{}]*\)\s*;", text)) - \
        set(re.findall(r"typedef[^;]*?\b(uv_\w+)\s*[;(]", text))


def classes():
    """Class name -> its functions, from the macros."""
    text = open(LIST, encoding="utf-8").read()
    found = {}
    for name, body in re.findall(r"#define AIODEBUG_UV_(\w+)\(XX\)((?:.*\\\n)*.*)", text):
        column = 1 if name == "OPS" else 0
        entries = re.findall(r"XX\(([^()]*?)(?:, \(|\)|, \w+, \()", body)
        found[name] = [e.split(",")[column].strip() for e in entries]
    return found


def exported(path):
    lines = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


def libuv():
    name = ctypes.util.find_library("uv")
    text = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True,
                          env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"}).stdout
    return re.search(rf"{re.escape(name)} .*=> (\S+)", text).group(1)


def compare(header, listed, optional, interposed, shim, library):
    """What is wrong, by case."""
    names = [n for group in listed.values() for n in group]
    return {
        "functions of <uv.h> in no class": header - set(names),
        "functions in two classes": {n for n in names if names.count(n) > 1},
        "interposed ones that the shim does not export": interposed - shim,
        "others that it exports": {n for n in shim if n.startswith("uv_")} - interposed,
        "required ones that libuv lacks": interposed - optional - library,
        "optional ones that are not interposed": optional - interposed,
    }


def main():
    listed = classes()
    optional = set(listed.pop("OPTIONAL"))
    interposed = {n for group in INTERPOSED for n in listed[group]}
    header = functions_of_header()
    shim, library = exported(os.path.join(BUILD, "libaiodebug.so")), exported(libuv())
    check("the header has its functions", set() if len(header) > 280 else {str(len(header))})
    check("the lists have theirs", set() if len(interposed) > 150 else {str(len(interposed))})
    for what, wrong in compare(header, listed, optional, interposed, shim, library).items():
        check(what, wrong)

    # Each of them can fail.
    twice = {**listed, "SAFE": listed["SAFE"] + ["uv_run"]}
    broken = (
        compare(header | {"uv_new_thing"}, listed, optional, interposed, shim, library),
        compare(header, twice, optional, interposed, shim, library),
        compare(header, listed, optional, interposed, shim - {"uv_run"}, library),
        compare(header, listed, optional, interposed, shim | {"uv_hrtime"}, library),
        compare(header, listed, optional, interposed, shim, library - {"uv_run"}),
        compare(header, listed, optional | {"uv_hrtime"}, interposed, shim, library),
    )
    for (what, wrong), right in zip(((w, b) for w, b in zip(broken[0], broken)),
                                    ("uv_new_thing", "uv_run", "uv_run", "uv_hrtime", "uv_run",
                                     "uv_hrtime")):
        check(f"noticed: {what}", set() if right in wrong[what] else {right})
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
