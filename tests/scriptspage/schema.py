# SPDX-License-Identifier: MIT
"""As much of JSON Schema as speedscope's file-format-schema.json uses. A word that is not known here is an error, so
that a newer schema cannot pass unread."""

NOTES = {"$schema", "$ref", "definitions", "title", "description", "default", "format"}
TYPES = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool,
         "null": type(None)}


class Invalid(Exception):
    pass


def check(value, schema, root, where="$"):
    if "$ref" in schema:
        name = schema["$ref"]
        assert name.startswith("#/definitions/"), name
        check(value, root["definitions"][name.rsplit("/", 1)[1]], root, where)
    for word, rule in schema.items():
        if word in NOTES:
            continue
        handler = WORDS.get(word)
        if handler is None:
            raise Invalid("the schema uses %r, which this check does not know" % word)
        handler(value, rule, schema, root, where)


def is_a(value, name):
    if name in ("number", "integer") and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[name])


def type_(value, rule, _schema, _root, where):
    names = rule if isinstance(rule, list) else [rule]
    if not any(is_a(value, name) for name in names):
        raise Invalid("%s: %r is no %s" % (where, value, " or ".join(names)))


def properties(value, rule, _schema, root, where):
    if isinstance(value, dict):
        for name, inner in rule.items():
            if name in value:
                check(value[name], inner, root, "%s.%s" % (where, name))


def required(value, rule, _schema, _root, where):
    if isinstance(value, dict):
        for name in rule:
            if name not in value:
                raise Invalid("%s: %r is missing" % (where, name))


def additional(value, rule, schema, root, where):
    if isinstance(value, dict):
        for name in value:
            if name not in schema.get("properties", {}):
                if rule is False:
                    raise Invalid("%s: %r is not allowed" % (where, name))
                if isinstance(rule, dict):
                    check(value[name], rule, root, "%s.%s" % (where, name))


def items(value, rule, _schema, root, where):
    if isinstance(value, list):
        for i, inner in enumerate(value):
            check(inner, rule[i] if isinstance(rule, list) else rule, root, "%s[%d]" % (where, i))


def any_of(value, rule, _schema, root, where):
    reasons = []
    for choice in rule:
        try:
            check(value, choice, root, where)
            return
        except Invalid as reason:
            reasons.append(str(reason))
    raise Invalid("%s fits none of %d: %s" % (where, len(rule), "; ".join(reasons)))


def enum(value, rule, _schema, _root, where):
    if value not in rule:
        raise Invalid("%s: %r is none of %r" % (where, value, rule))


def const(value, rule, _schema, _root, where):
    if value != rule:
        raise Invalid("%s: %r is not %r" % (where, value, rule))


def least(value, rule, _schema, _root, where):
    if is_a(value, "number") and value < rule:
        raise Invalid("%s: %r is below %r" % (where, value, rule))


WORDS = {"type": type_, "properties": properties, "required": required, "additionalProperties": additional,
         "items": items, "anyOf": any_of, "oneOf": any_of, "enum": enum, "const": const, "minimum": least}
