# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by run.sh: what the subcommands print about sound logs.

golden summary 0 "$aiodebug" summary all.jsonl
golden summary-text 0 "$aiodebug" summary all.log
golden summary-uv 0 "$aiodebug" summary uv.jsonl
golden summary-check 0 "$aiodebug" summary all.jsonl --check='task-*' --no-stacks
golden summary-grep 0 "$aiodebug" summary all.jsonl --grep='never_retrieved\.c:8'
golden summary-none 0 "$aiodebug" summary all.jsonl --since=2100-01-01
golden summary-two 0 "$aiodebug" summary old.jsonl new.jsonl --no-stacks
golden diff 1 "$aiodebug" diff old.jsonl new.jsonl
golden diff-same 0 "$aiodebug" diff all.jsonl all.jsonl
golden diff-json 0 "$aiodebug" diff --json --fail-on=none --check=-slow-callback old.jsonl new.jsonl
golden explain 0 "$aiodebug" explain --shim "$shim" loop-hang
golden explain-unknown 2 "$aiodebug" explain --shim "$shim" slow-calback
golden usage 2 "$aiodebug" summary --sinse=15:00
golden no-such-file 2 "$aiodebug" summary nowhere.jsonl
golden no-such-pattern 2 "$aiodebug" summary 'nowhere.*.jsonl'
golden a-directory 2 "$aiodebug" summary .
golden bad-time 2 "$aiodebug" summary --since=noon all.jsonl
golden bad-regex 2 "$aiodebug" summary '--grep=(' all.jsonl

# JSON is JSON, and says the same as the text.
sum=$("$aiodebug" summary --json all.jsonl)
same "summary --json: repeats are counted, and once" "10 6" \
    "$("$PYTHON" -c 'import json, sys; c = json.load(sys.stdin)["checks"]["coroutine-never-awaited"]["places"]
print(*(p["count"] for p in c if "again" in p["place"]), json.loads(sys.argv[1])["count"] - 9)' "$sum" <<< "$sum")"

# The same log by every way in.
want=$("$aiodebug" summary all.jsonl | grep -v log)
gzip -k all.jsonl
split -n l/3 all.jsonl part.
cat <(gzip -c part.aa) <(gzip -c part.ab part.ac) > members.gz
same "gzip" "$want" "$("$aiodebug" summary all.jsonl.gz)"
same "gzip of several members" "$want" "$("$aiodebug" summary members.gz)"
same "standard input" "$want" "$("$aiodebug" summary - < all.jsonl)"
same "standard input, unnamed" "$want" "$("$aiodebug" summary < all.jsonl)"
same "a pipe" "$want" "$(cat all.jsonl | "$aiodebug" summary -)"
mkfifo fifo
cat all.jsonl > fifo &
same "a named pipe" "$want" "$("$aiodebug" summary fifo | grep -v log)"
same "a process's output" "$want" "$("$aiodebug" summary <(cat all.jsonl))"
table() { sed -n '/^check/,/^$/p' <<< "$1"; }
same "a pattern, unexpanded" "$(table "$want")" "$(table "$("$aiodebug" summary 'part.a?')")"

# A log that grows, is cut, and is replaced, as by logrotate; interrupted, the picture is drawn.
: > growing.jsonl
# (Of a background job the shell has SIGINT ignored.)
env --default-signal=INT "$aiodebug" summary --follow --json growing.jsonl > followed.json 2> followed.err &
follower=$!
wait_for() { # until the follower has read up to the end: its offset in /proc is the file's size
    local i
    for ((i = 0; i < 100; i++)); do
        [ "$(sed -n 's/^pos:\t//p' "/proc/$follower/fdinfo/$(basename "$(find "/proc/$follower/fd" -lname "*/growing.jsonl" | head -n 1)")" 2> /dev/null)" != "$1" ] || return 0
        sleep 0.1
    done
    return 1
}
size=$(stat -c %s all.jsonl)
head -c 700 all.jsonl >> growing.jsonl
check "follow: the first half of a line" wait_for 700
tail -c +701 all.jsonl >> growing.jsonl
check "follow: the rest" wait_for "$size"
cp old.jsonl growing.jsonl
check "follow: cut" wait_for "$(stat -c %s old.jsonl)"
rm growing.jsonl
cp new.jsonl growing.jsonl
check "follow: replaced" wait_for "$(stat -c %s new.jsonl)"
kill -INT $follower
wait $follower
same "follow: interrupted" 0 $?
records=$(cat all.jsonl old.jsonl new.jsonl | wc -l)
same "follow: all records" "$records" "$("$PYTHON" -c 'import json; print(json.load(open("followed.json"))["records"])')"
same "follow: nothing damaged" "" "$(cat followed.err)"

# A reader that goes away, a disk that is full.
check "a closed pipe" bash -c '"$1" summary all.jsonl | true; [ "${PIPESTATUS[0]}" -eq 141 ] || [ "${PIPESTATUS[0]}" -eq 0 ]' \
    - "$aiodebug"
[ ! -w /dev/full ] || same "a full disk" "aiodebug: No space left on device 2" \
    "$("$aiodebug" summary all.jsonl 2>&1 > /dev/full | tr '\n' ' '; echo "${PIPESTATUS[0]}")"

# Frames that the machine of the log could not name.
check "strip" strip -o stripped wrong_thread
check "the debug file" bash -c 'id=$(readelf -n wrong_thread | sed -n "s/.*Build ID: //p") &&
    mkdir -p "debug/.build-id/${id:0:2}" && objcopy --only-keep-debug wrong_thread "debug/.build-id/${id:0:2}/${id:2}.debug"'
mv wrong_thread whole
mv stripped wrong_thread
log json unnamed.jsonl wrong_thread
log text unnamed.log wrong_thread
mv whole wrong_thread.kept
"$CC" -g -x c - -o wrong_thread <<< 'int main(void) { return 0; }' # another build under the module's own name
for form in jsonl log; do
    same "symbolize: not named before ($form)" 0 "$(grep -c 'wrong_thread\.c' "unnamed.$form")"
    "$aiodebug" symbolize --debug-dir debug "unnamed.$form" -o "named.$form" 2> symbolize.err
    same "symbolize: status ($form)" 0 $?
    same "symbolize: main_coroutine(), worker() ($form)" "15 26" \
        "$(grep -oE 'wrong_thread\.c",( line |"line":)[0-9]+' "named.$form" | grep -oE '[0-9]+$' | sort -u | tr '\n' ' ' | sed 's/ $//')"
    "$aiodebug" symbolize "unnamed.$form" 2> symbolize.err | cmp -s - "unnamed.$form"
    same "symbolize: another build is not believed ($form)" 1 "$(grep -c 'wrong_thread: what is there has another build-id' symbolize.err)"
done
mv wrong_thread.kept wrong_thread
