#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: tests/uvsuite/fetch.sh DIRECTORY
#
# Gets the source package of the libuv that is installed, in exactly its version, and builds its test programs
# linked with the installed shared library: DIRECTORY/source and DIRECTORY/run-tests. The system's package
# sources and keys are used, but no file of the system's is changed: lists, cache and a list of sources that
# asks for source packages are all in DIRECTORY. Quick when all is there. One line on stderr says what is missing.
set -uo pipefail

directory=$1
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
apt=$directory/apt

give_up() {
    echo "libuv's test suite is not to be had: $1" >&2
    exit 1
}

for tool in apt-get apt-cache dpkg-query dpkg-source cc; do
    command -v $tool > /dev/null || give_up "there is no $tool"
done
name_and_version=$(dpkg-query -W -f '${db:Status-Status} ${source:Package} ${source:Version}\n' \
    libuv1 libuv1t64 2> /dev/null | sed -n 's/^installed //p' | head -n 1)
[ -n "$name_and_version" ] || give_up "libuv is not installed as a package"
read -r name version <<< "$name_and_version"

[ "$(cat "$directory/built" 2> /dev/null)" = "$name_and_version" ] && exit 0
rm -rf "$directory"/{built,source,run-tests,objects}
mkdir -p "$apt"/{lists/partial,cache/archives/partial,sources}

# The places that offer the binary package, asked for source packages instead. Without lists at hand: all places.
mapfile -t places < <(apt-cache madison "$name" 2> /dev/null | awk -F'|' '{split($3, f, " "); print f[1]}' | sort -u)
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -r "$file" ] || continue
    if [ ${#places[@]} -gt 0 ]; then
        grep -qF "$(printf '%s\n' "${places[@]}")" "$file" || continue
    fi
    sed -E -e 's/^Types:.*/Types: deb-src/' -e 's/^deb(-src)?([[:space:]])/deb-src\2/' "$file" \
        > "$apt/sources/$(basename "$file")"
    [ "$file" != /etc/apt/sources.list ] || mv "$apt/sources/sources.list" "$apt/sources/main.list"
done

private=(-q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$apt/sources" -o APT::Sandbox::User=
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o Acquire::Languages=none)
# A place without source packages fails by itself; whether ours was found, the next command tells.
apt-get "${private[@]}" update > "$directory/log" 2>&1 < /dev/null
(cd "$directory" && apt-get "${private[@]}" --only-source source "$name=$version") >> "$directory/log" 2>&1 \
    < /dev/null || give_up "no source package $name $version ($(grep '^E:' "$directory/log" | head -n 1))"
mv "$directory"/"${name}"-*/ "$directory/source" || give_up "dpkg-source made no directory"
rm -rf "$apt" "$directory"/*.{dsc,tar.*}

# What its own makefile compiles for Unix: the runner, two helpers and every test.
mkdir "$directory/objects"
cd "$directory/source" || exit 1
ls test/{blackhole-server,echo-server,run-tests,runner,runner-unix}.c test/test-*.c \
    | xargs -P "$(nproc)" -I {} sh -c 'cc -g -O1 -w -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DUSING_UV_SHARED=1 -Itest \
        -c {} -o ../objects/$(basename {} .c).o' >> "$directory/log" 2>&1 \
    || give_up "a test does not compile ($directory/log)"
cc ../objects/*.o -o ../run-tests -luv -lpthread -ldl -lutil >> "$directory/log" 2>&1 \
    || give_up "the tests do not link ($directory/log)"
rm -rf ../objects
echo "$name_and_version" > "$directory/built"
