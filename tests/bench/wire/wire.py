#!/usr/bin/env python3
"""The wire beside its peers: heapd, Redis, memcached and an echo by turns, same load generator, pinned the same way.

Called by ../wire.sh. Servers run on the first core and load generators on the second, unless a case says otherwise.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "engine"))
import run as table  # noqa: E402  how a row looks is the same for both

SERVER_CORE, CLIENT_CORE = 0, 1


def pinned(core, command):
    can_pin = core is not None and (os.cpu_count() or 1) > 1 and shutil.which("taskset")
    return ["taskset", "-c", str(core)] + command if can_pin else command


def at_once():
    """Before a child becomes a program: whatever else runs on its core is interrupted for it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        print("  the measuring client has no precedence on its core: its latency holds waits for the core", file=sys.stderr)


def wait_for(path, process):
    for _ in range(1000):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.01)
    sys.exit(f"nothing listens on {path}")


def cpu_seconds(pid):
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Server:
    """A server on a socket of its own in `folder`, until stop()."""

    def __init__(self, name, folder, command, core=SERVER_CORE):
        self.name, self.path = name, os.path.join(folder, name + ".sock")
        command = [part.replace("{socket}", self.path).replace("{folder}", folder) for part in command]
        self.process = subprocess.Popen(pinned(core, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.path, self.process)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        if os.path.exists(self.path):  # the next server of this name binds it again
            os.unlink(self.path)


class Bench:
    def __init__(self, build, quick, folder):
        self.bin, self.bench = os.path.join(build, "bin"), os.path.join(build, "bench")
        self.quick, self.folder, self.rows = quick, folder, []
        self.keys = 100_000 if quick else 1_000_000
        self.seconds = 0.4 if quick else 1.5
        self.rounds = 3 if quick else 5

    # ---- servers

    def heapd(self, core=SERVER_CORE):
        config = os.path.join(self.folder, "heapd.conf")
        pathlib.Path(config).write_text("max_connections = 20000\n")
        return Server("heapd", self.folder, [os.path.join(self.bin, "heapd"), "-c", config, "-l", "unix:{socket}"], core)

    def redis(self, core=SERVER_CORE):
        if not shutil.which("redis-server"):
            return None
        return Server("redis", self.folder, ["redis-server", "--port", "0", "--unixsocket", "{socket}", "--save", "",
                                             "--appendonly", "no", "--dir", "{folder}"], core)

    def memcached(self, core=SERVER_CORE):
        if not shutil.which("memcached"):
            return None
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return Server("memcached", self.folder, ["memcached", "-s", "{socket}", "-t", "1", "-m", "2048"] + user, core)

    def echo(self, core=SERVER_CORE):
        return Server("echo", self.folder, [os.path.join(self.bench, "bench_echo"), "{socket}"], core)

    # ---- load

    def load(self, heapd, *options, peers=(), core=CLIENT_CORE, rounds=None):
        """Rows of heapd-bench by (operation, server)."""
        command = [os.path.join(self.bin, "heapd-bench"), "-a", heapd.path, "--json", "-d", str(self.seconds),
                   "--rounds", str(rounds or self.rounds), *options]
        for peer in peers:
            if peer:
                command += ["--peer", f"{peer.name}={peer.path}"]
        done = subprocess.run(pinned(core, command), capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
        rows = json.loads(done.stdout)["results"]
        for row in rows:
            if row["failures"]:
                sys.exit(f"{row['server']} {row['operation']}: {row['first_failure']}")
        return {(row["operation"], row["server"]): row for row in rows}

    def ring(self, heapd, *options, core=CLIENT_CORE):
        """Medians over the rounds of ring_bench: all clients' operations a second, p50, p99, slowest over fastest."""
        results = []
        for _ in range(self.rounds):
            command = [os.path.join(self.bin, "ring_bench"), "-a", heapd.path, "-d", str(self.seconds), *options]
            text = subprocess.run(pinned(core, command), check=True, capture_output=True, text=True).stdout
            lines = re.findall(r"^(\S+)(?: (ring|sock))? +(\d+) op/s  p50 +([\d.]+) us .*?p99 +([\d.]+) us", text, re.M)
            each = [float(line[2]) for line in lines if line[0] != "all"]
            if "-s" not in options and not all(line[1] == "ring" for line in lines if line[0] != "all"):
                print("  a client got no ring", file=sys.stderr)
            total = next(line for line in lines if line[0] == "all")
            results.append((float(total[2]), float(total[3]), float(total[4]), min(each) / max(each)))
        return [statistics.median(column) for column in zip(*results)]

    def large_values(self, heapd, redis, count):
        """Medians in us, by what buffer_bench calls them."""
        command = [os.path.join(self.bin, "buffer_bench"), "-a", heapd.path, "-n", str(count),
                   "-i", str(self.rounds * (2 if count > 1 << 20 else 40))]
        if redis:
            command += ["-r", redis.path.removeprefix("unix:")]
        text = subprocess.run(pinned(CLIENT_CORE, command), check=True, capture_output=True, text=True).stdout
        return {name.strip(): float(us) for name, us in re.findall(r"^(.*?) +best .* median +([\d.]+) us", text, re.M)}

    # ---- rows

    def row(self, case, ours, unit, peer="-", theirs=None, better="less", at_most=None, at_least=None, of_ratio=None):
        """
        better: which way is good; the ratio is always how many times better we are. Targets: at_most and at_least are
        of our own figure, of_ratio is of the ratio.
        """
        ratio = None
        if ours and theirs:
            ratio = theirs / ours if better == "less" else ours / theirs
        target, met = "", None
        if of_ratio is not None:
            target, met = f">= {of_ratio:.3g}x", None if ratio is None else ratio >= of_ratio
        elif at_most is not None:
            target, met = f"<= {at_most:g}", ours is not None and ours <= at_most
        elif at_least is not None:
            target, met = f">= {at_least:g}", ours is not None and ours >= at_least
        row = {"case": case, "ours": ours, "unit": unit, "peer": peer, "theirs": theirs, "ratio": ratio,
               "target": target, "met": met}
        if peer != "-" and theirs is None:
            row["note"] = "peer not installed"
        self.rows.append(row)
        table.print_row(row)

    # ---- cases

    def pipelined(self):
        """One client, depth 100: what an operation costs the server, and how many there are in a second."""
        heapd, redis, memcached, echo = self.heapd(), self.redis(), self.memcached(), self.echo()
        operations = ["add", "append", "list_get", "set_item", "get_item"]
        rows = self.load(heapd, "-c", "1", "-P", "100", "-r", str(self.keys), "-t", ",".join(operations),
                         peers=(redis, memcached, echo))
        for operation in operations:
            ours = rows[(operation, "heapd")]
            for peer in ("redis", "memcached", "echo"):
                theirs = rows.get((operation, peer))
                if not theirs and peer != "redis":
                    continue
                is_redis = peer == "redis"
                self.row(f"pipelined {operation}: server CPU per operation", ours["server_cpu_ns_per_op"], "ns", peer,
                         theirs and theirs["server_cpu_ns_per_op"], of_ratio=1 / 0.45 if is_redis else None)
                self.row(f"pipelined {operation}: throughput", ours["ops_per_s"], "/s", peer,
                         theirs and theirs["ops_per_s"], "more", of_ratio=2 if is_redis else None)
        ring, _, _, _ = self.ring(heapd, "-P", "100", "-o", "get")
        theirs = rows.get(("get_item", "redis"))
        self.row("pipelined get over the ring: throughput", ring, "/s", "redis", theirs and theirs["ops_per_s"], "more",
                 of_ratio=3)
        self.stop(heapd, redis, memcached, echo)

    def single(self):
        """One request at a time, by one client and by fifty."""
        heapd, redis, memcached, echo = self.heapd(), self.redis(), self.memcached(), self.echo()
        peers = (redis, memcached, echo)
        rows = self.load(heapd, "-c", "1", "-P", "1", "-r", "100000", "-t", "get_item", peers=peers)
        ours = rows[("get_item", "heapd")]
        for peer in ("echo", "redis", "memcached"):
            theirs = rows.get(("get_item", peer))
            self.row("one at a time, get: p50", ours["latency_us"]["p50"], "us", peer,
                     theirs and theirs["latency_us"]["p50"], of_ratio=1 / 1.15 if peer == "echo" else None)
        rows50 = self.load(heapd, "-c", "50", "-P", "1", "-r", "100000", "-t", "get_item", peers=peers)
        for peer in ("redis", "memcached", "echo"):
            mine, theirs = rows50[("get_item", "heapd")], rows50.get(("get_item", peer))
            wanted = 1 if peer == "redis" else None
            self.row("50 clients, get: throughput", mine["ops_per_s"], "/s", peer, theirs and theirs["ops_per_s"],
                     "more", of_ratio=wanted)
            self.row("50 clients, get: p99", mine["latency_us"]["p99"], "us", peer,
                     theirs and theirs["latency_us"]["p99"], of_ratio=wanted)
        redis_ops = rows.get(("get_item", "redis"), {}).get("ops_per_s")
        for name in ("get", "set"):
            ops, p50, p99, _ = self.ring(heapd, "-o", name)
            self.row(f"ring, one at a time, {name}: p50", p50, "us", at_most=1.5)
            self.row(f"ring, one at a time, {name}: p99", p99, "us", at_most=5)
            self.row(f"ring, one at a time, {name}: throughput", ops, "/s", "redis", redis_ops, "more", of_ratio=12)
        _, ring_p50, _, _ = self.ring(heapd, "-p", "10000")
        _, socket_p50, _, _ = self.ring(heapd, "-p", "10000", "-s")
        self.row("first request after 10 ms of pause, over the ring", ring_p50, "us", "our socket", socket_p50,
                 of_ratio=1)
        self.stop(heapd, redis, memcached, echo)

    def four(self):
        """Four clients on both cores, servers too: nobody is pinned."""
        heapd, redis = self.heapd(None), self.redis(None)
        rows = self.load(heapd, "-c", "4", "-P", "1", "-r", "100000", "-t", "get_item", peers=(redis,), core=None)
        theirs = rows.get(("get_item", "redis"))
        ops, _, p99, evenness = self.ring(heapd, "-c", "4", core=None)
        self.row("ring, 4 clients: throughput", ops, "/s", "redis", theirs and theirs["ops_per_s"], "more", of_ratio=3)
        self.row("ring, 4 clients: p99", p99, "us", at_most=50)
        self.row("ring, 4 clients: slowest over fastest", evenness, "", at_least=0.5)
        self.stop(heapd, redis)

    def idle(self):
        """Connections that do nothing."""
        heapd = self.heapd()
        count = 1_000 if self.quick else 10_000
        before = self.load(heapd, "-c", "50", "-r", "1000", "-t", "get_item", "--keep")
        empty = resident_bytes(heapd.pid)
        command = [os.path.join(self.bin, "heapd-bench"), "-a", heapd.path, "-c", "1", "-r", "1000", "-t", "ping",
                   "--idle", str(count), "--keep", "-d", "600"]
        idle = subprocess.Popen(pinned(CLIENT_CORE, command + ["--rate", "1"]), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while connections(heapd.pid) < count and time.monotonic() < deadline and idle.poll() is None:
            time.sleep(0.1)
        time.sleep(1)
        per_connection = (resident_bytes(heapd.pid) - empty) / count
        self.row(f"{count:,} idle connections: daemon's memory for each", per_connection / 1024, "KiB", at_most=8)
        idle.send_signal(signal.SIGSTOP)
        after = self.load(heapd, "-c", "50", "-r", "1000", "-t", "get_item", "--keep")
        self.row(f"50 active beside {count:,} idle: throughput", after[("get_item", "heapd")]["ops_per_s"], "/s",
                 "without them", before[("get_item", "heapd")]["ops_per_s"], "more", of_ratio=0.9)
        idle.kill()
        idle.wait()
        rings = subprocess.Popen([os.path.join(self.bin, "ring_bench"), "-a", heapd.path, "-c", "100", "-p", "9000000",
                                  "-d", "1"], stdout=subprocess.DEVNULL)
        time.sleep(5)
        begin = cpu_seconds(heapd.pid)
        time.sleep(3)
        self.row("100 idle ring clients: daemon's CPU in a second", (cpu_seconds(heapd.pid) - begin) / 3 * 1e6, "us",
                 at_most=500)
        rings.wait()
        self.stop(heapd)

    def disturbed(self):
        """One streams much in, one drops much: what a third feels, whose requests are due whatever happens."""
        heapd = self.heapd()
        mib, objects = (128, 1_000_000) if self.quick else (1024, 10_000_000)
        disturb = pinned(CLIENT_CORE, [os.path.join(self.bench, "bench_disturb"), heapd.path])
        dropper = subprocess.Popen(disturb + ["drop", str(objects)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)
        dropper.stdout.readline()
        # The clients share a core, so the one that measures goes first there: it is the daemon that is measured.
        command = [os.path.join(self.bin, "heapd-bench"), "-a", heapd.path, "-c", "1", "-P", "64", "--rate", "2000",
                   "-r", "1000", "-t", "get_item", "--warmup", "1", "-d", "1" if self.quick else "4", "--json"]
        measuring = subprocess.Popen(pinned(CLIENT_CORE, command), stdout=subprocess.PIPE, text=True, preexec_fn=at_once)
        time.sleep(1)
        streamer = subprocess.Popen(disturb + ["stream", str(mib)], stdout=subprocess.PIPE, text=True)
        dropper.stdin.write("\n")
        dropper.stdin.flush()
        results, _ = measuring.communicate()
        if measuring.returncode:
            sys.exit("heapd-bench failed")
        latency = json.loads(results)["results"][0]["latency_us"]
        name = f"while {mib} MiB stream in and {objects:,} objects are dropped"
        self.row(f"{name}: a third's p99.9", latency["p999"], "us", at_most=1000)
        self.row(f"{name}: a third's p50", latency["p50"], "us")
        self.row(f"{name}: a third's longest", latency["max"], "us")
        written = json.loads(results)["results"][0]["from_write_us"]
        self.row(f"{name}: a third's p99.9 from its write", written["p999"], "us")
        streamed = streamer.communicate()[0].split("\t")
        self.row(f"{name}: the stream", float(streamed[1]), "MiB/s")
        dropper.kill()
        dropper.wait()
        self.stop(heapd)

    def buffers(self):
        heapd, redis = self.heapd(), self.redis()
        for name, count in (("64 MiB", 64 << 20), ("1 MiB", 1 << 20)):
            times = self.large_values(heapd, redis, count)
            whole = count == 64 << 20
            self.row(f"{name} buffer: get and read", times["heapd get and read"], "us", "redis",
                     times.get("redis GET and read"), of_ratio=5 if whole else 1)
            self.row(f"{name} buffer: put", times["heapd put"], "us", "redis", times.get("redis SET"),
                     of_ratio=1 if whole else None)
            self.row(f"{name} buffer: write in place", times["heapd write in place"], "us", "redis", times.get("redis SET"))
            self.row(f"{name} buffer: second get", times["heapd get again"], "us", at_most=100)
        self.stop(heapd, redis)

    def stop(self, *servers):
        for server in servers:
            if server:
                server.stop()

    def cases(self):
        return {"pipelined": self.pipelined, "single": self.single, "four": self.four, "idle": self.idle,
                "disturbed": self.disturbed, "buffers": self.buffers}


def connections(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def main():
    parser = argparse.ArgumentParser(prog="wire.sh", description="The wire beside its peers, in one run.")
    parser.add_argument("--quick", action="store_true", help="smaller, in about a minute")
    parser.add_argument("--json", metavar="FILE", help="write the rows to FILE as well")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds of each measurement (5; quick: 3)")
    parser.add_argument("--only", metavar="CASES", help="pipelined, single, four, idle, disturbed, buffers")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    start, stolen = time.monotonic(), table.steal_seconds()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.build, arguments.quick, folder)
        if arguments.runs:
            bench.rounds = arguments.runs
        cases = bench.cases()
        chosen = arguments.only.replace(",", " ").split() if arguments.only else list(cases)
        for name in chosen:
            if name not in cases:
                parser.error(f"there is no case '{name}'; there are: {' '.join(cases)}")
        table.print_head()
        for name in chosen:
            cases[name]()
    targets = [row["met"] for row in bench.rows if row["met"] is not None]
    print(f"\n{targets.count(True)} of {len(targets)} targets met, {bench.rounds} rounds, "
          f"{time.monotonic() - start:.0f} s; stolen by the host: {table.steal_seconds() - stolen:.1f} s, "
          f"load {os.getloadavg()[0]:.1f}. ratio: how many times better we are.")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(bench.rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
