# SPDX-License-Identifier: MIT
"""Reads pprof's profile.proto, from its description and not from the code that writes it."""

import gzip

# Of profile.proto: message -> field -> (name, what: message, "int", "string", whether repeated)
PROFILE = {
    "Profile": {1: ("sample_type", "ValueType", True), 2: ("sample", "Sample", True), 3: ("mapping", "Mapping", True),
                4: ("location", "Location", True), 5: ("function", "Function", True), 6: ("string_table", "string", True),
                7: ("drop_frames", "int", False), 8: ("keep_frames", "int", False), 9: ("time_nanos", "int", False),
                10: ("duration_nanos", "int", False), 11: ("period_type", "ValueType", False),
                12: ("period", "int", False), 13: ("comment", "int", True), 14: ("default_sample_type", "int", False)},
    "ValueType": {1: ("type", "int", False), 2: ("unit", "int", False)},
    "Sample": {1: ("location_id", "int", True), 2: ("value", "int", True), 3: ("label", "Label", True)},
    "Label": {1: ("key", "int", False), 2: ("str", "int", False), 3: ("num", "int", False), 4: ("num_unit", "int", False)},
    "Mapping": {1: ("id", "int", False), 2: ("memory_start", "int", False), 3: ("memory_limit", "int", False),
                4: ("file_offset", "int", False), 5: ("filename", "int", False), 6: ("build_id", "int", False),
                7: ("has_functions", "int", False), 8: ("has_filenames", "int", False),
                9: ("has_line_numbers", "int", False), 10: ("has_inline_frames", "int", False)},
    "Location": {1: ("id", "int", False), 2: ("mapping_id", "int", False), 3: ("address", "int", False),
                 4: ("line", "Line", True), 5: ("is_folded", "int", False)},
    "Line": {1: ("function_id", "int", False), 2: ("line", "int", False)},
    "Function": {1: ("id", "int", False), 2: ("name", "int", False), 3: ("system_name", "int", False),
                 4: ("filename", "int", False), 5: ("start_line", "int", False)},
}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if not byte & 0x80:
            assert shift <= 70, "a number of more than ten bytes"
            return value, at


def message(data, kind):
    fields = PROFILE[kind]
    result = {name: [] if repeated else 0 if what == "int" else None for name, what, repeated in fields.values()}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        assert number in fields, "%s has no field %d" % (kind, number)
        name, what, repeated = fields[number]
        if wire == 0:
            assert what == "int", "%s.%s is no number" % (kind, name)
            value, at = varint(data, at)
            values = [value - (1 << 64) if value >> 63 else value]
        else:
            assert wire == 2, "%s.%s has wire type %d" % (kind, name, wire)
            size, at = varint(data, at)
            piece = data[at:at + size]
            assert len(piece) == size, "%s.%s is cut off" % (kind, name)
            at += size
            if what == "string":
                values = [piece.decode()]
            elif what == "int":
                assert repeated, "%s.%s is packed but not repeated" % (kind, name)
                values, inner = [], 0
                while inner < len(piece):
                    value, inner = varint(piece, inner)
                    values.append(value - (1 << 64) if value >> 63 else value)
            else:
                values = [message(piece, what)]
        if repeated:
            result[name] += values
        else:
            result[name] = values[-1]
    return result


def profile(packed):
    """The profile, checked: every reference leads somewhere, every sample has a value of each type."""
    p = message(gzip.decompress(packed), "Profile")
    strings = p["string_table"]
    assert strings[0] == "", "the first string must be empty"
    functions = {f["id"]: f for f in p["function"]}
    locations = {l["id"]: l for l in p["location"]}
    mappings = {m["id"]: m for m in p["mapping"]}
    for table, entries in ((functions, p["function"]), (locations, p["location"]), (mappings, p["mapping"])):
        assert len(table) == len(entries) and 0 not in table, "ids must be unique and not 0"
    for f in p["function"]:
        assert strings[f["name"]]
        strings[f["filename"]]
    for m in p["mapping"]:
        assert m["memory_start"] < m["memory_limit"]
    for l in p["location"]:
        assert l["mapping_id"] == 0 or l["mapping_id"] in mappings
        assert l["line"]
        for line in l["line"]:
            assert line["function_id"] in functions
    types = [(strings[t["type"]], strings[t["unit"]]) for t in p["sample_type"]]
    assert strings[p["default_sample_type"]] in [t for t, _ in types]
    samples = []
    for s in p["sample"]:
        assert len(s["value"]) == len(types)
        path = [strings[functions[locations[i]["line"][0]["function_id"]]["name"]] for i in s["location_id"]]
        labels = {strings[l["key"]]: strings[l["str"]] if l["str"] else l["num"] for l in s["label"]}
        samples.append((path, s["value"], labels))
    return {"types": types, "samples": samples, "raw": p}
