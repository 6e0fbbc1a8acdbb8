#!/bin/bash
# SPDX-License-Identifier: MIT
#
# aiodebug report in Debian's Chromium, and aiodebug export for the tools it is meant for. What is missing is
# installed: chromium, and go for `go tool pprof` (left out where it cannot be had). `run.sh --picture FILE` draws the
# README's picture.
. "$(dirname "$0")/../lib.sh"

[ -z "$SANITIZE" ] || { echo "skipped: the scripts are the same under a sanitizer"; finish; }

# install PACKAGE: quietly, as root or with sudo; fails where that cannot be.
install() {
    local as_root=()
    command -v apt-get > /dev/null || return 1
    [ "$(id -u)" -eq 0 ] || { command -v sudo > /dev/null || return 1; as_root=(sudo -n); }
    echo "  DEPS    installing $1"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install -y \
        --no-install-recommends "$1" < /dev/null > "$scratch/apt.log" 2>&1 && return
    "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=300 -qq update < /dev/null > /dev/null 2>&1
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install -y \
        --no-install-recommends "$1" < /dev/null > "$scratch/apt.log" 2>&1 || { tail -n 5 "$scratch/apt.log"; return 1; }
}

find_chromium() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

chromium=$(find_chromium) || { install chromium && chromium=$(find_chromium); } || chromium=
command -v go > /dev/null || install golang-go || true

"$CC" -std=gnu11 -O2 -g -Wall -Wextra -I"$ROOT/runtime/include" $(pkg-config --cflags libuv) \
    "$ROOT/tests/scriptspage/workshop.c" -o "$scratch/workshop" -L"$BUILD" -Wl,-rpath,"$BUILD" -laiort \
    $(pkg-config --libs libuv) -lm || { echo "FAILED  workshop.c does not compile"; failed=1; finish; }

export ROOT BUILD PYTHONDONTWRITEBYTECODE=1
"$PYTHON" "$ROOT/tests/scriptspage/check.py" ${chromium:+--chromium "$chromium"} "$@" "$scratch"
