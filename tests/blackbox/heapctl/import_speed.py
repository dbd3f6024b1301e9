#!/usr/bin/env python3
"""Times heapctl import of a large document, daemon included, against Python's json.load of the same file.

Usage: import_speed.py HEAPD HEAPCTL [--megabytes N] [--limit RATIO] [--json FILE]

The two take turns; the best of each counts. Exits with 1 if heapctl takes more than RATIO times as long.
"""
import argparse
import glob
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from roundtrip import ISO_CODES, Daemon

SEED = 20


def write_document(path, megabytes):
    """Real records of iso-codes over and over, with numbers between them, so that every copy differs."""
    source = {os.path.basename(name): json.load(open(name)) for name in sorted(glob.glob(ISO_CODES + "/iso_*.json"))}
    rng = random.Random(SEED)
    with open(path, "w") as out:
        out.write("{")
        copy = 0
        while out.tell() < megabytes * 1000000:
            out.write(',\n' if copy else "\n")
            numbers = [rng.randrange(10 ** 9) for _ in range(5000)] + [rng.random() * 1000 for _ in range(5000)]
            json.dump("copy %d" % copy, out)
            out.write(": ")
            json.dump({"numbers": numbers, "codes": source}, out, ensure_ascii=False, indent=2)
            copy += 1
        out.write("\n}\n")


def time_python(path):
    begin = time.perf_counter()
    with open(path) as source:
        document = json.load(source)
    taken = time.perf_counter() - begin
    del document
    return taken


def time_heapctl(program, address, path):
    begin = time.perf_counter()
    subprocess.run([program, "--address", address, "import", "speed", path, "--quiet"], check=True)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("heapd")
    parser.add_argument("heapctl")
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--limit", type=float, default=5)
    parser.add_argument("--json", help="write the figures to this file, too")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="heapctl-speed-")
    daemon = Daemon(options.heapd, folder)
    try:
        document = os.path.join(folder, "document.json")
        write_document(document, options.megabytes)
        daemon.start()
        python, heapctl = [], []
        for _ in range(5):
            python.append(time_python(document))
            heapctl.append(time_heapctl(options.heapctl, daemon.address, document))
        ratio = min(heapctl) / min(python)
        figures = {"document_bytes": os.path.getsize(document), "json_load_s": min(python),
                   "heapctl_import_s": min(heapctl), "ratio": ratio, "limit": options.limit}
        print("%(document_bytes)d bytes: json.load %(json_load_s).3f s, heapctl import %(heapctl_import_s).3f s, "
              "ratio %(ratio).2f (at most %(limit)g)" % figures)
        if options.json:
            with open(options.json, "w") as out:
                json.dump(figures, out)
        daemon.stop()
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if ratio > options.limit else 0)


if __name__ == "__main__":
    main()
