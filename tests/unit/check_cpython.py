#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks CPYTHON.md against the cases: every case it names exists, every test without one has a reason, its
totals are right, each area has all of CPython's tests, and at least 500 tests are mirrored, by as many different
cases."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
MIRRORED_AT_LEAST = 500
# CPython's tests of each area, and the areas that must be in the table.
TESTS = {"A": 113, "B": 120, "C": 68, "D": 172, "E": 20, "F": 35, "G": 99, "H": 75, "I": 41, "J": 30, "K": 12,
         "L": 20, "M": 8, "N": 20, "O": 20, "P": 76, "Q": 11, "R": 45, "S": 173, "T": 113, "U": 12, "V": 46}
AREAS = "ABCDEFGHIJKLMNOPQRSTU"
CASE = re.compile(r"^(?:TASK_)?TEST(?:_WITHIN\([\d.]+,\s*|\()(\w+)\)", re.MULTILINE)
REASONS = ("no counterpart: ", "later issue: ", "the debugger's: ")


def table_rows(text, columns):
    """The cells of all rows of the tables that have that many columns, headings left out."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == columns and cells[0] not in ("area", "---"):
            yield cells


def main():
    text = (HERE / "CPYTHON.md").read_text()
    cases = {path.name: set(CASE.findall(path.read_text())) for path in HERE.glob("test_*.c")}
    tls = (HERE.parent / "tls" / "program.c").read_text()
    cases["tests/tls"] = set(re.findall(r"^static int (\w+)\(pair_t \*pair\)$", tls, re.MULTILINE))
    wrong, mirrored, used, seen = [], {}, {}, {}

    for area, group, test, where in table_rows(text, 4):
        seen[area] = seen.get(area, 0) + 1
        match = re.fullmatch(r"(test_\w+\.c|tests/tls): (\w+)", where)
        if match:
            mirrored[area] = mirrored.get(area, 0) + 1
            used.setdefault(match.groups(), []).append(f"{group}.{test}")
            if match[2] not in cases.get(match[1], ()):
                wrong.append(f"{group}.{test}: there is no {where}")
        elif not where.startswith(REASONS) or len(where.split(": ", 1)[1]) < 3:
            wrong.append(f"{group}.{test}: neither a case nor a reason: {where!r}")

    for name, tests, count in table_rows(text, 3):
        area = name[0] if name != "total" else None
        actual = (seen.get(area, 0), mirrored.get(area, 0)) if area else (sum(seen.values()), sum(mirrored.values()))
        if (int(tests), int(count)) != actual:
            wrong.append(f"{name}: the table says {tests} and {count}, it has {actual[0]} and {actual[1]}")

    for area in sorted(set(AREAS) | set(seen)):
        if seen.get(area, 0) != TESTS.get(area):
            wrong.append(f"area {area} has {seen.get(area, 0)} rows, not {TESTS.get(area)}")
    if len(used) < MIRRORED_AT_LEAST:
        wrong.append(f"{len(used)} different cases, fewer than {MIRRORED_AT_LEAST}")

    for line in wrong:
        print(f"CPYTHON.md: {line}")
    counts = ", ".join(f"{area} {mirrored.get(area, 0)} of {seen[area]}" for area in sorted(seen))
    print(f"{sum(mirrored.values())} of {sum(seen.values())} tests mirrored by {len(used)} cases: {counts}")
    print(f"check_cpython: {0 if wrong else 1} passed, {1 if wrong else 0} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
