#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes, to stdout, the source of a library that defines every seam which <aiort.h> declares.

Each seam notes its own name, at its first call, in the file that SEAMS_LOG names. With --list: only their names.

usage: interposer.py [--list] runtime/include/aiort.h
"""

import re
import sys

HEAD = r"""
#define _GNU_SOURCE
#include <aiort.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Only open, write and close: one seam is called in a signal handler, on its way to death. */
static void note(const char *seam, int *seen)
{
    char line[128];
    const char *log = getenv("SEAMS_LOG");
    int fd, length;

    if (*seen || log == NULL)
        return;
    *seen = 1;
    length = snprintf(line, sizeof line, "%s\n", seam);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        abort();
    close(fd);
}
"""

# What each returns: "nothing to say", but a trace, without which no destruction is announced.
RETURNS = {"void": "", "uint32_t": " return 7;", "size_t": " return 0;", "int": " return 0;"}


def seams(path):
    with open(path) as file:
        text = re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.S)
    found = re.findall(r"AIORT_EXTERN\s+([a-z_0-9 ]+?)\s+(aiort_instrument_\w+)\s*\(((?:[^()]|\([^()]*\))*)\)\s*;",
                       text)
    # Every name that is followed by a parenthesis must have been understood.
    if {name for _, name, _ in found} != set(re.findall(r"\b(aiort_instrument_\w+)\s*\(", text)):
        sys.exit("a seam in %s was not understood" % path)
    return found


def main():
    listed = seams(sys.argv[-1])
    if sys.argv[1] == "--list":
        print("\n".join(name for _, name, _ in listed))
        return
    print(HEAD)
    for returns, name, parameters in listed:
        print("%s %s(%s)\n{\n    static int seen;\n    note(\"%s\", &seen);%s\n}\n"
              % (returns, name, " ".join(parameters.split()), name, RETURNS[returns]))


if __name__ == "__main__":
    main()
