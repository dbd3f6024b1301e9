#!/usr/bin/env python3
"""Tables that must be complete: GC.md has every name of CPython's gc and weakref; the manual and the completion have every
command and option of heapctl.

Usage: tables.py HEAPCTL SOURCE_FOLDER
"""
import gc
import pathlib
import re
import subprocess
import sys
import weakref

SYS = ["getrefcount", "getsizeof", "intern", "getallocatedblocks", "_debugmallocstats"]


def missing_in_table(source):
    table = (source / "client/GC.md").read_text()
    words = set(re.findall(r"[A-Za-z_]+", " ".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))))
    names = [name for name in dir(gc) if not name.startswith("__")] + list(weakref.__all__) + SYS + ["tracemalloc"]
    for row in re.findall(r"^\| `.*\|$", table, re.MULTILINE):
        operation, compared = row.rsplit("|", 3)[1:3]
        if not compared.strip() and "none" not in operation:
            yield f"GC.md: no test, and no reason, in {row}"
        for file in re.findall(r"`([\w/]+\.py)`", compared):
            if not (source / "tests/blackbox/heapctl" / file).exists() and not (source / file).exists():
                yield f"GC.md: there is no {file}"
    yield from (f"GC.md: {name}" for name in names if name not in words)


def missing_in_manual(heapctl, source):
    manual = (source / "client/heapctl/heapctl.1").read_text().replace("\\-", "-")
    completion = (source / "client/heapctl/heapctl.bash-completion").read_text()
    text = subprocess.run([heapctl, "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?=  |$| [A-Z\[])", text, re.MULTILINE)
    if len(commands) < 30:
        yield f"the help has {len(commands)} commands only"
    for command in commands:
        if not re.search(rf"^\.(B|BI|BR) .*\b{command}\b", manual, re.MULTILINE):
            yield f"heapctl.1: {command}"
        for word in command.split():
            if not re.search(rf"\b{word}\b", completion):
                yield f"completion: {word}"
    for option in set(re.findall(r"--[a-z-]+", text)):
        if option not in manual:
            yield f"heapctl.1: {option}"
        if option not in completion:
            yield f"completion: {option}"


def main():
    heapctl, source = sys.argv[1], pathlib.Path(sys.argv[2])
    missing = [*missing_in_table(source), *missing_in_manual(heapctl, source)]
    if missing:
        sys.exit("\n".join(missing))


if __name__ == "__main__":
    main()
