# SPDX-License-Identifier: MIT
"""Runs a program under libaiodebug.so: with its own terminal, its signals and its exit status; the log goes to a
file, and what was reported is said in short at the end."""

import errno
import os
import resource
import signal
import stat
import sys
import time

from . import Failure, elf, filters, parallel, tables, terminal
from .summary import by_weight, places_of
from .terminal import Screen, clean, seconds, span

HELP = "run a program in debug mode, say in short what was found"
EXAMPLES = """\
examples:
  aiodebug run -- ./app --port 8080
  aiodebug run --slow-callback=20ms --resource=1 -- ./app
  aiodebug run --fail-on=task-destroyed-pending,loop-hang -- make test         for CI
  aiodebug run --fail-on=all --quiet --log=/tmp/app.jsonl -- ./app

Each variable of the shim is an option of the same name: --slow-callback is AIODEBUG_SLOW_CALLBACK (aiodebug env
lists them). Children of the program are watched too, and write into the same log. The status is the program's own,
a signal's included; 1 when it is 0 and a check of --fail-on was reported; 2 when the program cannot be watched
(it is static, set-user-id, or of another kind than the shim), 127 and 126 when it is not there or cannot be run."""

TYPED = ("SIGINT", "SIGQUIT")  # at the terminal, where they reach the program by themselves
FORWARDED = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM")


def add_arguments(parser):
    parser.add_argument("--fail-on", metavar="SLUG,...", action="append", default=[],
                        help="status 1 when one of these checks was reported (all: any; patterns are allowed, -slug "
                        "leaves one out), unless the program itself has failed")
    parser.add_argument("--quiet", "-q", action="store_true", help="no summary at the end")
    parser.add_argument("--dry-run", action="store_true", help="print the command as a shell takes it, and run nothing")
    tables.add_shim_argument(parser)
    group = parser.add_argument_group("the shim's variables")
    for variable in variables_now(sys.argv):
        name = variable["name"].removeprefix("AIODEBUG_")
        if name == variable["name"]:
            continue  # AIODEBUG itself: that is what this command is for
        default = {"LOG": "aiodebug-PROGRAM-N.jsonl", "FORMAT": "json"}.get(name, variable["default"] or "unset")
        short = ["-o"] if name == "LOG" else []
        text = "%s; accepted: %s (%s)" % (variable["meaning"], variable["accepted"], default)
        group.add_argument("--" + name.lower().replace("_", "-"), *short, dest=variable["name"], metavar="VALUE",
                           help=text.replace("%", "%%").replace("`", ""))
    parser.add_argument("program", metavar="PROGRAM", help="what to run; -- before it, so that its options stay its")
    parser.add_argument("arguments", nargs="...", metavar="ARGUMENT")


def variables_now(argv):
    """The table of the shim that will be used; empty when there is none, which main() complains about."""
    given = None
    for position, word in enumerate(argv):
        if word == "--":
            break
        if word.startswith("--shim="):
            given = word[7:]
        elif word == "--shim" and position + 1 < len(argv):
            given = argv[position + 1]
    try:
        # make install's --manpage names a shim that is not installed yet.
        return tables.load(tables.find_shim(given, INSTALLED_SHIM))["variables"]
    except Failure:
        return []


INSTALLED_SHIM = ""  # main.py's caller knows; set before the arguments are made


def main(args):
    shim = tables.find_shim(args.shim, args.installed_shim)
    program = elf.find_program(args.program)
    if program is None:
        print("aiodebug: %s: there is no such program" % args.program, file=sys.stderr)
        return 127
    if any(c in shim for c in ": \t\n"):
        raise Failure("%s: the loader takes no path with a colon or white space in LD_PRELOAD: install the shim elsewhere"
                      % shim)
    complaint = cannot_watch(program, shim)
    if complaint:
        raise Failure(complaint)
    fail_on = [slug for text in args.fail_on for slug in text.split(",") if slug]
    known = {check["slug"] for check in tables.load(shim)["checks"]}
    for slug in fail_on:
        if slug.lstrip("-") not in known and slug != "all" and not any(c in slug for c in "*?["):
            raise Failure("--fail-on=%s: there is no such check (aiodebug checks lists them)" % slug)
    settings = settings_from(args, program)
    command = [args.program] + args.arguments
    if args.dry_run:
        import shlex
        print(" ".join(["%s=%s" % (k, shlex.quote(v)) for k, v in settings.items()] +
                       ["LD_PRELOAD=" + shlex.quote(preload(shim))] + [shlex.quote(word) for word in command]))
        return 0
    started, clock = time.time(), time.monotonic()
    environment = dict(os.environ, LD_PRELOAD=preload(shim), **settings)
    code = execute(program, command, environment)
    return conclude(args, settings, fail_on, code, started, time.monotonic() - clock)


def preload(shim):
    """Behind what is preloaded already: a sanitizer's runtime must come first."""
    before = os.environ.get("LD_PRELOAD", "")
    return (before + ":" if before.strip(": ") else "") + shim


def settings_from(args, program):
    settings = {"AIODEBUG": "1", "AIODEBUG_FORMAT": "json"}
    for name, value in vars(args).items():
        if name.startswith("AIODEBUG_") and value is not None:
            settings[name] = value
    if "AIODEBUG_LOG" not in settings:
        settings["AIODEBUG_LOG"] = free_name(os.path.basename(program))
    if settings["AIODEBUG_LOG"] not in ("stderr",) and not settings["AIODEBUG_LOG"].startswith("fd:"):
        settings["AIODEBUG_LOG"] = os.path.abspath(settings["AIODEBUG_LOG"])
    return settings


def free_name(program):
    """A log's name that nothing has yet, here or, where nothing can be written, in the directory for such."""
    directory = "." if os.access(".", os.W_OK) else os.environ.get("TMPDIR") or "/tmp"
    stem = "aiodebug-%s-" % "".join(c if c.isalnum() or c in "._-" else "_" for c in program)
    number = os.getpid()
    while os.path.exists(os.path.join(directory, "%s%d.jsonl" % (stem, number))):
        number += 1
    return os.path.join(directory, "%s%d.jsonl" % (stem, number)).replace("%", "%%")


# ------------------------------------------------------------------------------------------------ can it be done?

def cannot_watch(program, shim):
    """Why the shim would not be loaded into this program; None: it would."""
    try:
        state = os.stat(program)
        if stat.S_ISDIR(state.st_mode):
            return "%s: is a directory" % program
        real = elf.binary_of(program)
    except OSError as error:
        return "%s: %s" % (program, error.strerror)
    through = "" if real == program else "%s, which runs %s, " % (real, program)
    name = through or program + " "
    try:
        binary, own = elf.Elf(real), elf.Elf(shim)
    except elf.NotElf:
        return None  # the kernel knows more kinds of programs (binfmt_misc); let it try
    except OSError as error:
        return "%s: %s" % (error.filename or real, error.strerror)
    if (binary.bits, binary.machine, binary.order) != (own.bits, own.machine, own.order):
        return "%sis a %s program, but %s is for %s: build the shim for it" % (
            name, binary.architecture(), tables.NAME, own.architecture())
    if not binary.interpreter:
        return "%sis linked statically, so nothing can be preloaded into it: link it dynamically" % name
    if "musl" in os.path.basename(binary.interpreter):
        return "%sis built for another C library (%s) than %s" % (name, binary.interpreter, tables.NAME)
    state = os.stat(real)
    if (state.st_mode & stat.S_ISUID and state.st_uid != os.getuid()
            or state.st_mode & stat.S_ISGID and state.st_mode & stat.S_IXGRP and state.st_gid != os.getgid()):
        return "%sis set-user-id or set-group-id, and the loader preloads nothing into such: run a copy without the bit" \
            % name
    try:
        if os.getuid() != 0 and os.getxattr(real, "security.capability"):
            return "%shas file capabilities, and the loader preloads nothing into such: run a copy without them" % name
    except OSError:
        pass
    return None


# ---------------------------------------------------------------------------------------------------- running it

def execute(program, command, environment):
    """Runs it and gives its wait status. It is in our process group and has our terminal, so what is typed there
    reaches both; we let the program decide. What is sent to us alone is passed on."""
    pid = None

    def forward(number, _frame):
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    # Blocked until each of the two has its handlers: none may hit us in between.
    numbers = {getattr(signal, name) for name in TYPED + FORWARDED}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    before = {number: signal.getsignal(number) for number in numbers}
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        become(program, command, environment, before, mask)
    for name in TYPED + FORWARDED:
        number = getattr(signal, name)
        if before[number] != signal.SIG_IGN:
            signal.signal(number, signal.SIG_IGN if name in TYPED else forward)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    while True:
        try:
            _, code = os.waitpid(pid, 0)
            break
        except InterruptedError:
            continue
    for number, handler in before.items():
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    return code


def become(program, command, environment, handlers, mask):
    """In the child: the program, with the signals as we had them. Does not return."""
    try:
        for number, handler in handlers.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        for name in ("SIGPIPE", "SIGXFSZ"):  # which Python ignores
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            os.execve(program, command, environment)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execve("/bin/sh", ["sh", program] + command[1:], environment)  # no #!: as a shell would
    except OSError as error:
        os.write(2, ("aiodebug: %s: %s\n" % (program, error.strerror)).encode("utf-8", "backslashreplace"))
    finally:
        os._exit(126)


def conclude(args, settings, fail_on, code, started, took):
    """Says what was found, and ends as the program did."""
    log = settings["AIODEBUG_LOG"]
    files = log_files(log)
    tally = None
    if files:
        # A file that was there before is appended to; what it had is not this run's.
        tally = parallel.tally_logs(files, filters.Filter(since=started - 1e-3))
    if not args.quiet:
        show(tally, files, args, code, took, log)
    found = []
    if tally and fail_on:
        found = [slug for slug in tally.checks if slug and filters.wanted_check(fail_on, slug)]
    if found:
        print("aiodebug: failed: %s (--fail-on)" % ", ".join(
            "%s was reported %s" % (slug, terminal.count(tally.checks[slug].weight, "time")) for slug in sorted(found)),
              file=sys.stderr)
    elif fail_on and not files and (log == "stderr" or log.startswith("fd:")):
        raise Failure("--fail-on needs the log in a file (--log)")
    if os.WIFSIGNALED(code):
        die_of(os.WTERMSIG(code))
    status = os.WEXITSTATUS(code)
    return status if status else 1 if found else 0


def log_files(log):
    """The files that the run has written, for %p and %e any."""
    if log == "stderr" or log.startswith("fd:"):
        return []
    import glob
    pattern = "".join({"%p": "[0-9]*", "%e": "*", "%%": "%"}[part] if part in ("%p", "%e", "%%") else glob.escape(part)
                      for part in split_percent(log))
    return sorted(path for path in glob.glob(pattern) if os.path.isfile(path))


def split_percent(log):
    at = 0
    while at < len(log):
        size = 2 if log[at] == "%" and log[at + 1:at + 2] in ("p", "e", "%") else 1
        yield log[at:at + size]
        at += size


def die_of(number):
    """As the program did, so that whoever waits for us sees the same; without a core file of ours."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    sys.exit(128 + number)


# ---------------------------------------------------------------------------------------------------- the summary

def show(tally, files, args, code, took, log):
    screen = Screen(sys.stderr)
    screen.line()
    screen.line("aiodebug: %s %s after %s; %s" % (clean(args.program), ending(code), span(took), verdict(tally, log)))
    if tally and tally.records:
        screen.line()
        rows, colours = [], {}
        for number, (slug, check) in enumerate(by_weight(tally.checks)):
            most = check.durations.most if check.durations.count else None
            top = max(check.places.items(), key=lambda item: (item[1].seconds, item[1].weight, item[0]))[0]
            others = len(check.places) - 1
            rows.append([terminal.number(check.weight), slug, check.level, seconds(most) if most else "",
                         clean(top) + (", and %s more" % (terminal.number(others) if others < 5000 else
                                                          places_of(check)) if others else "")])
            colours[number, 2] = terminal.LEVEL_COLOURS[check.level]
        screen.table(["count", "check", "level", "longest", "where"], rows, (1, 2, 4), colours, "  ")
        screen.line()
        screen.line("The log: " + " ".join(clean(os.path.relpath(path)) for path in files[:3]) +
                    (" and %d more" % (len(files) - 3) if len(files) > 3 else ""))
        tally.damage.tell()


def ending(code):
    if os.WIFSIGNALED(code):
        return "was ended by %s" % signal.Signals(os.WTERMSIG(code)).name if os.WTERMSIG(code) in \
            signal.Signals.__members__.values() else "was ended by signal %d" % os.WTERMSIG(code)
    return "ended with status %d" % os.WEXITSTATUS(code)


def verdict(tally, log):
    if tally and tally.records:
        return "libaiodebug reported"
    if log == "stderr" or log.startswith("fd:"):
        return "the log went to " + log
    return "nothing was reported"
