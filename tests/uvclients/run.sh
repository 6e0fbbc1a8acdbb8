#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Unmodified programs from Debian under the shim: tests/uv/clients/*.sh, or those that are named.
. "$(dirname "$0")/../lib.sh"

cd "$ROOT/tests/uv/clients" || exit 1
for client in ${*:-*.sh}; do
    client=${client%.sh}
    start=$SECONDS
    "./$client.sh" 2>&1 < /dev/null | tee "$scratch/out"
    if [[ $(tail -n 1 "$scratch/out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        check "$client.sh ended with a total" false
    fi
    echo "        $client: $((SECONDS - start)) s"
done
finish
