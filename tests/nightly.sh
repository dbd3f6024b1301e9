#!/bin/sh
# The long forms of what ctest runs short: an hour or so on 2 cores.
#
#     nightly.sh [BUILD_DIRECTORY]      by default: build/dev, which deploy/test.sh makes
#
#     HEAPD_NIGHTLY_SEEDS=N       seeds of the model test, of 50,000 operations each (by default 60)
#     HEAPD_NIGHTLY_SECONDS=N     for each fuzz target (by default 300)
#     HEAPD_NIGHTLY_CLIENTS=N     clients that are killed (by default 10000)
#
# Goes on after a failure, and says at the end what failed. Seeds are printed, so that each can be run again.
set -u
cd "$(dirname "$0")/.." || exit 1

build=${1:-build/dev}
fuzz=${HEAPD_FUZZ_BUILD:-build/fuzz}
seeds=${HEAPD_NIGHTLY_SEEDS:-60}
seconds=${HEAPD_NIGHTLY_SECONDS:-300}
clients=${HEAPD_NIGHTLY_CLIENTS:-10000}
failed=

run() {
    name=$1
    shift
    printf '== %s  %s\n' "$(date +%H:%M:%S)" "$name"
    "$@" || {
        printf '!! failed: %s (%s)\n' "$name" "$*"
        failed="$failed $name"
    }
}

# What is not built is left out, and said.
have() {
    [ -x "$1" ] && return
    printf -- '-- not built, left out: %s\n' "$1"
    return 1
}

if have "$build/tests/heapd-model"; then
    run model "$build/tests/heapd-model" --seeds "$seeds" --operations 50000 --check-every 50
    # Fewer operations, all checks after each.
    run model-every-step "$build/tests/heapd-model" --seeds 12 --operations 10000 --check-every 1
fi
if have "build/tiny/tests/heapd-model"; then
    run model-tiny build/tiny/tests/heapd-model --seeds "$seeds" --operations 50000 --check-every 50
fi

if have "$build/tests/test_gc_random"; then
    for round in 1 2 3 4 5 6 7 8 9 10; do
        HEAPD_TEST_SEED=$(($(date +%s) * 100 + round))
        export HEAPD_TEST_SEED
        run "gc-random-$round" "$build/tests/test_gc_random"
        unset HEAPD_TEST_SEED
    done
fi

# libFuzzer where it is built; it keeps what is new in a corpus of its own, beside the one in the sources.
for source in tests/fuzz/corpus/*; do
    name=$(basename "$source")
    if [ -x "$fuzz/fuzz/fuzz_$name" ]; then
        mkdir -p "$fuzz/corpus/$name"
        run "fuzz-$name" "$fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -artifact_prefix="$fuzz/$name-" \
            "$fuzz/corpus/$name" "$source"
    elif have "$build/fuzz/fuzz_$name"; then
        run "replay-$name" "$build/fuzz/fuzz_$name" --mutations 20000 "$source"
    fi
done

if [ -f "$build/python/heapd/_heapd.abi3.so" ] && grep -q '^HEAPD_SANITIZE:[A-Z]*=$' "$build/CMakeCache.txt"; then
    HEAPD_DAEMON=$build/bin/heapd
    PYTHONPATH=$build/python
    export HEAPD_DAEMON PYTHONPATH
    run python-kill /usr/bin/python3 client/python/tests/kill.py 1000
    run python-cpython-spawn /usr/bin/python3 client/python/tests/cpython_manager.py spawn
    unset HEAPD_DAEMON PYTHONPATH
fi

have "$build/tests/test_crash" && run crash "$build/tests/test_crash" "$clients"

if [ -n "$failed" ]; then
    printf 'nightly.sh: failed:%s\n' "$failed"
    exit 1
fi
echo 'nightly.sh: all passed'
