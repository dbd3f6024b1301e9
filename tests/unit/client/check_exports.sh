#!/bin/sh
# check_exports.sh LIBRARY FOLDER: the library exports what the headers there declare, and nothing else.
set -eu
exported=$(nm -D --defined-only "$1" | awk '$2 == "T" {print $3}' | sed 's/@.*//' | sort)
declared=$(cat "$2"/*.h | awk '/^HEAPD_API/' | grep -o 'heapd_[a-z_]*(' | tr -d '(' | sort)
if [ "$exported" != "$declared" ]; then
    echo "exported and declared functions differ:"
    printf '%s\n' "$exported" "$declared" | sort | uniq -u
    exit 1
fi
