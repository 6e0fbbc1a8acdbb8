# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by run.sh: logs that were cut, mixed, overwritten, or are none at all. The good lines are used, what is
# wrong is said in one line for each kind, and the status is 0, or 1 with --strict.

# damaged FILE RECORDS STRICT KINDS: how many records are used, the status with --strict, and which kinds of damage.
all_damaged=()
damaged() {
    local file=$1 got
    all_damaged+=("$file")
    got=$("$aiodebug" summary --json --strict "$file" 2> stderr)
    same "$file: status with --strict" "$3" $?
    same "$file: records used, kinds of damage" "$2${4:+ $4}" "$("$PYTHON" -c 'import json, sys
found = json.load(sys.stdin)
print(found["records"], *sorted({d["kind"] for d in found["damage"]}))' <<< "$got")"
    same "$file: one line for each kind" "$(wc -w <<< "$4")" "$(grep -c '^aiodebug: ' stderr)"
}

lines=$(wc -l < all.jsonl)
size=$(stat -c %s all.jsonl)
one=$(head -n 1 old.jsonl) two=$(tail -n 1 new.jsonl)

head -c $((size - 40)) all.jsonl > cut-at-the-end.jsonl
damaged cut-at-the-end.jsonl $((lines - 1)) 1 truncated

tail -c +200 all.jsonl > cut-at-the-start.jsonl
damaged cut-at-the-start.jsonl $((lines - 1)) 1 garbage

# Two processes, whose lines come by turns: nothing is wrong with that.
log json turn1.jsonl again
log json turn2.jsonl again
paste -d '\n' turn1.jsonl turn2.jsonl > by-turns.jsonl
damaged by-turns.jsonl 8 0 ""

# ... and in the middle of a line: the record that is whole is used.
{ echo "$one"; echo "${one:0:300}$two"; echo "${two:0:500}${one:100}"; echo "$two"; } > spliced.jsonl
damaged spliced.jsonl 3 1 "garbage spliced"

# What a newer version may write.
sed -e 's/"tid":/"cgroup":{"stacks":[1,{"frames":[]}],"x":"},{"},"tid":/' -e 's/"hint":/"stacks2":[],"hint":/' \
    -e 's/"role":"created"/"role":"born","unit":[[]]/' all.jsonl > unknown-fields.jsonl
damaged unknown-fields.jsonl "$lines" 0 ""
sed 's/"version":1,/"version":2,/' all.jsonl > newer.jsonl
damaged newer.jsonl "$lines" 0 newer
sed 's/,"stacks":\[.*\],"errors":/,"stacks":null,"errors":/' all.jsonl > no-stacks.jsonl
damaged no-stacks.jsonl "$lines" 0 ""

: > empty.jsonl
damaged empty.jsonl 0 0 empty

{ head -n 3 all.jsonl
  "$PYTHON" -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(20000))'
  echo; tail -n +4 all.jsonl; } > binary.jsonl
damaged binary.jsonl "$lines" 1 "foreign garbage"

# What a writer without O_APPEND leaves when the file is cut while it writes; 4 GiB of it.
if truncate -s 4G sparse.jsonl 2> /dev/null && [ "$(stat -c %b sparse.jsonl)" -lt 100 ]; then
    cat all.jsonl >> sparse.jsonl
    damaged sparse.jsonl "$lines" 1 zeros
else
    echo "skipped: no sparse files here"
fi
{ head -n 2 all.jsonl; head -c 3000000 /dev/zero; tail -n +3 all.jsonl; } > zeros.jsonl
damaged zeros.jsonl "$lines" 1 zeros

# Fields of the wrong kind, numbers beyond all bounds, nesting without end.
sed -e 's/"pid":[0-9]*/"pid":"x"/' -e 's/"seconds":[0-9][0-9.]*/"seconds":1e999/' -e 's/"count":1/"count":-5/' \
    -e 's/"context":{/"context":[{/' -e 's/},"stacks"/}],"stacks"/' -e 's/"function":"[a-z_]*"/"function":17/' \
    -e 's/"level":"[A-Z]*"/"level":null/' all.jsonl > wrong-kinds.jsonl
damaged wrong-kinds.jsonl "$lines" 0 ""
{ cat all.jsonl
  echo '{"message":"x"}'; echo '[1]'; echo 'null'; echo '{}'
  printf '{"version":1,"time":%s1%s}\n' "$(printf '[%.0s' {1..5000})" "$(printf ']%.0s' {1..5000})"
  printf '{"version":1,"time":"2026-11-22T00:00:00.000000Z","message":"\xff\xfe","stacks":[]}\n'
  printf '{"version":1,"time":NaN,"message":"x"}\n'; } > strange.jsonl
damaged strange.jsonl $((lines + 1)) 1 "foreign garbage stranger"

# Longer than any record can be.
{ head -n 1 all.jsonl; head -c 20000000 /dev/zero | tr '\0' x; echo; tail -n +2 all.jsonl; } > long.jsonl
damaged long.jsonl "$lines" 1 long

gzip -c all.jsonl | head -c 900 > cut.jsonl.gz
kept=$("$aiodebug" summary --json cut.jsonl.gz 2> /dev/null | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["records"])')
check "cut.jsonl.gz: something is used" [ "$kept" -gt 0 ]
damaged cut.jsonl.gz "$kept" 1 "gzip truncated"

# Text: the program's own output between the records, a record cut off, and one without its head.
{ echo "Listening on :80"; sed 's/^hint: .*/&\n\nlistening still/' all.log; echo bye; } > mixed.log
damaged mixed.log "$lines" 0 foreign
head -c $(($(stat -c %s all.log) - 400)) all.log > cut.log
damaged cut.log $((lines - 1)) 0 ""
tail -n +3 all.log > headless.log
damaged headless.log $((lines - 1)) 0 foreign
{ cat all.jsonl; cat all.log; } > both.log
damaged both.log $((lines * 2)) 0 ""

# What is in a log must not steer the terminal.
sed 's/"function":"[a-z_]*"/"function":"\\u001b[2J\\u202eevil\\u0007"/g; s/"program":"[a-z_]*"/"program":"\\u001b]0;x\\u0007"/' \
    all.jsonl > escapes.jsonl
check "no escape sequence comes through" bash -c '! "$1" summary escapes.jsonl 2>&1 | grep -q $'"'"'[\e\a\u202e]'"'" - "$aiodebug"
# Every other command stands them too.
output=$("$PYTHON" "$here/stand.py" "${all_damaged[@]}" 2>&1)
line=$(tail -n 1 <<< "$output")
[[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || check "stand.py" false
((passed += BASH_REMATCH[1], failed += BASH_REMATCH[2]))
[ "${BASH_REMATCH[2]}" = 0 ] || echo "$output"
rm -f sparse.jsonl long.jsonl
golden damaged 0 "$aiodebug" summary --no-stacks spliced.jsonl newer.jsonl empty.jsonl cut-at-the-end.jsonl
