#!/usr/bin/env python3
"""heapd beside Redis: the same kind of operation, in turns, on one machine.

Each round runs an operation on heapd with heapd-bench and the nearest command on
Redis with redis-benchmark, over Unix sockets, server on CPU 0 and client on CPU
1. Printed are medians over the rounds: operations a second, p50 and p99 as the
client sees them, and the server's own CPU time per operation. redis-benchmark
costs more CPU than heapd-bench, so at 50 clients it is the client that limits
Redis's rate; the server's CPU time does not suffer from that.

    tests/bench/beside_redis.py [--rounds N] [--seconds S] [--json FILE]
"""
import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(os.environ.get("HEAPD_BUILD", os.path.join(HERE, "..", "..", "build", "release")), "bin")
KEYS = 100000
# heapd-bench's operation, Redis's nearest command
PAIRS = [
    ("get_item", ["get", "key:__rand_int__"]),
    ("set_item", ["set", "key:__rand_int__", "xxx"]),
    ("list_get", ["lindex", "short", "50"]),
    ("append", ["rpush", "list", "xxx"]),
    ("add", ["incr", "counter:__rand_int__"]),
]
SHAPES = [("1 client", 1, 1), ("50 clients", 50, 1), ("1 client, depth 100", 1, 100)]


def pinned(cpu, command):
    return ["taskset", "-c", str(cpu)] + command if shutil.which("taskset") else command


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(path, process):
    deadline = time.monotonic() + 20
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"no server at {path}")
        time.sleep(0.02)


def run_heapd(socket, operation, clients, depth, seconds):
    out = subprocess.run(
        pinned(1, [os.path.join(BIN, "heapd-bench"), "-a", "unix:" + socket, "-c", str(clients), "-P", str(depth),
                   "-t", operation, "-d", str(seconds), "-r", str(KEYS), "--json"]),
        check=True, capture_output=True, text=True).stdout
    row = json.loads(out)["results"][0]
    latency = row["latency_us"]
    return {"rate": row["ops_per_s"], "p50": latency["p50"], "p99": latency["p99"], "cpu": row["server_cpu_ns_per_op"]}


def run_redis(socket, pid, command, clients, depth, seconds, rate):
    count = max(1000, int(rate * seconds))
    before = cpu_seconds(pid)
    out = subprocess.run(
        pinned(1, ["redis-benchmark", "-s", socket, "-c", str(clients), "-P", str(depth), "-n", str(count),
                   "-r", str(KEYS), "--csv"] + command),
        check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(pid) - before
    row = list(csv.reader(out.splitlines()))[-1]
    return {"rate": float(row[1]), "p50": float(row[4]) * 1000, "p99": float(row[6]) * 1000, "cpu": used / count * 1e9}


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    for needed in ("redis-server", "redis-benchmark"):
        if not shutil.which(needed):
            sys.exit(f"{needed} is not installed (Debian: redis-server, redis-tools)")
    with tempfile.TemporaryDirectory(prefix="heapd-bench-") as folder:
        heapd_socket, redis_socket = os.path.join(folder, "heapd.sock"), os.path.join(folder, "redis.sock")
        servers = [
            subprocess.Popen(pinned(0, [os.path.join(BIN, "heapd"), "--listen", "unix:" + heapd_socket]),
                             stderr=subprocess.DEVNULL),
            subprocess.Popen(pinned(0, ["redis-server", "--port", "0", "--unixsocket", redis_socket, "--save", "",
                                        "--appendonly", "no", "--dir", folder]), stdout=subprocess.DEVNULL)]
        try:
            wait_for(heapd_socket, servers[0])
            wait_for(redis_socket, servers[1])
            time.sleep(0.3)
            rows = measure(arguments, heapd_socket, redis_socket, servers[1].pid)
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait()
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


def fill(socket):
    """The keys and the list that the commands read."""
    script = ("for i=0,%d do redis.call('set', string.format('key:%%012d', i), 'xxx') end "
              "for i=1,100 do redis.call('rpush', 'short', 'xxx') end") % (KEYS - 1)
    subprocess.run(["redis-cli", "-s", socket, "eval", script, "0"], check=True, capture_output=True)


def measure(arguments, heapd_socket, redis_socket, redis_pid):
    rows = []
    fill(redis_socket)
    print(f"{'shape':20} {'heapd / redis':20} {'ops/s':>10} {'ops/s':>10} {'p50 us':>8} {'p50 us':>8} "
          f"{'p99 us':>8} {'p99 us':>8} {'cpu ns':>7} {'cpu ns':>7} {'cpu':>6}")
    for shape, clients, depth in SHAPES:
        for operation, command in PAIRS:
            ours, theirs = [], []
            for _ in range(arguments.rounds):
                ours.append(run_heapd(heapd_socket, operation, clients, depth, arguments.seconds))
                rate = theirs[-1]["rate"] if theirs else 50000 * (1 if depth == 1 else 10)
                theirs.append(run_redis(redis_socket, redis_pid, command, clients, depth, arguments.seconds, rate))
            row = {"shape": shape, "heapd": operation, "redis": command[0]}
            for key in ("rate", "p50", "p99", "cpu"):
                row["heapd_" + key], row["redis_" + key] = median(ours, key), median(theirs, key)
            row["cpu_ratio"] = row["heapd_cpu"] / row["redis_cpu"]
            rows.append(row)
            print(f"{shape:20} {operation + ' / ' + command[0]:20} {row['heapd_rate']:10.0f} {row['redis_rate']:10.0f} "
                  f"{row['heapd_p50']:8.1f} {row['redis_p50']:8.1f} {row['heapd_p99']:8.1f} {row['redis_p99']:8.1f} "
                  f"{row['heapd_cpu']:7.0f} {row['redis_cpu']:7.0f} {row['cpu_ratio']:6.2f}", flush=True)
    return rows


if __name__ == "__main__":
    main()
