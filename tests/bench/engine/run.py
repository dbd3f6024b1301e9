#!/usr/bin/env python3
"""Runs the engine's measurements beside its peers and prints what came out. Started by ../engine.sh; see ../README.md.

A group is a few programs that are run one after the other, several times over, so that a spell of noise falls on all of
them. Each prints rows of label, value and unit. A case takes a label of ours and perhaps one of a peer's, and makes one
row of the table out of their medians.
"""

import argparse
import ctypes.util
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

SLOW_RUNS = 2

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Program:
    name: str
    argv: list
    preload: str = ""  # a library in front of the C library's malloc
    env: dict = dataclasses.field(default_factory=dict)
    installed: bool = True
    slow: bool = False  # takes most of a full run's time, and its figures vary little: run SLOW_RUNS times at most


@dataclasses.dataclass
class Case:
    name: str
    ours: str  # label; "program:label" where it is not the group's first program's
    peer: str = "-"
    theirs: str = ""
    ratio_at_least: float = None  # theirs / ours: how many times better we are
    at_most: float = None  # ours
    worst: bool = False  # the largest of all runs instead of the median: for maxima


@dataclasses.dataclass
class Group:
    name: str
    programs: list
    cases: list
    peer_is_own: str = ""  # this "peer" is the first program in another state


class Sizes:
    """How large and how often: the full form, or a smaller one that takes minutes."""

    def __init__(self, quick):
        self.objects = 1_000_000 if quick else 10_000_000
        self.pairs = 5_000_000 if quick else 20_000_000
        self.blocks = 1_000_000 if quick else 5_000_000
        self.elements = 1_000_000 if quick else 5_000_000
        self.ints = self.objects


def shared_library(stem):
    """The path of an installed library, so that LD_PRELOAD can name it; empty if there is none."""
    return ctypes.util.find_library(stem) or ""


def first_has_target(at_most, cases):
    """The same figure of ours beside several peers: its target counts once."""
    cases[0].at_most = at_most
    return cases


class Bench:
    """Where things are, and the groups that are made of them."""

    def __init__(self, build, sizes, python):
        self.build = pathlib.Path(build)
        self.sizes = sizes
        self.python = python

    def own(self, name, *arguments):
        return [str(self.build / "bin" / name), *map(str, arguments)]

    def heapd(self, *argv, name="heapd"):
        return Program(name, self.own(*argv))

    def cpython(self, *arguments, name="CPython"):
        return Program(name, [self.python, str(HERE / "cpython.py"), *map(str, arguments)], slow=True)

    def boehm(self, *arguments):
        argv = self.own("bench_boehm", *arguments)
        # Markers: one, since the engine has one thread. The heap's first size spares it collections while building.
        env = {"GC_MARKERS": "1", "GC_INITIAL_HEAP_SIZE": "600000000"}
        return Program("Boehm", argv, env=env, installed=os.path.exists(argv[0]))

    def mallocs(self, argv):
        """The C library's malloc and what may stand in its place."""
        programs = [Program("glibc", argv)]
        for name, stem in (("jemalloc", "jemalloc"), ("mimalloc", "mimalloc")):
            library = shared_library(stem)
            programs.append(Program(name, argv, preload=library, installed=bool(library)))
        return programs

    def collection(self, order, ratio_cpython, ratio_boehm):
        count = self.sizes.objects
        return Group(
            f"collection-{order}",
            [
                self.heapd("bench_collect", count, order, "ldi", "full"),
                self.heapd("bench_collect", count, order, "t", "full", name="tuples"),
                self.boehm(count, order),
                self.cpython("collect", count, order, "full"),
            ],
            [
                Case(f"full collection, {order} edges, per live object", "full, one go", "CPython", "full",
                     ratio_at_least=ratio_cpython),
                Case(f"full collection, {order} edges, per live object", "full, one go", "Boehm", "full",
                     ratio_at_least=ratio_boehm),
                Case("the same of tuples, the shape of Boehm's", "tuples:full, one go", "Boehm", "full"),
                Case(f"full collection in slices, {order} edges, over one go", "full, slices over one go", at_most=1.3),
            ])

    def young(self):
        count = self.sizes.objects
        return Group(
            "young",
            [self.heapd("bench_collect", count, "random", "ldi", "young"),
             self.cpython("collect", count, "random", "young")],
            [Case("young collection, 700 survivors", "young", "CPython", "young", at_most=12)])

    def drop(self):
        count = self.sizes.objects
        return Group(
            "drop", [self.heapd("bench_drop", count), self.cpython("drop", count)],
            [Case("drop a shuffled list of small lists, each", "drop", "CPython", "drop"),
             Case("the same, longest slice", "drop, longest slice", at_most=1000, worst=True)])

    def slices(self, kind, what):
        return Group(
            f"slices-{kind}", [self.heapd("bench_slices", self.sizes.objects, kind)],
            [Case(f"{what} under load, p99.9", "p99.9", at_most=300),
             Case(f"{what} under load, max", "max", at_most=1000, worst=True),
             Case("the same, each by the fastest of three runs", "max, the least of three", at_most=1000, worst=True)])

    def daemon(self):
        """Each phase of the load; beside it, as the peer, the same daemon when it was idle: the machine's own share."""
        phases = {"build": "building", "collect": "collecting", "free": "freeing", "compact": "compacting"}
        argv = [self.python, str(HERE / "daemon.py"), str(self.build / "bin"), str(self.sizes.objects)]
        cases = []
        for phase, what in phases.items():
            is_slice = phase != "build"
            cases += [
                Case(f"ping every ms over the socket while {what}, p99.9", f"{phase}: ping, p99.9", "idle",
                     "idle: ping, p99.9", at_most=1000 if is_slice else None),
                Case("the same, max", f"{phase}: ping, max", "idle", "idle: ping, max", worst=True),
                Case("how late the pinging process was woken, p99.9", f"{phase}: delay, p99.9", "idle",
                     "idle: delay, p99.9"),
                Case("what a thread that only answers takes meanwhile, p99.9", f"{phase}: echo, p99.9", "idle",
                     "idle: echo, p99.9"),
                Case("the same, max", f"{phase}: echo, max", "idle", "idle: echo, max", worst=True),
                Case("stolen by the host meanwhile", f"{phase}: stolen"),
            ]
        for kind in ("young", "full", "free", "compact", "other"):
            cases += [Case(f"the daemon's slices, {kind}, elapsed, p99.9", f"daemon: slices {kind}, p99.9"),
                      Case(f"the daemon's slices, {kind}, elapsed, max", f"daemon: slices {kind}, max", worst=True)]
        return Group("daemon", [Program("heapd", argv)], cases, peer_is_own="idle")

    def lifetimes(self):
        label = "random lifetimes, free and allocate"
        count, pairs = 1_000_000, self.sizes.pairs
        speed = ["--objects", count, "--pairs", pairs, "speed"]
        peers = self.mallocs(self.own("alloc_bench", "--malloc", *speed))
        jemalloc = next(peer for peer in peers if peer.name == "jemalloc")
        huge = dataclasses.replace(jemalloc, name="jemalloc, huge pages", env={"MALLOC_CONF": "thp:always"})
        python = self.cpython("malloc", self.build / "lib" / "libbench_malloc_module.so", "speed", count, pairs)
        names = [peer.name for peer in [*peers, huge, python]]
        return Group(
            "lifetimes",
            [
                self.heapd("alloc_bench", *speed),
                *peers,
                huge,
                python,
                self.heapd("bench_bytes", "speed", count, pairs, name="objects"),
            ],
            [
                *(Case("free and allocate, random lifetimes, 16-512 bytes", label, name, label,
                       ratio_at_least=1.0 if name == "jemalloc" else None) for name in names),
                Case("the same, as bytes objects that are filled", "objects:" + label),
            ])

    def resident(self, name, size, what, has_targets):
        arguments = ["rss", self.sizes.blocks, size]
        peers = self.mallocs(self.own("bench_malloc", *arguments))
        module = self.build / "lib" / "libbench_malloc_module.so"
        peers.append(self.cpython("malloc", module, *arguments))
        return Group(
            name,
            [self.heapd("bench_bytes", *arguments), *peers],
            [
                *first_has_target(1.15 if has_targets else None,
                                  [Case(f"RSS / live, {what}, built", "built", peer.name, "built") for peer in peers]),
                *(Case(f"RSS / live, {what}, 90% freed", "freed", peer.name, "freed") for peer in peers),
                *first_has_target(1.6 if has_targets else None,
                                  [Case(f"RSS / live, {what}, 90% freed, compacted (peers: trimmed)", "compacted",
                                        peer.name, "trimmed") for peer in peers]),
                Case(f"compacting, {what}, per live object", "compacting, per live object"),
                Case(f"compacting, {what}, longest slice", "compacting, longest slice", at_most=1000, worst=True),
            ])

    def elements(self, shape, what, target):
        count = self.sizes.ints if shape == "ints" else self.sizes.elements
        redis = Program("Redis", [self.python, str(HERE / "redis_elements.py"), str(count), shape],
                        installed=bool(shutil.which("redis-server")), slow=True)
        peers = [self.cpython("elements", count, shape), redis]
        return Group(
            f"elements-{shape}",
            [self.heapd("bench_elements", count, shape), *peers],
            first_has_target(target, [Case(f"RSS, {what}", "rss", peer.name, "rss") for peer in peers]))

    def groups(self):
        return [
            self.collection("random", 6, 2),
            self.collection("sequential", 6, 1),
            self.young(),
            self.drop(),
            self.slices("collecting", "collecting"),
            self.slices("freeing", "freeing"),
            self.slices("dict", "requests to a growing, shrinking dict,"),
            self.slices("compacting", "compacting"),
            self.daemon(),
            self.lifetimes(),
            self.resident("resident", 0, "16-512 bytes", True),
            self.resident("resident-40", 40, "40 bytes", False),
            self.elements("ints", "list of distinct ints, each", 8.3),
            self.elements("strings", "list of 10-character strings, each", 40),
            self.elements("dict", "dict of str to int, each entry", 66),
            self.elements("instances", "instance of (int, none, bool)", 56),
        ]


def run_program(program):
    """Its rows: label to (values, unit). None if it failed, which is told."""
    env = {**os.environ, **program.env}
    argv = program.argv
    if program.preload:
        # For the program alone, not for what starts it.
        argv = ["env", f"LD_PRELOAD={program.preload}", *argv]
    done = subprocess.run(argv, env=env, text=True, capture_output=True)
    if done.returncode != 0:
        print(f"{program.name}: {' '.join(program.argv)} ended with {done.returncode}: {done.stderr.strip()}",
              file=sys.stderr)
        return None
    rows = {}
    for line in done.stdout.splitlines():
        # alloc_bench puts the allocator's name in front.
        fields = line.split("\t")[-3:]
        if len(fields) == 3:
            rows.setdefault(fields[0], ([], fields[2]))[0].append(float(fields[1]))
    note = done.stderr.strip()
    if note:
        print(f"  {program.name}: {note}", file=sys.stderr)
    return rows


def run_group(group, runs):
    """Runs the programs by turns: name to label to (all values, unit). A program that failed once is left out."""
    results = {program.name: {} for program in group.programs if program.installed}
    for turn in range(runs):
        for program in group.programs:
            if program.name not in results or (program.slow and turn >= SLOW_RUNS):
                continue
            rows = run_program(program)
            if rows is None:
                del results[program.name]
                continue
            for label, (values, unit) in rows.items():
                results[program.name].setdefault(label, ([], unit))[0].extend(values)
    return results


def value_of(results, program, label, worst):
    values, unit = results.get(program, {}).get(label, ([], ""))
    if not values:
        return None, unit
    return (max(values) if worst else statistics.median(values)), unit


def judge(case, ours, ratio):
    """The target in words, and whether it is met: None where there is none or nothing to compare with."""
    if case.at_most is not None:
        return f"<= {case.at_most:g}", None if ours is None else ours <= case.at_most
    if case.ratio_at_least is not None:
        return f">= {case.ratio_at_least:g}x", None if ratio is None else ratio >= case.ratio_at_least
    return "", None


def source_of(group, ours):
    """Program and label: a label may have a colon of its own, so only what names a program is one."""
    program, _, label = ours.partition(":")
    if any(program == known.name for known in group.programs):
        return program, label
    return group.programs[0].name, ours


def make_row(group, case, results):
    program, label = source_of(group, case.ours)
    ours, unit = value_of(results, program, label, case.worst)
    peer = group.programs[0].name if case.peer == group.peer_is_own else case.peer
    theirs, _ = value_of(results, peer, case.theirs, case.worst)
    ratio = theirs / ours if ours and theirs else None
    target, met = judge(case, ours, ratio)
    row = {"case": case.name, "ours": ours, "unit": unit, "peer": case.peer, "theirs": theirs, "ratio": ratio,
           "target": target, "met": met}
    missing = [peer.name for peer in group.programs if not peer.installed]
    if case.peer in missing:
        row["note"] = "peer not installed"
    elif case.peer != "-" and theirs is None:
        row["note"] = "peer failed"
    if ours is None:
        row["note"] = "failed"
    return row


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def print_row(row):
    met = {True: "yes", False: "NO", None: "-"}[row["met"]]
    note = row.get("note", "")
    ratio = number(row["ratio"]) + ("x" if row["ratio"] is not None else "")
    print(f"{row['case']:<66} {number(row['ours']):>8} {row['unit']:<6} {row['peer']:<20} {number(row['theirs']):>8} "
          f"{ratio:>8}  {row['target']:<8} {met:<4} {note}".rstrip(), flush=True)


def print_head():
    print(f"{'case':<66} {'ours':>8} {'unit':<6} {'peer':<20} {'theirs':>8} {'ratio':>8}  {'target':<8} met")


def steal_seconds():
    """Time that the host gave to others while we wanted it."""
    with open("/proc/stat") as file:
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def chosen(groups, only):
    if not only:
        return groups
    words = only.replace(",", " ").split()
    for word in words:
        if not any(group.name.startswith(word) for group in groups):
            sys.exit(f"no case begins with '{word}'; there are: {' '.join(group.name for group in groups)}")
    return [group for group in groups if any(group.name.startswith(word) for word in words)]


def main():
    parser = argparse.ArgumentParser(prog="engine.sh", description="The engine beside its peers, in one run.")
    parser.add_argument("--quick", action="store_true", help="smaller, in less than five minutes")
    parser.add_argument("--json", metavar="FILE", help="write the rows to FILE as well")
    parser.add_argument("--runs", type=int, metavar="N", help="times that each program is run (5; quick: 2; slow peers: 2)")
    parser.add_argument("--only", metavar="CASES", help="cases to run, by the beginnings of their names")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    runs = arguments.runs or (2 if arguments.quick else 5)
    if runs < 1:
        parser.error("--runs: at least 1")

    bench = Bench(arguments.build, Sizes(arguments.quick), os.environ.get("PYTHON", sys.executable))
    start, stolen = time.monotonic(), steal_seconds()
    rows = []
    print_head()
    for group in chosen(bench.groups(), arguments.only):
        results = run_group(group, runs)
        for case in group.cases:
            rows.append(make_row(group, case, results))
            print_row(rows[-1])
    failed = [row["case"] for row in rows if row.get("note") == "failed"]
    targets = [row["met"] for row in rows if row["met"] is not None]
    print(f"\n{targets.count(True)} of {len(targets)} targets met, {runs} runs, {time.monotonic() - start:.0f} s; "
          f"stolen by the host: {steal_seconds() - stolen:.1f} s, load {os.getloadavg()[0]:.1f}. "
          "ratio: theirs over ours, so more is better for us.")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(rows, indent=1) + "\n")
    if failed:
        sys.exit(f"{len(failed)} rows have no figure of ours: {failed[0]}" + (" and others" if failed[1:] else ""))


if __name__ == "__main__":
    main()
