#!/bin/sh
# Installs what is missing, builds, and runs every test.
#
#     test.sh [PRESET...]     by default: clang release tsan fuzz dev
#
#     dev      gcc, ASan and UBSan, checks after every step: all tests
#     release  as it is used: all tests
#     clang    the other compiler, warnings are errors: only built
#     tsan     ThreadSanitizer: the tests of what has threads (client_*, *threads*)
#     fuzz     libFuzzer: the fuzz targets, run over their corpora
#     tiny     as dev, with tiny arenas and pools: all tests (not by default)
#
# Stops at the first failure. dev comes last, so that the last lines are the
# summary of ctest's fullest run. All of it takes at most 15 minutes on 2 cores.
#
# HEAPD_NO_INSTALL=1 leaves packages alone. HEAPD_TEST_SEED=N repeats a random run.
set -eu
cd "$(dirname "$0")/.."

jobs=$(nproc)
started=$(date +%s)
[ $# -gt 0 ] || set -- clang release tsan fuzz dev

say() {
    printf '== %4d s  %s\n' "$(($(date +%s) - started))" "$*"
}

build() {
    preset=$1
    shift
    say "build: $preset"
    log=build/$preset.log
    mkdir -p build
    if ! {
        cmake --preset "$preset" -DBUILD_TESTING=ON &&
            cmake --build --preset "$preset" -j "$jobs" "$@"
    } >"$log" 2>&1; then
        grep -E -A 12 '^FAILED|error:|undefined reference|CMake Error' "$log" | head -60 >&2 || true
        echo "test.sh: the build of preset $preset failed; all of it: $log" >&2
        exit 1
    fi
}

run() {
    preset=$1
    shift
    say "test: $preset"
    ctest --test-dir "build/$preset" --output-on-failure -j "$jobs" "$@"
}

[ -n "${HEAPD_NO_INSTALL:-}" ] || deploy/install-packages.sh build test

for preset in "$@"; do
    case $preset in
    clang)
        build clang
        ;;
    tsan)
        build tsan
        run tsan -R '^client_|threads'
        ;;
    fuzz)
        build fuzz --target fuzz_targets
        run fuzz -L '^replay$'
        ;;
    *)
        build "$preset"
        run "$preset"
        ;;
    esac
done
