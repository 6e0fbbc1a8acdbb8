#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""json_golden.py TEXT JSON: whether the two logs of golden.c hold the same records, and JSON all its fields."""
import json
import re
import sys

KEYS = ("version time monotonic pid tid thread program level check message loop object seconds threshold count "
        "context stacks errors hint").split()
REPEATS = ["total_seconds", "max_seconds"]  # of a record that tells of repeats, after count
FRAME = "function file line column inlined source module build_id offset".split()

text = open(sys.argv[1]).read()
records = [json.loads(line) for line in open(sys.argv[2])]
heads = re.findall(r"^\S+Z golden\[\d+\] (\w+):aiodebug:(.*) \[([a-z-]+)\]$", text, re.M)
assert heads == [(r["level"], r["message"], r["check"]) for r in records], heads

for r in records:
    counts = " repeated " in r["message"]
    assert [k for k in r if k not in REPEATS] == KEYS and [k for k in r if k in REPEATS] == REPEATS * counts, list(r)
    assert r["version"] == 1 and r["program"] == r["thread"] == "golden" and r["pid"] == r["tid"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", r["time"]), r["time"]
    assert isinstance(r["monotonic"], float)
    for stack in r["stacks"]:
        assert list(stack) == ["role", "title", "frames"]
        for frame in stack["frames"]:
            assert list(frame) == FRAME, list(frame)
            assert frame["file"] == "golden.c" and frame["module"].endswith("/golden") and frame["line"] > 0

error, thread, coroutine, loop, closed = records[:5]
assert error["object"] == {"kind": "task", "id": 2, "address": "0x1234",
                           "repr": "<Task finished created at golden.c:15>"}, error["object"]
assert error["loop"] == "<Loop running=True>"
assert error["context"] == {"transport": "<Transport fd=7>",
                            "future": "<Task finished name='Task-2' created at golden.c:15>"}
assert error["errors"] == ["ENOENT: no such file", "EINVAL: not consumed"]
assert [s["role"] for s in error["stacks"]] == ["created", "scheduled", "raised", "raised"]
assert [f["function"] for f in error["stacks"][0]["frames"]] == ["main", "create_task"]
assert error["stacks"][0]["frames"][1]["source"] == "inner = produce_stack();"
assert len(error["stacks"][2]["frames"]) == 8  # main and seven times fetch: nothing is collapsed
assert thread["seconds"] == 0.15 and thread["threshold"] == 0.1 and thread["hint"] == "use uv_async_send()"
assert thread["object"] is None and thread["loop"] is None
assert coroutine["seconds"] is None
assert loop["count"] == 3 and [s["title"] for s in loop["stacks"]] == [
    "2 x uv_timer_t, open, created at (most recent call last):",
    "1 x uv_tcp_t, closing, created at (most recent call last):", "and one of unknown origin"]
assert records[-1]["count"] == 5 and records[-1]["stacks"][0]["frames"], records[-1]
