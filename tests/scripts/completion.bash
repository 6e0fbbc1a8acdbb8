# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by run.sh: completion, --help and the man page of every subcommand; the examples of `explain`; the tables.

commands=$("$PYTHON" -c 'import sys; sys.path.insert(0, sys.argv[1])
import aiodebug_lib; print(*aiodebug_lib.COMMANDS)' "$ROOT/scripts")

# ---- help: every subcommand has examples, and says what it is about

all=$("$aiodebug" --help)
for command in $commands; do
    help=$("$aiodebug" "$command" --help)
    same "$command --help: status" 0 $?
    check "$command --help: examples" bash -c 'sed -n "/^examples:/,\$p" <<< "$1" | grep -q "^  .*aiodebug $2"' - "$help" "$command"
    check "$command --help: fits the terminal" bash -c '! grep -nE ".{121}" <<< "$1"' - "$help"
    check "aiodebug --help names $command" bash -c 'grep -qE "^    $2 +[a-z]" <<< "$1"' - "$all" "$command"
done

# ---- the man page: every option of every subcommand, and no complaint of groff's

"$aiodebug" --manpage 1 "$shim" > aiodebug.1
"$aiodebug" --manpage 7 "$shim" > libaiodebug.7
for command in $commands; do
    sed 's/\\//g' aiodebug.1 | sed "1,/^\.SH AIODEBUG ${command^^}$/d; /^\.SH/,\$d" > section
    for option in $("$aiodebug" "$command" --help | grep -oE '^  (-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
        [ "$option" = --help ] || check "aiodebug.1: $command $option" grep -q -- "fB$option" section
    done
done
same "libaiodebug.7 has every variable and every check" \
    "$("$aiodebug" env --names --shim "$shim"; "$aiodebug" checks --names --shim "$shim")" \
    "$(sed -n 's/^\.BR \([^ ]*\) " (".*/\1/p' libaiodebug.7 | sed 's/\\//g')"
for page in aiodebug.1 libaiodebug.7; do
    ! have groff || same "$page: groff has no complaint" "" "$(groff -man -ww -Tutf8 "$page" 2>&1 > /dev/null)"
done

# ---- the tables: the shim's own

told=$(AIODEBUG=help-json LD_PRELOAD=$shim "$(type -P true)" 2>&1)
help=$(AIODEBUG=help LD_PRELOAD=$shim "$(type -P true)" 2>&1 | grep -oE '^\| `[^`]+`' | tr -d '|` ')
same "the shim's two forms of its tables name the same" "$help" \
    "$("$PYTHON" -c 'import json, sys; t = json.load(sys.stdin)
print("\n".join([v["name"] for v in t["variables"]] + [c["slug"] for c in t["checks"]]))' <<< "$told")"
same "env and checks" "$help" "$("$aiodebug" env --names --shim "$shim"; "$aiodebug" checks --names --shim "$shim")"
same "run has an option for each variable" "$(grep '^AIODEBUG_' <<< "$help" | sed 's/^AIODEBUG_//; s/_/-/g' | tr A-Z a-z)" \
    "$("$aiodebug" run --shim "$shim" --help | sed -n '/^the shim/,/^examples/p' | grep -oE '^  --[a-z-]+' | cut -c5-)"
check "checks --json" "$PYTHON" -c 'import json, subprocess, sys
assert all(c["hint"] for c in json.loads(subprocess.check_output(sys.argv[1:])))' "$aiodebug" checks --json --shim "$shim"

# ---- the examples of explain: one for each check, and they compile

mkdir examples
same "explain: every check has an example" "" "$("$PYTHON" - "$ROOT/scripts" examples <<PY
import os, sys
sys.path.insert(0, sys.argv[1])
from aiodebug_lib.examples import EXAMPLES
for slug, pair in EXAMPLES.items():
    for kind, code in zip(("wrong", "right"), pair):
        with open(os.path.join(sys.argv[2], "%s.%s.c" % (slug, kind)), "w") as file:
            file.write('#include "examples_prelude.h"\n' + code)
print("\n".join(sorted(set("""$("$aiodebug" checks --names --shim "$shim")""".split()) - set(EXAMPLES))), end="")
PY
)"
for example in examples/*.c; do
    check "explain: $(basename "$example" .c)" "$CC" -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only \
        -I"$here" -I"$ROOT/runtime/include" $(pkg-config --cflags libuv) "$example"
done

# ---- completion, as the shells ask for it

complete() { "$aiodebug" --complete "$@" | tr '\n' ' ' | sed 's/ $//'; }
same "a command" "explain export" "$(complete 1 ex | tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/ $//')"
same "an option" "--since= --strict" "$(complete 2 summary --s)"
same "a check, after =" "--check=slow-poll,loop-hang" "$(complete 2 summary --check=slow-poll,loop-h)"
same "a check, as bash cuts it" "loop-hang" "$(complete 4 summary --check = loop-h)"
same "a check, left out" "-loop-hang" "$(complete 4 summary --check = -loop-h)"
same "a level" "WARNING" "$(complete 3 summary --level w)"
same "a slug" "slow-callback" "$(complete 2 explain slow-c)"
same "a log" ":files" "$(complete 2 summary '')"
same "a program" ":program 4" "$(complete 4 run --slow-callback=1 -- l)"
same "a program's arguments" ":program 3" "$(complete 4 run -q make -)"
same "nothing" "" "$(complete 2 nonsense '')"

# Bash itself: what a tab makes of a line.
tab() {
    PATH=$ROOT/scripts:$PATH bash --norc --noprofile -c '
        . "$1"
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _aiodebug 2> /dev/null
        printf "%s\n" "${COMPREPLY[@]}"' - "$ROOT/scripts/completion/aiodebug.bash" "$@" | tr '\n' ' ' | sed 's/ $//'
}
same "bash: a command" summary "$(tab aiodebug sum)"
same "bash: a file" "all.jsonl all.jsonl.gz" "$(tab aiodebug summary all.js | tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/ $//')"
same "bash: a check" loop-hang "$(tab aiodebug summary --check = loop-h)"
check "bash: complete knows it" bash --norc -c '. "$1" && complete -p aiodebug' - "$ROOT/scripts/completion/aiodebug.bash"
if have zsh; then
    check "zsh: the file is one" zsh -n "$ROOT/scripts/completion/aiodebug.zsh"
    same "zsh: a tab" "summary" "$("$PYTHON" "$here/zsh_tab.py" "$ROOT" "aiodebug sum")"
    same "zsh: a check" "--check=loop-hang" "$("$PYTHON" "$here/zsh_tab.py" "$ROOT" "aiodebug summary --check=loop-h")"
fi
