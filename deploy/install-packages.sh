#!/bin/sh
# Installs what packages.txt lists and this machine does not have yet.
#
#     install-packages.sh [GROUP...]     groups: build test bench; by default build and test
#
# Works as root or through sudo. Says nothing when there is nothing to do.
set -eu

list=$(dirname "$0")/packages.txt
[ $# -gt 0 ] || set -- build test

for group in "$@"; do
    if ! grep -q "^$group  *" "$list"; then
        echo "install-packages.sh: no group '$group' in $list" >&2
        exit 2
    fi
done

packages_of() {
    for group in "$@"; do
        sed -n "s/^$group  *\([^ #]*\).*/\1/p" "$list"
    done
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for package in $(packages_of "$@"); do
    is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install-packages.sh: no apt-get here; install by hand what matches:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root() { env DEBIAN_FRONTEND=noninteractive "$@"; }
elif command -v sudo >/dev/null; then
    as_root() { sudo env DEBIAN_FRONTEND=noninteractive "$@"; }
else
    echo "install-packages.sh: run as root, or install sudo; missing:$missing" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# shellcheck disable=SC2086 # a list of words
apt_install() {
    as_root apt-get install -qq -y --no-install-recommends $missing >"$log" 2>&1
}

echo "installing:$missing"
# Package lists may be missing (a fresh container) or old: one update, and only then.
if ! apt_install; then
    if ! as_root apt-get update -qq >"$log" 2>&1 || ! apt_install; then
        cat "$log" >&2
        exit 1
    fi
fi
