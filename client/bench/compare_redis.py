#!/usr/bin/env python3
"""Runs heapd-bench and redis-benchmark in turn and prints the figures side by side.

usage: compare_redis.py [--bin build/release/bin] [--seconds 1] [--rounds 3] [--keyspace 100000]

Starts a heapd and a redis-server of its own on Unix sockets in a temporary directory. With two cores or more,
servers run on the first and load generators on the second. Each figure is the median of the rounds.
The columns "CPU" are nanoseconds of the server's CPU time per operation.
"""
import argparse
import csv
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# heapd-bench's operation, and the nearest command of Redis.
PAIRS = [
    ("ping", ["PING"]),
    ("get_item", ["GET", "key:__rand_int__"]),
    ("set_item", ["SET", "key:__rand_int__", "xxx"]),
    ("list_get", ["LINDEX", "list", "0"]),
    ("append", ["RPUSH", "growing", "xxx"]),
    ("add", ["INCR", "counter:__rand_int__"]),
]
SHAPES = [(1, 1), (50, 1), (1, 100)]


def pinned(core, command):
    return ["taskset", "-c", str(core)] + command if os.cpu_count() > 1 and shutil.which("taskset") else command


def wait_for(path):
    for _ in range(500):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return
        time.sleep(0.01)
    sys.exit(f"nothing listens on {path}")


def cpu_ns(pid):
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def run_heapd(options, socket_path, operation, clients, pipeline):
    command = [os.path.join(options.bin, "heapd-bench"), "-a", socket_path, "-t", operation, "-c", str(clients),
               "-P", str(pipeline), "-d", str(options.seconds), "-r", str(options.keyspace), "--json"]
    result = json.loads(subprocess.run(pinned(1, command), check=True, capture_output=True, text=True).stdout)
    row = result["results"][0]
    if row["failures"]:
        sys.exit(f"heapd-bench {operation}: {row['first_failure']}")
    return row["ops_per_s"], row["latency_us"]["p50"], row["latency_us"]["p99"], row["server_cpu_ns_per_op"]


def run_redis(options, socket_path, pid, command, clients, pipeline, requests):
    arguments = ["redis-benchmark", "-s", socket_path, "-c", str(clients), "-P", str(pipeline), "-n", str(requests),
                 "-r", str(options.keyspace), "--csv"] + command
    before = cpu_ns(pid)
    output = subprocess.run(pinned(1, arguments), check=True, capture_output=True, text=True).stdout
    after = cpu_ns(pid)
    row = list(csv.DictReader(io.StringIO(output)))[0]
    return (float(row["rps"]), float(row["p50_latency_ms"]) * 1000, float(row["p99_latency_ms"]) * 1000,
            (after - before) / requests)


def medians(rounds):
    return [statistics.median(column) for column in zip(*rounds)]


def fill_redis(socket_path, keyspace):
    lines = [f"SET key:{i:012d} xxx" for i in range(keyspace)] + [f"SET counter:{i:012d} 0" for i in range(keyspace)]
    lines.append("RPUSH list xxx")
    subprocess.run(["redis-cli", "-s", socket_path, "--pipe"], input="\r\n".join(lines) + "\r\n", text=True,
                   check=True, capture_output=True)


def compare(options, heapd_socket, redis_socket, redis_pid):
    for clients, pipeline in SHAPES:
        print(f"\n{clients} client{'s' * (clients > 1)}, pipeline {pipeline}\n")
        print("| operation | heapd ops/s | p50 us | p99 us | CPU | Redis ops/s | p50 us | p99 us | CPU | CPU ratio |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for operation, command in PAIRS:
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(run_heapd(options, heapd_socket, operation, clients, pipeline))
                requests = max(1000, int(ours[0][0] * options.seconds * 0.7) // pipeline * pipeline)
                theirs.append(run_redis(options, redis_socket, redis_pid, command, clients, pipeline, requests))
            a, b = medians(ours), medians(theirs)
            print(f"| {operation} / {command[0]} | {a[0]:,.0f} | {a[1]:.1f} | {a[2]:.1f} | {a[3]:.0f} "
                  f"| {b[0]:,.0f} | {b[1]:.1f} | {b[2]:.1f} | {b[3]:.0f} | {a[3] / b[3]:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin", help="where heapd and heapd-bench are")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keyspace", type=int, default=100000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        heapd_socket, redis_socket = os.path.join(folder, "heapd.sock"), os.path.join(folder, "redis.sock")
        heapd = subprocess.Popen(pinned(0, [os.path.join(options.bin, "heapd"), "-l", "unix:" + heapd_socket]),
                                 stderr=subprocess.DEVNULL)
        redis = subprocess.Popen(pinned(0, ["redis-server", "--port", "0", "--unixsocket", redis_socket, "--save", "",
                                            "--appendonly", "no", "--dir", folder]), stdout=subprocess.DEVNULL)
        try:
            wait_for(heapd_socket)
            wait_for(redis_socket)
            fill_redis(redis_socket, options.keyspace)
            compare(options, heapd_socket, redis_socket, redis.pid)
        finally:
            heapd.terminate()
            redis.terminate()
            heapd.wait()
            redis.wait()


if __name__ == "__main__":
    main()
