#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Debian's nodejs, which links libuv dynamically: an http server under load, files, child processes, workers, and
# what else node does with libuv. Where another nodejs is installed (node's own builds have libuv inside), Debian's
# packages are unpacked beside it.
. "$(dirname "$0")/client.bash"

links_libuv() { ldd "$1" 2> /dev/null | grep 'libuv\.so\.1 => /' > /dev/null; }

# The version of nodejs that depends on a libnode package, and that package.
unpack_debians() {
    local found
    found=$(apt-cache show --all-versions nodejs 2> /dev/null | sed -nE \
        's/^Depends:.*(libnode[0-9]+) \(= ([^)]*)\).*/\1 \2/p' | head -n 1)
    [ -n "$found" ] || cannot "no nodejs that links libuv in the package lists"
    read -r libnode version <<< "$found"
    # What the two need: their libraries, and the scripts that Debian packages apart.
    # shellcheck disable=SC2046
    package $(apt-cache show "$libnode=$version" | sed -n 's/^Depends: //p' | tr ',' '\n' | sed -E 's/[ (|].*//; /^libc6$/d' \
        | sed 's/^ *//' | awk 'NF') $(apt-cache show "$libnode=$version" | sed -n 's/^Depends: //p' | tr ',' '\n' \
        | grep -oE 'node-[a-z-]+')
    cache=$(dirname "$BUILD")/nodejs-$version
    if [ ! -x "$cache/usr/bin/node" ]; then
        mkdir -p "$scratch/deb"
        (cd "$scratch/deb" && apt-get -q -o APT::Sandbox::User= download "nodejs=$version" "$libnode=$version") \
            > "$scratch/apt" 2>&1 < /dev/null || cannot "nodejs $version cannot be downloaded"
        for deb in "$scratch"/deb/*.deb; do
            dpkg -x "$deb" "$cache" || cannot "$deb cannot be unpacked"
        done
    fi
    node=$cache/usr/bin/node
    export LD_LIBRARY_PATH=$cache/usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH)
}

if ! command -v node > /dev/null; then package nodejs; fi
node=$(readlink -f "$(command -v node)")
links_libuv "$node" || unpack_debians
links_libuv "$node" || cannot "$node does not link libuv"

control "node" "$node" -e 'setTimeout(() => {}, 5)'
for script_js in http fs child worker misc; do
    client "$script_js" "$node" "$here/$script_js.js"
done
ends_with=1 client "an exception ends it" "$node" -e 'require("net").createServer().listen(0, () => { throw new TypeError("no") })'
ends_with=3 client "exit in a callback" "$node" -e 'setInterval(() => {}, 1000); require("fs").stat(".", () => process.exit(3))'
ends_with=143 client "killed by a signal" "$node" -e 'setInterval(() => {}, 1000); setTimeout(() => process.kill(process.pid, "SIGTERM"), 20)'
client "a busy loop is told" "$node" "$here/busy.js"
finish_client
