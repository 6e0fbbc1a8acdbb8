#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cmake configures a project, builds it, and ctest runs its tests, four at a time, as libuv's processes: hundreds of
# children inherit the preload, and some of them use libuv.
. "$(dirname "$0")/client.bash"

package cmake make

cat > "$scratch/build.sh" << 'END'
set -e
cmake -S "$1" -B build -DCMAKE_BUILD_TYPE=Debug
cmake --build build -j 2 -- --no-print-directory 2>&1 | sed -E 's/^\[ *[0-9]+%\] //' | sort
cd build && ctest -j 4 --output-on-failure --timeout 20 | sed -E 's/ +[0-9]+\.[0-9]+ sec//; s/^ *[0-9]+\/[0-9]+ //' | sort
END
cat > "$scratch/fails.sh" << 'END'
cmake -S "$1" -B build -DWRONG=1
END
cat > "$scratch/short.sh" << 'END'
cmake -P "$1/process.cmake"
END
cat > "$scratch/ctest.sh" << 'END'
echo 'add_test(one "true")' > CTestTestfile.cmake
ctest -Q
END
control "ctest" bash "$scratch/ctest.sh"
client "configure, build, test" bash "$scratch/build.sh" "$here"
ends_with=1 client "a project that does not configure" bash "$scratch/fails.sh" "$here"
client "processes" bash "$scratch/short.sh" "$here"
finish_client
