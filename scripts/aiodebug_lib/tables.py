# SPDX-License-Identifier: MIT
"""The shim, and the tables of variables and checks that it holds. There is no second copy of them: the shim prints
them as JSON when it is loaded with AIODEBUG=help-json."""

import glob
import json
import os
import shutil
import subprocess

from . import Failure

NAME = "libaiodebug.so"


def candidates(installed):
    """Where the shim may be: beside this source tree, newest first, then installed."""
    scripts = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    root = os.path.dirname(scripts)
    if os.path.exists(os.path.join(root, "shim", "config.c")):
        plain = [path for path in glob.glob(os.path.join(root, "build", "*", NAME))
                 if not any(word in os.path.basename(os.path.dirname(path)) for word in ("address", "thread", "undef"))]
        yield from sorted(plain, key=lambda path: (os.path.basename(os.path.dirname(path)) != "gcc",
                                                   -os.path.getmtime(path)))
    prefix = os.path.dirname(os.path.dirname(scripts))  # PREFIX/share/aiodebug/aiodebug_lib
    yield os.path.join(prefix, "lib", NAME)
    if installed:
        yield installed
    for directory in ("/usr/local/lib", "/usr/lib", "/lib"):
        yield os.path.join(directory, NAME)
        yield from glob.glob(os.path.join(directory, "*-linux-gnu*", NAME))


def find_shim(given=None, installed=""):
    if given:
        if not os.path.isfile(given):
            raise Failure("%s: there is no such file (--shim)" % given)
        return os.path.abspath(given)
    for path in candidates(installed):
        if os.path.isfile(path):
            return path
    raise Failure("%s is not to be found: build it (make), install it (make install), or name it (--shim PATH)" % NAME)


def load(shim):
    """{"variables": [{name, default, accepted, meaning}], "checks": [{slug, level, meaning, cause, hint}]}"""
    program = shutil.which("true") or "/bin/true"
    env = {k: v for k, v in os.environ.items() if not k.startswith("AIODEBUG") and k != "LD_PRELOAD"}
    env.update(LD_PRELOAD=shim, AIODEBUG="help-json")
    try:
        done = subprocess.run([program], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=20)
        told = done.stderr.decode("utf-8", "replace")
        return json.loads(told[told.index("{"):])
    except (OSError, ValueError, subprocess.SubprocessError):
        raise Failure("%s does not say what it knows (is it of this version and this machine's kind?)" % shim) from None


def add_shim_argument(parser):
    parser.add_argument("--shim", metavar="PATH", help="libaiodebug.so; else that of the source tree, or the installed")


def of(args):
    return load(find_shim(args.shim, args.installed_shim))


# ------------------------------------------------------------------------------- the commands that list one of them

def add_list_arguments(parser, more=""):
    parser.add_argument("--json", action="store_true", help="as JSON" + more)
    parser.add_argument("--names", action="store_true", help="the names alone, one a line")
    add_shim_argument(parser)


def print_list(args, table, key, show):
    """show(rows) prints them for people."""
    rows = of(args)[table]
    if args.json:
        print(json.dumps(rows, indent=2))
    elif args.names:
        print("\n".join(row[key] for row in rows))
    else:
        show(rows)
    return 0
