# SPDX-License-Identifier: MIT
"""speedscope's own file format (its file-format-schema.json): one profile for each thread that had a loop, each
sample one blocked stretch of it, in the order of time. Gaps between them are left out, as speedscope's sampled
profiles have none."""

import json

from .export_samples import Sampler, counted_path, process_of
from .model import frame_place

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


class Writer:
    def __init__(self, args):
        self.by_count = args.weight == "count"
        self.sampler = Sampler()
        self.frames, self.numbers = [], {}
        self.paths = {}  # path -> numbers of its frames
        self.profiles = {}  # (process, thread) -> [(when, numbers, weight)]

    def number(self, frame):
        # Two lines of a function are two frames, so that speedscope can tell them apart.
        key = (frame.function, frame.file, frame.line, frame.module, None if frame.file else frame.offset)
        known = self.numbers.get(key)
        if known is None:
            known = self.numbers[key] = len(self.frames)
            entry = {"name": frame.function or frame_place(frame)}
            if frame.file or frame.module:
                entry["file"] = frame.file or frame.module
            if frame.line is not None and frame.line > 0:
                entry["line"] = frame.line
            if frame.column is not None and frame.column > 0:
                entry["col"] = frame.column
            self.frames.append(entry)
        return known

    def add(self, record):
        if self.by_count:
            path, weight = counted_path(record), record.weight
        else:
            sample = self.sampler.sample(record)
            if not sample:
                return
            path, weight = sample.path, round(sample.seconds, 9)
        numbers = self.paths.get(path)
        if numbers is None:
            numbers = self.paths[path] = tuple(self.number(f) for f in path)
        key = (process_of(record), record.tid, record.thread)
        self.profiles.setdefault(key, []).append((record.when or 0.0, numbers, weight))

    def write(self, out):
        profiles = []
        for (process, tid, thread), entries in self.profiles.items():
            entries.sort(key=lambda e: e[0])
            name = "%s %s, thread %s" % (process[1] or "?", process[2] if process[2] is not None else "?",
                                        tid if tid is not None else "?")
            if thread and thread != process[1]:
                name += " (%s)" % thread
            weights = [e[2] for e in entries]
            profiles.append({"type": "sampled", "name": name, "unit": "none" if self.by_count else "seconds",
                             "startValue": 0, "endValue": sum(weights),
                             "samples": [list(e[1]) for e in entries], "weights": weights})
        # The busiest first: it is what is shown when the file is opened.
        profiles.sort(key=lambda p: -p["endValue"])
        if not profiles:  # speedscope refuses a file without profiles
            profiles.append({"type": "sampled", "name": "nothing was blocked", "unit": "seconds",
                             "startValue": 0, "endValue": 0, "samples": [], "weights": []})
        value = {"$schema": SCHEMA, "name": "aiodebug", "exporter": "aiodebug", "activeProfileIndex": 0,
                 "shared": {"frames": self.frames}, "profiles": profiles}
        out.write(json.dumps(value, separators=(",", ":"), allow_nan=False).encode())
        out.write(b"\n")
