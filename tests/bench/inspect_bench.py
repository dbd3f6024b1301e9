#!/usr/bin/env python3
"""
What others wait for while the whole heap is analysed: `inspect_bench.py --build build/release [--objects 10000000]`.

heapctl runs each analysis several times, and bench_ping sends a round trip every 200 us meanwhile. Printed are how long an
analysis took (median), the pings' percentiles, and how late the pinging process itself was woken, which is the machine's own
share. The first row is of a daemon that has nothing else to do. In rows "... busy" objects are replaced meanwhile, in a list of
three quarters of all: the analyses then read that list before it changes.

The daemon has the first processor, everybody else the second, where whoever pings goes before (SCHED_FIFO), if that is
allowed. `--json FILE` writes rows of case, ours, unit, target and met.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "engine"))
import daemon as parts  # noqa: E402

INTERVAL_US = 200
TARGET_US = 1000
TARGET_SECONDS = {"retained": 20}
# The second list of bench_load is a third of the first.
SHARE = 0.75
ANALYSES = {"retained": ["retained"], "census": ["census"], "why": ["why", "0x2"], "audit": ["audit"]}


class Pinger:
    def __init__(self, folder, address):
        self.argv = [os.path.join(folder, "bench_ping"), address, "--interval-us", str(INTERVAL_US)]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=parts.on_core(parts.CLIENTS_CORE, at_once=True))
        time.sleep(0.05)
        return self

    def __exit__(self, *exception):
        text, _ = self.process.communicate()
        self.rows = {label: float(number) for label, number, _ in (line.split("\t") for line in text.splitlines())}


class Bench:
    def __init__(self, arguments, folder, address):
        self.arguments, self.folder, self.address, self.rows = arguments, folder, address, []
        print("%-20s %8s %8s %8s %8s %8s %8s %10s %8s" % (f"{arguments.objects:,} objects", "runs", "seconds", "pings",
                                                         "p50 us", "p99.9 us", "max us", "woken late", "stolen"))

    def show(self, name, runs, seconds, rows):
        print("%-20s %8d %8.2f %8d %8.0f %8.0f %8.0f %10.0f %8.0f" % (
            name, runs, seconds, rows["pings"], rows["ping, median"], rows["ping, p99.9"], rows["ping, max"],
            rows["delay, p99.9"], rows.get("stolen", 0)), flush=True)
        self.rows.append({"case": f"ping beside {name}, p99.9", "ours": rows["ping, p99.9"], "unit": "us",
                          "target": TARGET_US, "met": rows["ping, p99.9"] <= TARGET_US})
        if name in TARGET_SECONDS:
            self.rows.append({"case": name, "ours": seconds, "unit": "s", "target": TARGET_SECONDS[name],
                              "met": seconds <= TARGET_SECONDS[name]})

    def run(self, words):
        start = time.monotonic()
        done = subprocess.run([os.path.join(self.folder, "heapctl"), *words, "--address", self.address],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              preexec_fn=parts.on_core(parts.CLIENTS_CORE))
        if done.returncode:
            sys.exit(f"heapctl {words}: {done.stderr}")
        return time.monotonic() - start

    def analyse(self, name, words, load=None):
        times = []
        with Pinger(self.folder, self.address) as pinger:
            for _ in range(self.arguments.runs):
                if load:
                    load.process.stdin.write("replace\n")
                    load.process.stdin.flush()
                    time.sleep(0.1)
                times.append(self.run(words))
                if load and load.process.stdout.readline() != "done\n":
                    sys.exit("bench_load failed")
        self.show(name + (" busy" if load else ""), len(times), statistics.median(times), pinger.rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="the folder with bin/heapd")
    parser.add_argument("--objects", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3, help="of each analysis")
    parser.add_argument("--only", default="", help="analyses, with commas between: " + ",".join(ANALYSES))
    parser.add_argument("--json", help="the rows, into this file")
    arguments = parser.parse_args()
    folder = os.path.join(arguments.build, "bin")
    only = [name for name in arguments.only.split(",") if name] or list(ANALYSES)
    with tempfile.TemporaryDirectory() as place:
        address = "unix:" + os.path.join(place, "heapd.sock")
        process = parts.start_daemon(folder, os.path.join(place, "heapd.sock"))
        try:
            load = parts.Load(folder, address, int(arguments.objects * SHARE))
            load.run("build")
            bench = Bench(arguments, folder, address)
            with Pinger(folder, address) as pinger:
                time.sleep(3)
            bench.show("idle", 0, 0, pinger.rows)
            for name in only:
                bench.analyse(name, ANALYSES[name])
                bench.analyse(name, ANALYSES[name], load)
            load.end()
        finally:
            process.stdin.close()
            process.wait()
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(bench.rows, file, indent=1)


if __name__ == "__main__":
    main()
