# SPDX-License-Identifier: MIT
"""The words and families in which the report and the exports speak of checks.

What a check means and how to fix it comes from the log (`hint`) or from the shim itself (tables); here is only
what neither has: a heading for people, and which checks belong together and so share a colour. A check of a
newer shim that is not listed gets a heading made of its slug, and the family "other".
"""

# family -> (what it is called, what it is about)
FAMILIES = {
    "time": ("Blocked loops", "The loop's thread was busy, and everything else in the loop had to wait."),
    "wait": ("Late polls and full pools", "The loop was ready, but the kernel or the thread pool was late."),
    "task": ("Tasks and futures", "Tasks, futures and coroutines that nobody finished, awaited or asked."),
    "handle": ("Handles and requests", "Handles and requests that were leaked or used against their rules."),
    "thread": ("Threads", "Calls from a thread that does not own the loop."),
    "crash": ("Crashes", "Mistakes that end the process."),
    "other": ("Other reports", "What the program itself, or a newer version of the shim, reported."),
}

# slug -> (family, heading)
CHECKS = {
    "slow-callback": ("time", "Callbacks kept the loop too long"),
    "slow-iteration": ("time", "Turns of the loop took too long"),
    "blocking-call": ("time", "Blocking calls inside callbacks"),
    "loop-hang": ("time", "A loop hung in one callback"),
    "slow-poll": ("wait", "The selector came back late"),
    "threadpool-saturated": ("wait", "Jobs waited for a free thread of the pool"),
    "task-destroyed-pending": ("task", "Tasks were destroyed before they were done"),
    "task-exception-never-retrieved": ("task", "Tasks failed and nobody asked for the error"),
    "future-exception-never-retrieved": ("task", "Futures failed and nobody asked for the error"),
    "callback-exception": ("task", "Callbacks returned errors that nobody receives"),
    "coroutine-never-awaited": ("task", "Coroutines were never awaited"),
    "await-cycle": ("task", "Tasks waited for each other"),
    "coroutine-ignored-close": ("task", "Coroutines went on awaiting while being destroyed"),
    "invalid-state": ("task", "Futures were completed twice"),
    "pending-at-close": ("task", "Tasks were pending when their loop was closed"),
    "unclosed-loop": ("handle", "Event loops were left unclosed"),
    "unclosed-transport": ("handle", "Transports were left open"),
    "write-after-loss": ("handle", "Connections were written to after their loss"),
    "accept-failed": ("handle", "Connections could not be accepted"),
    "unclosed-handle": ("handle", "Handles were still open at exit"),
    "handle-destroyed-active": ("handle", "Memory of open handles was freed"),
    "handle-reinitialized": ("handle", "Open handles were initialised again"),
    "handle-closed-twice": ("handle", "Handles were closed twice"),
    "handle-used-after-close": ("handle", "Handles were used after their close"),
    "request-reused": ("handle", "Requests were submitted again while pending"),
    "request-pending-at-exit": ("handle", "Requests were still pending at exit"),
    "loop-busy-at-close": ("handle", "Loops were closed while handles were open"),
    "non-thread-safe-call": ("thread", "Calls from a thread that does not run the loop"),
    "loop-reentered": ("thread", "A running loop was run again"),
    "stack-overflow": ("crash", "Coroutines overflowed their stacks"),
}

# Checks whose `seconds` are time in which the loop's thread could do nothing else.
BLOCKED = frozenset(("slow-callback", "slow-iteration", "blocking-call", "loop-hang"))

# The rows of a loop in the timeline: row -> (name, the checks drawn in it).
ROWS = (
    ("callbacks", ("slow-callback",)),
    ("turns", ("slow-iteration",)),
    ("hangs", ("loop-hang",)),
    ("blocking calls", ("blocking-call",)),
    ("polls", ("slow-poll",)),
    ("pool", ("threadpool-saturated",)),
    ("reports", ()),  # everything else: points in time
)
ROW_OF = {slug: number for number, (_, slugs) in enumerate(ROWS) for slug in slugs}
MARKS = len(ROWS) - 1

# What was left behind: counted by where it was created.
LEAKS = frozenset(("task-destroyed-pending", "coroutine-never-awaited", "unclosed-loop", "unclosed-transport",
                   "unclosed-handle", "handle-destroyed-active", "loop-busy-at-close", "request-pending-at-exit"))


def family(slug):
    return CHECKS.get(slug, ("other", None))[0]


def heading(slug, level="WARNING"):
    if slug == "slow-poll" and level in ("DEBUG", "INFO"):
        return "Polls of the selector"  # at these levels it only tells how long it was idle
    if slug in CHECKS:
        return CHECKS[slug][1]
    if not slug:
        return "Reports of the program itself"
    return slug.replace("-", " ").capitalize()
