#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: records.py EXPECTED SEEN LOGS

Prints the records at WARNING and above in the JSON logs of a directory that no line of EXPECTED lists as true, and
adds the lines that were needed to SEEN. Exit status 0: none; 3: only such as are about time; 1: others.
"""

import fnmatch
import json
import os
import sys

TIMING = {"slow-callback", "slow-poll", "slow-iteration", "loop-hang", "blocking-call", "threadpool-saturated"}


def read_expected(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]
    for line in lines:
        line = line.removeprefix("? ")
        if len(line.split(None, 2)) < 3:
            sys.exit(f"{path}: not `slug pattern reason`: {line}")
    return lines


def names(record):
    yield record["message"]
    for stack in record["stacks"]:
        for frame in stack["frames"]:
            yield frame["function"] or ""
            yield os.path.basename(frame["module"] or "")


def matches(line, check, words):
    return line[0] == check and fnmatch.filter(words, line[1])


def tell(record):
    print(f"{record['program']}[{record['pid']}] {record['level']}: {record['message']} [{record['check']}]")
    for stack in record["stacks"]:
        print(f"    {stack['title'] or stack['role']}")
        for frame in stack["frames"]:
            print(f"        {frame['function']} at {frame['file']}:{frame['line']} in {frame['module']}+{frame['offset']:#x}")


def main():
    expected_path, seen_path, logs = sys.argv[1:]
    expected = read_expected(expected_path)
    needed, status = set(), 0
    for name in sorted(os.listdir(logs)):
        with open(os.path.join(logs, name), encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
        for line in lines:
            try:
                record = json.loads(line)
                serious = record["level"] in ("WARNING", "ERROR", "CRITICAL")
            except (ValueError, KeyError, TypeError):
                print(f"{name}: no record: {line}")
                status = 1
                continue
            if not serious:
                continue
            words = list(names(record))
            why = [line for line in expected if matches(line.removeprefix("? ").split(None, 2), record["check"], words)]
            needed.update(why[:1])
            if not why:
                tell(record)
                status = max(status, 3) if record["check"] in TIMING and status != 1 else 1
    with open(seen_path, "a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in sorted(needed))
    sys.exit(status)


if __name__ == "__main__":
    main()
