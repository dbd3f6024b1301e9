#!/bin/sh
# check_exports.sh LIBRARY HEADER: the library exports what the header declares, and nothing else.
set -eu
exported=$(nm -D --defined-only "$1" | awk '$2 == "T" {print $3}' | sed 's/@.*//' | sort)
declared=$(awk '/^HEAPD_API/' "$2" | grep -o 'heapd_[a-z_]*(' | tr -d '(' | sort)
if [ "$exported" != "$declared" ]; then
    echo "exported and declared functions differ:"
    printf '%s\n' "$exported" "$declared" | sort | uniq -u
    exit 1
fi
