#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The saying half of the shim: configuration, queue, reporter, log file, formats, ways out of a process.
# Two programs (driver.c, golden.c) are linked with a libaiodebug.so that has produce.c in it, and make records.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
export TSAN_OPTIONS=${TSAN_OPTIONS:-die_after_fork=0}
unset "${!AIODEBUG@}"
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}
chmod 755 "$scratch"
ulimit -c 0

build() {
    local objects
    objects=$(cd "$ROOT" && printf '%s\n' shim/*.c shim/*/*.c | sed "s,^,$BUILD/obj/,; s,c\$,o,")
    # shellcheck disable=SC2086
    "$CC" -std=gnu11 -D_GNU_SOURCE= -g -O2 -fPIC -Wall -Wextra -I"$ROOT/shim" $sanitize -shared -pthread \
        "$ROOT/tests/report/produce.c" $objects -o "$scratch/libaiodebug.so" -ldl || return 1
    cd "$ROOT/tests/report" || return 1
    for program in driver golden; do
        # shellcheck disable=SC2086
        "$CC" -std=gnu11 -D_GNU_SOURCE= -g -O0 -Wall -Wextra $sanitize $program.c -o "$scratch/$program" \
            -L"$scratch" -laiodebug -Wl,-rpath,"$scratch" -pthread || return 1
    done
}
check "the test programs build" build
[ "$failed" = 0 ] || finish
cd "$scratch" || exit 1

# quiet COMMAND...: no more than a minute, and its stderr in the file `err`.
# (A shell of its own, so that its word on an abort goes there, too.)
quiet() { (timeout -s KILL 60 "$@"; exit $?) 2> err; }
# logged COMMAND...: with the file `log` as log.
logged() { rm -f log; AIODEBUG_LOG=$scratch/log quiet "$@"; }
records() { grep -c ' [A-Z]*:aiodebug:' "${1:-log}"; }
# first_lines [FILE]: the first line of each record, without time and process.
first_lines() { sed -nE 's/^[0-9T:.-]+Z [^ ]+\[[0-9]+\] ([A-Z]+:aiodebug:)/\1/p' "${1:-log}"; }

# ------------------------------------------------------------------------------------------- configuration

# complaint VARIABLE VALUE ACCEPTED DEFAULT
complaint() {
    env "$1=$2" ./driver unused 2> err > /dev/null
    same "$1=$2: silent until a library is used" "" "$(cat err)"
    env "$1=$2" ./driver config 2> err > /dev/null
    same "$1=$2: one line, the program runs" \
        "0 aiodebug: $1=$2 is not valid: accepted are $3; using $4" "$? $(cat err)"
}
seconds="seconds, such as 0.15, or 150ms"
list="\`all\`, or slugs separated by commas, of which \`-slug\` leaves one out (AIODEBUG=help lists them)"
log="\`stderr\`, \`fd:N\`, or a path; of % only %p, %e and %% may follow"
complaint AIODEBUG yes "0, 1, \`help\` or \`help-json\`" 1
complaint AIODEBUG_SLOW_CALLBACK fast "$seconds" 0.1
complaint AIODEBUG_SLOW_CALLBACK -1 "$seconds" 0.1
complaint AIODEBUG_SLOW_CALLBACK off "$seconds" 0.1
complaint AIODEBUG_SLOW_CALLBACK 0x1 "$seconds" 0.1
complaint AIODEBUG_SLOW_CALLBACK 1,5 "$seconds" 0.1
complaint AIODEBUG_SLOW_ITERATION . "$seconds" 0.25
complaint AIODEBUG_SLOW_POLL 1m "$seconds" 1.0
complaint AIODEBUG_SLOW_QUEUE inf "$seconds" 1.0
complaint AIODEBUG_BLOCKING none "$seconds, or \`off\`" 0.05
complaint AIODEBUG_HANG nan "$seconds, or \`off\`" 5.0
complaint AIODEBUG_THREAD refuse "\`warn\`, \`error\` or \`abort\`" none
complaint AIODEBUG_RESOURCE 2 "0 or 1" 0
complaint AIODEBUG_LEVEL LOUD "DEBUG, INFO, WARNING, ERROR or CRITICAL" WARNING
complaint AIODEBUG_LOG fd:x "$log" stderr
complaint AIODEBUG_LOG /tmp/%z "$log" stderr
complaint AIODEBUG_FORMAT xml "\`text\` or \`json\`" text
complaint AIODEBUG_STACK_DEPTH 65 "0 to 64" 16
complaint AIODEBUG_CHECKS slow-calback "$list" all
complaint AIODEBUG_CHECKS slow-callback,,invalid-state "$list" all
complaint AIODEBUG_SUPPRESS /nonexistent "the path of a readable file" none
complaint AIODEBUG_EXITCODE 256 "1 to 255" none
complaint AIODEBUG_EXITCODE 0 "1 to 255" none
complaint AIODEBUG_ABORT everything "$list" none

AIODEBUG_LOG=fd:77 quiet ./driver config > out
same "a descriptor that is not open" \
    "aiodebug: AIODEBUG_LOG=fd:77 is not valid: accepted is the number of an open descriptor; using stderr" "$(cat err)"
AIODEBUG_SLOWCALLBACK=1 quiet ./driver config > out
same "an unknown name" \
    "aiodebug: AIODEBUG_SLOWCALLBACK is not a variable of aiodebug; the nearest is AIODEBUG_SLOW_CALLBACK" "$(cat err)"
AIODEBUG_LVEL=1 AIODEBUG_HANG=x quiet ./driver config > out
same "two complaints" 2 "$(grep -c '^aiodebug: ' err)"
AIODEBUG_HANG='' AIODEBUG_LEVEL='' quiet ./driver config > out
same "an empty value counts as unset" "" "$(cat err)"

quiet ./driver config > out
same "the defaults" "slow_callback=0.1 slow_iteration=0.25 slow_poll=1 slow_queue=1 blocking=0.05 hang=5
thread=0 resource=0 level=WARNING log=0 fd=0 path=- format=0 depth=16 checks=3fffffff suppress=- exitcode=-1 abort=0" \
    "$(cat out)"
touch supp
AIODEBUG=1 AIODEBUG_SLOW_CALLBACK=150ms AIODEBUG_SLOW_ITERATION=0 AIODEBUG_SLOW_POLL=.5 AIODEBUG_SLOW_QUEUE=2s \
    AIODEBUG_BLOCKING=off AIODEBUG_HANG=1.25 AIODEBUG_THREAD=error AIODEBUG_RESOURCE=1 AIODEBUG_LEVEL=debug \
    AIODEBUG_LOG=a/%e.%p%% AIODEBUG_FORMAT=json AIODEBUG_STACK_DEPTH=0 AIODEBUG_CHECKS=-slow-callback,all \
    AIODEBUG_SUPPRESS=supp AIODEBUG_EXITCODE=3 AIODEBUG_ABORT=task-destroyed-pending,invalid-state, \
    quiet ./driver config > out
same "every variable set" "slow_callback=0.15 slow_iteration=0 slow_poll=0.5 slow_queue=2 blocking=inf hang=1.25
thread=2 resource=1 level=DEBUG log=2 fd=0 path=$scratch/a/%e.%p%% format=1 depth=0 checks=3fffff7f \
suppress=$scratch/supp exitcode=3 abort=401" "$(cat out)"
same "nothing is wrong with them" "" "$(cat err)"

./driver json-help > help.json
check "the documentation is JSON" "$PYTHON" -c '
import json
page = json.load(open("help.json"))
names = {v["name"] for v in page["variables"]}
assert len(names) == len(page["variables"]) == 17, names
assert all(v["accepted"] and v["meaning"] for v in page["variables"])
slugs = {c["slug"] for c in page["checks"]}
assert len(slugs) == len(page["checks"]) == 30, slugs
assert all(c["meaning"] and c["cause"] and c["hint"] and c["level"] for c in page["checks"])'
AIODEBUG=help quiet ./driver unused > out
./driver help > help.md
check "AIODEBUG=help prints the page and the program goes on" cmp help.md err
check "each variable is in it" test "$(grep -c '^| `AIODEBUG' help.md)" = 17

# --------------------------------------------------------------------------------------------------- inert

preload=${SANITIZE_PRELOAD:+$SANITIZE_PRELOAD:}$BUILD/libaiodebug.so
AIODEBUG_HANG=bad AIODEBUG_WRONG=1 AIODEBUG_LOG=$scratch/inert.log LD_PRELOAD=$preload quiet /bin/sh -c 'echo ok' > out
same "a program that uses neither library: silent, no file" "ok  " "$(cat out) $(cat err) $(ls inert.log 2> /dev/null)"
AIODEBUG=0 logged ./driver records 5
same "AIODEBUG=0: nothing" " " "$(cat err) $(ls log 2> /dev/null)"
if [ "$(id -u)" = 0 ] && have setpriv; then
    cp driver setuid-driver
    chmod 4755 setuid-driver
    AIODEBUG_LOG=$scratch/setuid.log setpriv --reuid=65534 --clear-groups ./setuid-driver records 5 2> err
    same "a set-user-id program: nothing" "0 " "$? $(cat err)$(ls setuid.log 2> /dev/null)"
fi
own=1
[[ $SANITIZE == *thread* ]] && own=2 # one is ThreadSanitizer's, and starts with the first pthread_create()
same "one thread more from the first record on, until it has been idle" "1 1 $((own + 1)) $own $((own + 1))" \
    "$(./driver life 2> /dev/null)"
same "errno is kept" 0 "$(./driver errno 2> /dev/null; echo $?)"
same "no descriptor but the log's" "1 0" \
    "$(logged ./driver fds) $(./driver fds 2> /dev/null)"

# ------------------------------------------------------------------------------------------ what is let in

AIODEBUG_CHECKS=slow-callback logged ./driver check slow-callback
AIODEBUG_CHECKS=slow-callback quiet ./driver check invalid-state
same "AIODEBUG_CHECKS=slug" "WARNING:aiodebug:said [slow-callback]" "$(first_lines)$(first_lines err)"
AIODEBUG_CHECKS=-slow-callback logged ./driver check invalid-state
AIODEBUG_CHECKS=-slow-callback quiet ./driver check slow-callback
same "AIODEBUG_CHECKS=-slug" "ERROR:aiodebug:said [invalid-state]" "$(first_lines)$(first_lines err)"
for level in DEBUG:5 INFO:4 WARNING:3 ERROR:2 CRITICAL:1; do
    AIODEBUG_LEVEL=${level%:*} logged ./driver level
    same "AIODEBUG_LEVEL=${level%:*}" "${level#*:}" "$(records)"
done
cat > supp << 'END'
# a comment

slow-callback:no_such_function
 slow-callback : suppress*  
request-reused:suppressions
bad-slug:glob
invalid-state
END
AIODEBUG_SUPPRESS=supp quiet ./driver suppress
same "suppressed by function, the others not; bad lines are told" \
    "aiodebug: $scratch/supp:6: accepted are \`slug:function-or-module-glob\` and comments with #; there is no check \`bad-slug\`
aiodebug: $scratch/supp:7: accepted are \`slug:function-or-module-glob\` and comments with #; the glob is missing
ERROR:aiodebug:state [invalid-state]
ERROR:aiodebug:no stack [request-reused]" "$(grep '^aiodebug' err; first_lines err)"
echo '*:driver' > supp
AIODEBUG_SUPPRESS=supp AIODEBUG_EXITCODE=9 quiet ./driver suppress
same "suppressed by module, any check" "9 ERROR:aiodebug:no stack [request-reused]" "$? $(first_lines err)"
echo '*:*' > supp
AIODEBUG_CHECKS=slow-callback AIODEBUG_SUPPRESS=supp AIODEBUG_EXITCODE=9 AIODEBUG_ABORT=slow-callback \
    quiet ./driver suppress
same "what is suppressed neither aborts nor changes the exit status" "0 " "$? $(cat err)"

# ---------------------------------------------------------------------------------------------- repetition

logged ./driver repeat 3
same "three times in full" 3 "$(records)"
logged ./driver repeat 4
same "the fourth is counted" "WARNING:aiodebug:Executing it took long ... repeated 1 more time (4 in all) [slow-callback]" \
    "$(first_lines | tail -n 1)"
logged ./driver repeat 100000
same "a hundred thousand make four records" "4
WARNING:aiodebug:Executing it took long ... repeated 99997 more times (100000 in all) [slow-callback]" \
    "$(records; first_lines | tail -n 1)"
AIODEBUG_FORMAT=json logged ./driver repeat 5000
check "and so in JSON, with count" "$PYTHON" -c '
import json
*full, last = [json.loads(line) for line in open("log")]
assert len(full) == 3 and all(r["count"] == 1 for r in full)
assert last["count"] == 5000 and last["check"] == "slow-callback" and "repeated 4997 more times" in last["message"]
assert last["total_seconds"] is None and last["max_seconds"] is None'
logged ./driver timed
same "how long those took that are only counted" \
    "WARNING:aiodebug:Executing it took long ... repeated 3 more times, together 1.125 seconds, at most 0.750 seconds (6 in all) [slow-callback]
WARNING:aiodebug:Executing it took long ... repeated 1 more time, together 0.500 seconds, at most 0.500 seconds (7 in all) [slow-callback]" \
    "$(first_lines | tail -n 2)"
AIODEBUG_FORMAT=json logged ./driver timed
check "and so in JSON" "$PYTHON" -c '
import json
*full, six, seven = [json.loads(line) for line in open("log")]
assert [r["seconds"] for r in full] == [5, 6, 7] and all("total_seconds" not in r for r in full), full
assert [(r["seconds"], r["count"], r["total_seconds"], r["max_seconds"]) for r in (six, seven)] == \
    [(None, 6, 1.125, 0.75), (None, 7, 0.5, 0.5)], (six, seven)'
AIODEBUG_LEVEL=INFO logged ./driver info
same "records below WARNING are not counted together" 10 "$(records)"
logged ./driver places
same "mistakes beyond the table's size share a place" "4100
WARNING:aiodebug:record 4096. ... repeated 1901 more times (1904 in all) [slow-callback]" \
    "$(records; first_lines | tail -n 1)"

# --------------------------------------------------------------------------------------------------- queue

logged ./driver eight
same "eight threads: 4000 records, none lost, none twice" "4000 4000 0" \
    "$(records) $(grep -o 'record [0-9]*\.' log | sort -u | wc -l) $(grep -c dropped log)"
mkfifo full
AIODEBUG_LOG=fd:4 quiet ./driver overflow 5<> full 4> full > out
same "a full queue: what is in it is kept, the rest counted" "1025 WARNING:aiodebug:3976 records dropped (queue full)" \
    "$(first_lines out | grep -c 'record [0-9]*\.') $(first_lines out | grep dropped)"
if [ "$(id -u)" = 0 ]; then
    quiet ./driver no-thread > out
    same "no thread to be had: written all the same" "0 10" "$(cat out) $(records err)"
fi

# ----------------------------------------------------------------------------------------------------- out

# ends WAY STATUS RECORDS [OUTPUT]
ends() {
    logged ./driver end "$1" > out
    same "$1: status, records, output" "$2 $3 ${4:-}" "$? $(records) $(cat out)"
}
ends return 0 10
ends return5 5 10
ends exit 0 10
ends exit5 5 10
ends _exit 0 10
ends _exit5 5 10
ends _Exit 0 10
ends quick_exit 0 10
ends quick_exit5 5 10
ends abort 134 10
ends assert 134 10
check "assert still says what failed" grep -q 'Assertion .*this' err
ends thread 0 20
# Under ThreadSanitizer no process outlives the pthread_exit() of its main thread, with the shim or without.
main_thread_may_go=$([[ $SANITIZE == *thread* ]] || echo yes)
if [ -n "$main_thread_may_go" ]; then
    ends pthread_exit 0 20
    ends thrd_exit 0 20
    ends alone 0 10
    ends raw 0 10
fi
ends handlers 0 12
same "after the program's own exit handlers" "record 100.
record 200." "$(grep -o 'record .00\.' log)"
ends signal 3 10
for way in execv execvp execl execlp; do
    ends "$way" 0 10 "execed ok"
done
for way in execve execvpe execle fexecve execveat; do
    ends "$way" 0 10 "execed ok env"
done
ends exec-fails 0 15 "errno 2"
same "counts before the exec and after it" "again ... repeated 6 more times (9 in all)
again ... repeated 1 more time (10 in all)" "$(grep -o 'again \.\.\. [^[]*)' log)"

for way in return exit _exit _Exit quick_exit ${main_thread_may_go:+alone pthread_exit}; do
    AIODEBUG_EXITCODE=42 logged ./driver end "$way"
    same "AIODEBUG_EXITCODE, $way" "42 0" "$? $(grep -c repeated log)"
done
for way in return5 exit5 _exit5 quick_exit5; do
    AIODEBUG_EXITCODE=42 logged ./driver end "$way"
    same "AIODEBUG_EXITCODE leaves a failure alone, $way" 5 $?
done
AIODEBUG_EXITCODE=42 AIODEBUG_LEVEL=INFO logged ./driver info
same "AIODEBUG_EXITCODE needs a WARNING" 0 $?
AIODEBUG_EXITCODE=42 logged ./driver config > out
same "AIODEBUG_EXITCODE needs a record" 0 $?
AIODEBUG_ABORT=slow-callback logged ./driver records 3
same "AIODEBUG_ABORT: the record is written, then SIGABRT" "134 WARNING:aiodebug:record 0. [slow-callback]" \
    "$? $(first_lines)"
AIODEBUG_ABORT=-slow-callback logged ./driver records 3
same "AIODEBUG_ABORT of all others" "0 3" "$? $(records)"

# ---------------------------------------------------------------------------------------------------- fork

# forks HOW OUTPUT PARENTS_RECORDS OTHERS
forks() {
    logged ./driver fork "$1" > out
    local pid
    pid=$(sed -nE '/record 0\. /s/.*driver\[([0-9]+)\] .*/\1/p' log)
    same "fork, $1: each record once" "$2 $3 $4" \
        "$(paste -sd, out) $(grep -c "driver\[$pid\] " log) $(grep ' [A-Z]*:aiodebug:' log | grep -vc "driver\[$pid\] ")"
    same "fork, $1: nothing twice" "" "$(grep -o 'record [0-9]*\.' log | sort | uniq -d)"
}
forks exec "child 0" 24 0
forks quiet "child 0" 24 0
forks _exit "child 0" 24 0
forks vfork "child 0,child 7" 24 0
# AddressSanitizer leaves its allocator locked in a child, when the reporter's thread was in it: the child waits for
# ever where it reports.
if [[ $SANITIZE != *address* ]]; then
    forks records "child 0" 24 20
    forks nested "child 0" 24 10
    AIODEBUG_LOG=$scratch/each.%e.%p timeout -s KILL 60 ./driver fork nested > out 2> err
    same "%e and %p: a file for each process" "3 24,5,5" \
        "$(ls each.driver.* | wc -l) $(for f in each.driver.*; do records "$f"; done | sort -rn | paste -sd,)"
    logged ./driver storm
    same "forks while other threads report" "0 50" \
        "$? $(grep -c 'record [0-9]\.\|record [1-4][0-9]\.' log)"
fi

# -------------------------------------------------------------------------------------------------- the log

rm -f log
for _ in 1 2; do AIODEBUG_LOG=log ./driver records 2; done
same "a log is appended to" 4 "$(records)"
logged ./driver closed
same "the log's descriptor is closed by the program: opened anew" "2 " "$(records) $(cat err)"
logged ./driver reuse "$scratch/victim" > out
same "it is given to another file: that is left alone" "log high cloexec 1 mine 2" \
    "$(paste -sd' ' out) $(cat victim) $(records)"
quiet ./driver two "$scratch/victim"
same "stderr is redirected by the program: nothing is written there" "1 0" "$(records err) $(wc -c < victim)"
AIODEBUG_LOG=/dev/full quiet ./driver records 2
same "a full disk: one line, then stderr" \
    "aiodebug: cannot write to /dev/full: No space left on device; the log goes to stderr 2" "$(head -n 1 err) $(records err)"
AIODEBUG_LOG=$scratch/no/such/dir quiet ./driver records 2
same "no directory: one line, then stderr" \
    "aiodebug: cannot open $scratch/no/such/dir: No such file or directory; the log goes to stderr 2" \
    "$(head -n 1 err) $(records err)"
numbers() { grep -o 'record [0-9]*\.' "$1" | tr -dc '0-9\n' | paste -sd' '; }
for how in again:'0 1 2' last:'0 1' fork:'0 1' killed:'0 1'; do
    logged ./driver short "${how%:*}"
    same "no descriptor to be had, then there is, ${how%:*}: held back, in order, nothing on stderr" "${how#*:} " \
        "$(numbers log) $(grep aiodebug err)"
done
logged ./driver short never
same "no descriptor to be had until the end: stderr, and why" \
    "0 aiodebug: cannot open $scratch/log: Too many open files; 2 records go to stderr 0 1 " \
    "$? $(head -n 1 err) $(numbers err) $(ls log 2> /dev/null)"
AIODEBUG_ABORT=slow-callback logged ./driver short never
same "no descriptor to be had, and AIODEBUG_ABORT: stderr" \
    "134 aiodebug: cannot open $scratch/log: Too many open files; 1 record goes to stderr 0" \
    "$? $(head -n 1 err) $(numbers err)"
logged ./driver short many
same "more than can be held back: on stderr, the rest in the file, all in order" "$(seq -s' ' 0 999)" \
    "$(numbers err) $(numbers log)"
mkfifo lonely
AIODEBUG_LOG=$scratch/lonely quiet ./driver records 2
same "a FIFO without reader: one line, then stderr" \
    "aiodebug: cannot open $scratch/lonely: No such device or address; the log goes to stderr 2" \
    "$(head -n 1 err) $(records err)"
timeout -s KILL 60 ./driver records 2 2> /dev/full
same "stderr on a full disk: no harm" 0 $?
same "stderr is a closed pipe: no harm" 0 "$( (./driver signals; echo $? >&3) 2>&1 > /dev/null 3> status | :; cat status)"
timeout -s KILL 60 ./driver records 2 2>&-
same "stderr is closed: no harm" 0 $?
AIODEBUG_LOG=fd:7 quiet "$PYTHON" -c '
import os, signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
r, w = os.pipe()
os.dup2(w, 7)
os.close(r), os.close(w)
os.execv("./driver", ["driver", "signals"])'
same "the log is a closed pipe: no SIGPIPE, then stderr" \
    "0 aiodebug: cannot write to fd:7: Broken pipe; the log goes to stderr 3" "$? $(head -n 1 err) $(records err)"
AIODEBUG_LOG=fd:7 quiet ./driver records 3 7> seven
same "fd:N" "3 " "$(records seven) $(cat err)"
(
    (
        ulimit -f 1
        AIODEBUG_LOG=$scratch/small timeout -s KILL 60 ./driver records 200
        echo $? >&3
    ) 2>&1 3> status | cat > err
)
same "a file size limit: no SIGXFSZ, then stderr" \
    "0 aiodebug: cannot write to $scratch/small: File too large; the log goes to stderr" "$(cat status) $(head -n 1 err)"
check "nothing is lost" test $(($(records small) + $(records err))) -ge 200

# ------------------------------------------------------------------------------------------------- formats

logged ./golden
same "as text" "$(cat "$ROOT/tests/report/golden.txt")" \
    "$(sed -E 's/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z golden\[[0-9]+\] /TIME golden[PID] /' log)"
cp log golden.log
AIODEBUG_FORMAT=json logged ./golden
check "as JSON: the same content" "$PYTHON" "$ROOT/tests/report/json_golden.py" golden.log log
strip -o stripped golden
logged ./stripped
offset=$(grep -om1 'created at stripped+0x[0-9a-f]*' log | cut -d+ -f2)
same "without symbols: module and offset, for addr2line elsewhere" "create_task golden.c:15" \
    "$(addr2line -sfe golden "$offset" | paste -sd' ')"
check "and the build-id" grep -qE "^  Module \".*/stripped\", offset $offset, build-id [0-9a-f]{40}\$" log
AIODEBUG_FORMAT=json logged ./driver nasty
check "nasty strings in JSON" "$PYTHON" -c '
import json
lines = open("log", "rb").read().split(b"\n")
assert lines.pop() == b""
found = [json.loads(line.decode("utf-8")) for line in lines]
expected = [
    "quote \" backslash \\ slash / tab \t newline \n return \r",
    "escape \x1b[31m delete \x7f bell \a one \2",
    "valid \u00e4 \u20ac \U0001f600",
    "invalid \ufffd \ufffd \ufffd\ufffd overlong \ufffd\ufffd\ufffd surrogate \ufffd\ufffd\ufffd beyond "
    "\ufffd\ufffd\ufffd\ufffd end \ufffd\ufffd",
    "reference without end \1C12",
    "\1Cxyz\1 \1Q1\1 \1N\1 \1C1",
    "none",
    ""]
for r, text in zip(found, expected, strict=True):
    for value in (r["message"], r["loop"], r["object"]["repr"]):
        assert value == text, (value, text)
    assert r["errors"] == [text] and r["hint"] == (text or None), r["errors"]
    assert r["threshold"] is None and r["seconds"] == 0.5
    assert list(r["context"].values()) == [text], r["context"]'
logged ./driver nasty
check "nasty strings in text: no control characters, no forged record" "$PYTHON" -c '
import re
text = open("log", "rb").read()
assert not re.search(rb"[\0-\10\13-\37\177]", text), text
assert len(re.findall(rb"(?m)^\S+Z driver\[\d+\] ERROR:aiodebug:", text)) == 8
assert rb"slash / tab \t newline \n     return \x0d [" in text.replace(b"\t", rb"\t").replace(b"\n", rb"\n")
assert rb"escape \x1b[31m delete \x7f bell \x07 one \x02 [" in text'
logged ./driver long
check "long strings are cut, what follows them is not lost" "$PYTHON" -c '
import re
text = open("log").read()
lengths = [len(s) for s in re.findall(r"aiodebug:(0*1?) ", text)]
assert lengths[0] == 5000 and 16000 < lengths[1] < 65536, lengths
assert text.count("task: after the long one") == 2'
AIODEBUG_CHECKS=slow-callback logged ./driver unnamed
same "records of no check: no slug, no hint, told apart by their words" "$(printf 'ERROR:aiodebug:message %d\n' 0 1 2 3)" \
    "$(sed -E 's/^[^ ]+ [^ ]+ //' log)"
AIODEBUG_FORMAT=json logged ./driver unnamed
check "and so in JSON" test "$(grep -c '"check":null,.*"hint":null}' log)" = 4
AIODEBUG=0 logged ./driver unnamed
check "none when the shim is off" test ! -e log
logged ./driver fatal
same "the record of a dying process, one after another" 3 "$(records)"
check "AIODEBUG_FORMAT=json says version 1" grep -q '^{"version":1,"time":"20' <(AIODEBUG_FORMAT=json ./driver records 1 2>&1)

finish
