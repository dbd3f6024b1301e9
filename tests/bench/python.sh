#!/bin/sh
# heapd.Manager() and multiprocessing.Manager(), by turns in one run: a table of figures, ratios and targets. See README.md.
#
#     python.sh [--quick] [--json FILE] [--runs N] [--only CASES]
#
# HEAPD_BUILD: the build directory to use instead of build/release; made if it is not there.
# PYTHON: the Python that is measured; Debian's by default.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${HEAPD_BUILD:-$root/build/release}
python=${PYTHON:-/usr/bin/python3}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Whatever a build says is of interest only when it fails.
quietly() {
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
}

if [ ! -f "$build/CMakeCache.txt" ]; then
    cd "$root"
    quietly cmake --preset release -B "$build"
    cd "$OLDPWD"
fi
quietly cmake --build "$build" --target heapd heapd_python
if ! grep -q '^HEAPD_SANITIZE:[A-Z]*=$' "$build/CMakeCache.txt" || grep -q '^HEAPD_DEBUG_CHECKS:BOOL=ON' "$build/CMakeCache.txt"; then
    echo "python.sh: $build is a build for tests; its figures say nothing about speed" >&2
fi
HEAPD_DAEMON=$build/bin/heapd PYTHONPATH=$build/python "$python" "$here/python/run.py" "$@"
