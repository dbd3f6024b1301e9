#!/bin/sh
# From a fresh Debian 12 machine to a daemon that runs, and a look at what it is for.
#
#     quickstart.sh           installs, builds, starts heapd, shows; leaves it running
#     quickstart.sh --stop    stops the daemon that this script started
#
# The daemon listens at HEAPD_ADDRESS if that is set, else at its default
# address, where heapctl looks too. What is printed behind a "$" is run as it
# stands, and its output is its own.
set -eu
cd "$(dirname "$0")/.."

bin=$PWD/build/release/bin
state=$PWD/build/quickstart
documents=/usr/share/iso-codes/json
PATH=$bin:$PATH
holder=

say() {
    printf '\n\033[1m%s\033[0m\n' "$*"
}

if [ ! -t 1 ]; then
    say() {
        printf '\n%s\n' "$*"
    }
fi

fail() {
    echo "quickstart.sh: $*" >&2
    exit 1
}

# Prints a command as one would type it, and runs it.
show() {
    printf '$'
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./:=-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

# Runs a long command with its output in a log, and says meanwhile how long it takes and where it is.
long() {
    what=$1
    log=$state/$2.log
    shift 2
    began=$(date +%s)
    "$@" >"$log" 2>&1 &
    command=$!
    while [ -t 2 ] && kill -0 "$command" 2>/dev/null; do
        step=$(grep -o '^\[[0-9]*/[0-9]*\]' "$log" | tail -n 1)
        printf '\r%s %s %d s\033[K' "$what" "$step" "$(($(date +%s) - began))" >&2
        sleep 0.2
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
    if ! wait "$command"; then
        tail -n 30 "$log" >&2
        fail "$what failed; all of its output: $log"
    fi
    printf '%s done in %d s\n' "$what" "$(($(date +%s) - began))"
}

# True while the process that we started is a heapd: its number may have been given to another one since.
is_ours() {
    [ -s "$state/pid" ] && [ "$(cat "/proc/$(cat "$state/pid")/comm" 2>/dev/null)" = heapd ]
}

# Waits up to $1 seconds until a command succeeds.
await() {
    tries=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

is_gone() {
    ! is_ours
}

stop() {
    if ! is_ours; then
        echo "no daemon that this script started is running"
        return
    fi
    kill -TERM "$(cat "$state/pid")"
    await 10 is_gone || fail "heapd (process $(cat "$state/pid")) does not end; its log: $state/heapd.log"
    rm -f "$state/pid"
    echo "heapd has stopped; its heap is gone with it"
}

start() {
    # A daemon of an older build would not show what was built now.
    if is_ours && [ -n "$(find "$bin/heapd" -newer "$state/pid")" ]; then
        stop
    fi
    if is_ours && [ "$(cat "$state/address" 2>/dev/null)" = "${HEAPD_ADDRESS:-}" ]; then
        echo "heapd runs already, as process $(cat "$state/pid")"
        return
    fi
    if heapctl ping >/dev/null 2>&1; then
        fail "a daemon that this script did not start answers there; set HEAPD_ADDRESS=unix:/tmp/another.sock"
    fi
    # One that was started for another address would be forgotten.
    ! is_ours || stop
    if [ -n "${HEAPD_ADDRESS:-}" ]; then
        setsid heapd --listen "$HEAPD_ADDRESS" >"$state/heapd.log" 2>&1 </dev/null &
    else
        setsid heapd >"$state/heapd.log" 2>&1 </dev/null &
    fi
    echo $! >"$state/pid"
    echo "${HEAPD_ADDRESS:-}" >"$state/address"
    if ! await 10 heapctl ping; then
        cat "$state/heapd.log" >&2
        fail "heapd did not start"
    fi
    echo "heapd runs as process $(cat "$state/pid"), $(sed -n 's/.*\(listening on .*\)/\1/p' "$state/heapd.log" | head -n 1)"
}

# A number that the daemon keeps.
stat_of() {
    heapctl stats | sed -n "s/^$1  *//p"
}

objects() {
    stat_of objects_live_count
}

# Starts a process that holds handles, and waits until it says that it does.
hold() {
    echo "\$ $* &"
    rm -f "$state/told"
    mkfifo "$state/told"
    "$@" >"$state/told" &
    holder=$!
    head -n 1 "$state/told"
    rm -f "$state/told"
}

has_objects() {
    [ "$(objects)" = "$1" ]
}

show_sharing() {
    say "1. One process puts a document into the heap, others read and change the same objects"
    show heapctl import countries "$documents/iso_3166-1.json"
    show heapctl import languages "$documents/iso_639-3.json"
    echo "Each of these is a process of its own:"
    show heapctl get 'countries["3166-1"][0].name'
    show heapctl set 'countries["3166-1"][0].name' '"Aruba, an island"'
    show example_append countries 3166-1 'a country of your own'
    show heapctl get 'countries["3166-1"][0].name'
    show heapctl get 'countries["3166-1"][-1]'
}

show_counts() {
    say "2. Objects are counted, and the count moves as processes take and release references"
    show heapctl inspect 'countries["3166-1"]'
    echo "A process takes three references to it:"
    hold example_reference 3 countries 3166-1
    show heapctl inspect 'countries["3166-1"]'
    kill -TERM "$holder"
    wait "$holder" || true
    holder=
    echo "It left:"
    show heapctl inspect 'countries["3166-1"]'
}

show_cycles() {
    say "3. Cycles that nobody can reach are not freed by counting, but by the collector"
    echo "By itself the collector would run as soon as enough objects are new, so it is told not to. A process then"
    echo "builds 10,000 pairs of lists that hold each other, and drops them:"
    show heapctl gc disable
    show example_cycles 10000
    show heapctl gc collect
    echo "objects: $(objects)"
    show heapctl gc enable
}

show_death() {
    say "4. A client that is killed takes nothing with it"
    before=$(objects)
    echo "objects: $before"
    hold example_holder 10000
    echo "objects: $(objects)"
    began=$(date +%s%N)
    echo "\$ kill -KILL $holder"
    kill -KILL "$holder"
    await 10 has_objects "$before" || fail "the objects of a dead client are still there after ten seconds"
    ended=$(date +%s%N)
    wait "$holder" 2>/dev/null || true
    holder=
    echo "objects: $(objects), $(((ended - began) / 1000000)) ms later"
}

show_next() {
    say "5. What to try next"
    address=
    [ -z "${HEAPD_ADDRESS:-}" ] || address="export HEAPD_ADDRESS=$HEAPD_ADDRESS; "
    cat <<END
    ${address}PATH=$bin:\$PATH
    heapctl --help
    heapctl ls
    heapctl set greeting '{"hello": ["world", 1, 2.5, null]}' && heapctl get greeting.hello
    heapctl export languages | head -n 5
    heapctl stats
    heapctl session list
    heapd-bench --help
Programs of your own begin with client/examples and client/include/heapd/heapd.h.
The daemon goes on running; deploy/quickstart.sh --stop stops it. A restart loses the heap: export what matters.
END
}

case ${1:-} in
'') ;;
--stop)
    stop
    exit 0
    ;;
--help | -h)
    sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
    exit 0
    ;;
*) fail "unknown argument $1; try --help" ;;
esac

# A holder that was left behind by an interruption would keep its objects alive.
trap '[ -z "$holder" ] || kill "$holder" 2>/dev/null || true; rm -f "$state/told"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$state"

say "Packages, build, daemon"
long "packages" packages deploy/install-packages.sh build
# Tests need more packages than this; what test.sh has configured stays as it is.
[ -f build/release/build.ninja ] || long "configuration" configure cmake --preset release -DBUILD_TESTING=OFF
long "build" build cmake --build --preset release --target \
    heapd heapctl heapd-bench example_append example_cycles example_holder example_reference
start

show_sharing
show_counts
show_cycles
show_death
show_next
