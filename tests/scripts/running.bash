# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by run.sh: `aiodebug run`.

run() { "$aiodebug" run --shim "$shim" "$@"; }

mkdir runs
cd runs || exit 1
golden run 0 "$aiodebug" run --shim "$shim" --slow-callback=1 -- ../again
golden run-slow 0 "$aiodebug" run --shim "$shim" ../slow
golden run-nothing 0 "$aiodebug" run --shim "$shim" -- true
same "its log is in this directory" "aiodebug-again aiodebug-slow" \
    "$(ls | grep -E '^aiodebug-(again|slow)-[0-9]+\.jsonl$' | sed 's/-[0-9]*\.jsonl//' | tr '\n' ' ' | sed 's/ $//')"
golden run-fail-on 1 "$aiodebug" run --shim "$shim" --slow-callback=1 --fail-on=coroutine-never-awaited -- ../again
golden run-fail-on-unknown 2 "$aiodebug" run --shim "$shim" --fail-on=coroutine-never-waited -- ../again
run --quiet --fail-on=loop-hang -- ../again
same "--fail-on another check" 0 $?
run --quiet --fail-on='all,-coroutine-*' --slow-callback=1 -- ../again
same "--fail-on all but one" 0 $?
run --quiet --log=x.%e.%p.jsonl --format=text --slow-callback=1 -- ../again
check "--log, --format: as the variables" grep -q 'again\[[0-9]*\] WARNING:aiodebug:.*\[coroutine-never-awaited\]' x.again.*.jsonl
run --quiet --checks=-coroutine-never-awaited --slow-callback=1 --log=none.jsonl -- ../again
check "--checks" [ ! -e none.jsonl ]
run --quiet --log=appended.jsonl --slow-callback=1 -- ../again
run --log=appended.jsonl --slow-callback=1 -- ../never_awaited 2> stderr
same "a log that is appended to: only this run is told of" "1" "$(grep -oE '^ +[0-9]+  coroutine' stderr | grep -oE '[0-9]+')"
same "... and all is in the file" 5 "$(wc -l < appended.jsonl)"
run --quiet --log=children.jsonl --slow-callback=1 -- sh -c '../again; ../never_awaited'
same "children are watched, into one log" "again never_awaited" \
    "$(grep -oE '"program":"[a-z_]*"' children.jsonl | sort -u | cut -d'"' -f4 | tr '\n' ' ' | sed 's/ $//')"

# Status, signals, the terminal.
run --quiet -- sh -c 'exit 7'
same "status" 7 $?
run --quiet --fail-on=all --slow-callback=1 -- sh -c '../again; exit 7' 2> /dev/null
same "its own status before that of --fail-on" 7 $?
(run --quiet -- sh -c 'kill -SEGV $$'; echo $?) > status 2> /dev/null
same "ended by a signal" 139 "$(cat status)"
check "no core file of our own" [ -z "$(find . -name 'core*')" ]
run -- ./nowhere 2> /dev/null
same "not there" 127 $?
: > plain
run -- ./plain 2> /dev/null
same "not executable" 126 $?
printf 'echo "$0 $1"\n' > noshebang
chmod +x noshebang
same "a script without #!" "./noshebang x" "$(run --quiet -- ./noshebang x)"
"$aiodebug" run --shim "$shim" --quiet -- sh -c 'trap "exit 3" TERM; echo ready; sleep 30 & wait' > ready &
for _ in {1..100}; do [ ! -s ready ] || break; sleep 0.05; done
kill -TERM $!
wait $!
same "SIGTERM is passed on" 3 $?
same "input and output are its own" "abc" "$(echo abc | run --quiet -- cat)"
same "no descriptor is left to it" "$(bash -c '"$@"' - ls /proc/self/fd)" "$(run --quiet -- ls /proc/self/fd)"
check "what is preloaded stays in front" grep -q "LD_PRELOAD=libm.so.6:$shim" <(LD_PRELOAD=libm.so.6 run --dry-run -- true)
check "a terminal: the program has it, and decides about ^C" "$PYTHON" "$here/terminal.py" "$aiodebug" "$shim"

# What cannot be watched is refused before it runs.
echo 'int main(void) { return 0; }' > nothing.c
"$CC" nothing.c -o dynamic
if "$CC" -static nothing.c -o static 2> /dev/null; then
    golden run-static 2 "$aiodebug" run --shim "$shim" -- ./static
    printf '#!%s\n' "$PWD/static" > script
    chmod +x script
    golden run-static-script 2 "$aiodebug" run --shim "$shim" -- ./script
    "$CC" -static-pie nothing.c -o static-pie 2> /dev/null &&
        check "a static PIE is refused" bash -c '! "$@" 2> /dev/null' - "$aiodebug" run --shim "$shim" -- ./static-pie
else
    echo "skipped: $CC cannot link statically"
fi
if aarch64-linux-gnu-gcc nothing.c -o foreign 2> /dev/null && [ "$(uname -m)" = x86_64 ]; then
    golden run-foreign 2 "$aiodebug" run --shim "$shim" -- ./foreign
fi
cp dynamic setuid
if chown 65534 setuid 2> /dev/null && chmod u+sx setuid && [ -u setuid ]; then
    golden run-setuid 2 "$aiodebug" run --shim "$shim" -- ./setuid
    printf '#!/usr/bin/env -S %s\n' "$PWD/setuid" > script
    check "a script of a set-user-id interpreter is refused" bash -c '! "$@" 2> /dev/null' - "$aiodebug" run --shim "$shim" \
        -- ./script
else
    echo "skipped: only root can make a program somebody else's"
fi
mkdir "a b"
cp "$shim" "a b"
golden run-odd-path 2 "$aiodebug" run --shim "a b/libaiodebug.so" -- true
golden run-no-shim 2 "$aiodebug" run --shim ./nowhere.so -- true
cd ..
