#!/usr/bin/env python3
"""Measures heapd.Manager() beside multiprocessing.Manager(). Started by ../python.sh; see ../README.md.

Both are measured by turns, several times over, so that a spell of noise falls on both; the medians make the row. A case
is a function of a manager that does an operation n times; what is timed is the loop, in the calling process.
"""
from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import statistics
import sys
import time
from typing import Any, Callable

import heapd


# What a row says of its target; None: it has none.
VERDICTS = {True: "met", False: "NOT MET", None: "-"}


@dataclasses.dataclass
class Case:
    name: str
    run: Callable[[Any, int], Any]
    count: int
    target: float | None = None
    processes: int = 1
    pipelined: bool = False
    make: Callable[[Any], Any] = lambda manager: manager
    unit: str = "/s"


# Each is written out, so that the loop has in it what a program would have.

def dict_get(shared: Any, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        shared["k"]
    return count / (time.perf_counter() - begin)


def dict_set(shared: Any, count: int) -> float:
    begin = time.perf_counter()
    for i in range(count):
        shared["k"] = i
    return count / (time.perf_counter() - begin)


def list_append(shared: Any, count: int) -> float:
    begin = time.perf_counter()
    for i in range(count):
        shared.append(i)
    return count / (time.perf_counter() - begin)


def list_index(shared: Any, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        shared[50]
    return count / (time.perf_counter() - begin)


def namespace_get(shared: Any, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        shared.x
    return count / (time.perf_counter() - begin)


def queue_pair(shared: Any, count: int) -> float:
    begin = time.perf_counter()
    for i in range(count):
        shared.put(i)
        shared.get()
    return count / (time.perf_counter() - begin)


def lock_pair(shared: Any, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        shared.acquire()
        shared.release()
    return count / (time.perf_counter() - begin)


def read_list(shared: Any, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        shared[:]
    return count / (time.perf_counter() - begin)


def update_dict(shared: Any, count: int) -> float:
    entries = {i: i for i in range(1000)}
    begin = time.perf_counter()
    for _ in range(count):
        shared.update(entries)
    return count / (time.perf_counter() - begin)


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return 0


def pid_of(manager: Any) -> int:
    return manager._daemon.pid if isinstance(manager, heapd.SyncManager) else manager._process.pid


def memory(fill: Callable[[Any, range], Any]) -> Callable[[Any, int], float]:
    """Bytes for each of `count` things that are stored, in parts, so that neither side's buffers count."""
    def run(manager: Any, count: int) -> float:
        shared = manager.list() if fill is not fill_dict else manager.dict()
        before = resident_bytes(pid_of(manager))
        for start in range(0, count, 10_000):
            fill(shared, range(start, min(start + 10_000, count)))
        return (resident_bytes(pid_of(manager)) - before) / count

    return run


def fill_ints(shared: Any, numbers: range) -> None:
    shared.extend([1_000_000 + number for number in numbers])


def fill_strings(shared: Any, numbers: range) -> None:
    shared.extend([f"string number {number:08}" for number in numbers])


def fill_dict(shared: Any, numbers: range) -> None:
    shared.update({f"key {number:08}": number for number in numbers})


def in_processes(case: Case, shared: Any, count: int) -> float:
    """The sum of what several processes do at once."""
    context = multiprocessing.get_context("fork")
    ready, go = context.Barrier(case.processes + 1), context.Event()
    rates = context.Queue()

    def work() -> None:
        case.run(shared, 50)
        ready.wait()
        go.wait()
        rates.put(case.run(shared, count))

    workers = [context.Process(target=work) for _ in range(case.processes)]
    for worker in workers:
        worker.start()
    ready.wait()
    go.set()
    total = sum(rates.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total


def measure(case: Case, manager: Any, is_ours: bool, scale: float) -> float:
    shared = case.make(manager)
    # The peer is slower: its loop is shorter, so that both take about as long.
    count = max(10, int(case.count * scale * (1 if is_ours else 0.1)))
    if case.unit == "B":
        return case.run(manager, case.count if scale == 1 else case.count // 4)
    if case.processes > 1:
        return in_processes(case, shared, count // case.processes)
    if is_ours and case.pipelined:
        # The loop inside, and the waiting at the end, are both timed.
        begin = time.perf_counter()
        with manager.heap.pipeline():
            case.run(shared, count)
        return count / (time.perf_counter() - begin)
    case.run(shared, min(count, 200))
    return case.run(shared, count)


def kilobytes_of(path: str, name: str) -> int:
    """A line of a file of /proc; 0 if it has none."""
    with open(path) as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    return 0


def use_array(shared: Any, opened: Any, results: Any, done: Any) -> None:
    """In a process of its own: opens, opens again, reads every byte; says what that took and what its memory is."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        array = shared.numpy()
        times.append((time.perf_counter() - begin) * 1e6)
    opened.wait()  # nobody computes while others open
    total = float(array.sum())
    opened.wait()
    own, rollup = "/proc/self/status", "/proc/self/smaps_rollup"
    results.put((times[0], min(times[1:]), total, kilobytes_of(own, "RssShmem"), kilobytes_of(rollup, "Pss_Shmem")))
    done.wait()


def share_array(mebibytes: int, processes: int = 4) -> list[dict[str, Any]]:
    """A NumPy array that several processes read: how much memory all of them have of it, and what opening it takes."""
    import numpy

    context = multiprocessing.get_context("fork")
    with heapd.Manager() as manager:
        before = kilobytes_of("/proc/meminfo", "Shmem")
        data = numpy.arange(mebibytes << 17, dtype="f8")
        shared, expected = manager.heap.buffer(data), float(data.sum())
        del data
        opened, done, results = context.Barrier(processes), context.Event(), context.Queue()
        workers = [context.Process(target=use_array, args=(shared, opened, results, done)) for _ in range(processes)]
        for worker in workers:
            worker.start()
        seen = [results.get() for _ in workers]
        system = (kilobytes_of("/proc/meminfo", "Shmem") - before) / 1024
        daemon = kilobytes_of(f"/proc/{pid_of(manager)}/smaps_rollup", "Pss_Anon") / 1024
        done.set()
        for worker in workers:
            worker.join()
    if any(one[2] != expected for one in seen):
        raise SystemExit("the processes did not read what was shared")
    name = f"an array of {mebibytes} MiB in {processes} processes"
    copies = processes * mebibytes
    return [plain_row(f"{name}: shared memory of the system", system, "MiB", copies, 1.05 * mebibytes),
            plain_row(f"{name}: sum of the processes' RssShmem", sum(one[3] for one in seen) / 1024, "MiB", copies),
            plain_row(f"{name}: sum of their PSS of it", sum(one[4] for one in seen) / 1024, "MiB", copies,
                      1.05 * mebibytes),
            plain_row(f"{name}: the daemon's anonymous PSS", daemon, "MiB", None),
            plain_row(f"{name}: first opening, median", statistics.median(one[0] for one in seen), "us", None, 1000),
            plain_row(f"{name}: first opening, worst", max(one[0] for one in seen), "us", None),
            plain_row(f"{name}: opening again, median", statistics.median(one[1] for one in seen), "us", None, 1000)]


def plain_row(case: str, ours: float, unit: str, copies: float | None, most: float | None = None) -> dict[str, Any]:
    """A figure of ours that has no peer to run: beside it, if that says anything, what a copy for each would be."""
    return {"case": case, "ours": round(ours, 1), "unit": unit, "peer": "a copy each" if copies else None,
            "theirs": copies, "ratio": round(copies / ours, 2) if copies and ours else None, "target": most,
            "met": None if most is None else ours <= most}


def cases() -> list[Case]:
    simple: list[tuple[str, Callable[[Any, int], Any], Callable[[Any], Any], int]] = [
        ("dict get", dict_get, lambda m: m.dict(k=1), 100_000),
        ("dict set", dict_set, lambda m: m.dict(k=1), 100_000),
        ("list append", list_append, lambda m: m.list(), 100_000),
        ("list index", list_index, lambda m: m.list(range(100)), 100_000),
        ("namespace attribute", namespace_get, _namespace, 100_000),
        ("queue put and get", queue_pair, lambda m: m.Queue(), 50_000),
        ("lock acquire and release", lock_pair, lambda m: m.Lock(), 50_000),
    ]
    out = [Case(name, run, count, 10, make=make) for name, run, make, count in simple]
    out += [Case(f"{name}, 4 processes", run, count, 8, processes=4, make=make) for name, run, make, count in simple[:4]]
    out += [Case(f"{name}, in a pipeline", run, 4 * count, 40, pipelined=True, make=make)
            for name, run, make, count in simple[:5]]
    out.append(Case("read a list of 10,000 ints", read_list, 1000, 2, make=lambda m: m.list(range(10_000))))
    out.append(Case("update a dict with 1,000 entries", update_dict, 2000, 2, make=lambda m: m.dict()))
    out.append(Case("memory of an int in a list", memory(fill_ints), 1_000_000, 2, unit="B"))
    out.append(Case("memory of a string in a list", memory(fill_strings), 500_000, 2, unit="B"))
    out.append(Case("memory of a dict's entry", memory(fill_dict), 500_000, 2, unit="B"))
    return out


def _namespace(manager: Any) -> Any:
    namespace = manager.Namespace()
    namespace.x = 1
    return namespace


def row_of(case: Case, ours: list[float], theirs: list[float]) -> dict[str, Any]:
    a, b = statistics.median(ours), statistics.median(theirs)
    ratio = b / a if case.unit == "B" else a / b
    return {"case": case.name, "ours": round(a, 1), "unit": case.unit, "peer": "multiprocessing", "theirs": round(b, 1),
            "ratio": round(ratio, 2), "target": case.target, "met": None if case.target is None else ratio >= case.target}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the operations")
    parser.add_argument("--json", metavar="FILE", help="the rows as JSON")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose names contain one of these words, by commas")
    options = parser.parse_args()
    wanted = [word for word in options.only.split(",") if word]
    rows = []
    print(f"{'case':42} {'ours':>12} {'theirs':>12} {'ratio':>7} {'target':>7}")
    for case in cases():
        if wanted and not any(word in case.name for word in wanted):
            continue
        ours, theirs = [], []
        for _ in range(1 if options.quick else options.runs):
            for is_ours, out in ((True, ours), (False, theirs)):
                with (heapd.Manager() if is_ours else multiprocessing.Manager()) as manager:
                    out.append(measure(case, manager, is_ours, 0.1 if options.quick else 1))
        row = row_of(case, ours, theirs)
        rows.append(row)
        print(f"{row['case']:42} {row['ours']:>10,.1f}{row['unit']:2} {row['theirs']:>10,.1f}{row['unit']:2} "
              f"{row['ratio']:>6.1f}x {row['target'] or '-':>6} {VERDICTS[row['met']]}", flush=True)
    if not wanted or any(word in "an array in processes" for word in wanted):
        for row in share_array(64 if options.quick else 256):
            rows.append(row)
            print(f"{row['case']:64} {row['ours']:>10,.1f} {row['unit']:3} "
                  f"{'at most ' + format(row['target'], ',.0f') if row['target'] else '':>14} "
                  f"{VERDICTS[row['met']]}", flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    sys.exit(0)


if __name__ == "__main__":
    main()
