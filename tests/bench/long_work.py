"""
What others wait for while one session works on containers of millions: `long_work.py --build build/release [--elements 10000000]`.

bench_ping sends a round trip every 200 us, beside the operations, each for itself; printed are its percentiles, and how late
it was woken, which is the machine's own share. The first row is of a daemon that has nothing else to do. `--only NAME,NAME`
limits the operations, and fills only the containers that these need; `--json FILE` writes rows of case, ours, unit, target
and met. The daemon's thread has the first processor, everybody else the second, where whoever pings goes before, if that is
allowed (SCHED_FIFO), so that it measures the daemon and not who works. Two processors, of which nobody else uses any, are
the least.
"""
import argparse
import collections
import json
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import run   # noqa: E402
import wire  # noqa: E402

SET_COMBINE, SET_UPDATE, SET_COMPARE = 160, 161, 162
DICT_UPDATE, DICT_MERGE, DICT_FROM_KEYS, GATHER = 168, 169, 170, 171
UNION, INTERSECTION, DIFFERENCE = 1, 2, 3
TYPE_SET = 10
SPARE = 9            # a slot
TARGET_US = 1000
INTERVAL_US = 200
LEAST_SECONDS = 0.4  # what is shorter is done several times
LOW_BITS = 13        # of a number, in the part that all blocks share
PART = 16 << LOW_BITS


generations = {}  # of each slot that was used: raised when it is released


def handle(slot):
    return slot | generations.setdefault(slot, 1) << 32


def one(slot, field=1):
    return wire.number(field, handle(slot))


def value(slot, field):
    """A field that is a Value: the object in a slot."""
    return wire.blob(field, b"\x40" + wire.varint(handle(slot)))


def container(kind):
    return wire.blob(1, bytes([kind])) + wire.blob(6, b"\0")


INT = b"\x18\x02"                                # the Value 1
EVERY_OTHER = wire.blob(3, b"\x18\x04")          # [::2]
LOW = [bytes([n << 1 & 127 | 128, n >> 6 | 128]) for n in range(1 << LOW_BITS)]


def ints(column, count):
    return wire.blob(1, bytes([wire.K_INT]) * count) + wire.blob(2, column)


def ascending(start, count):
    """Parts of literals of start, start + 1, ... Varints are cut into a low part and a high one, so that a block of them is one
    join."""
    at, end = start, start + count
    while at < end:
        column, begun = [], at
        while at < end and at - begun < PART:
            first = at & (1 << LOW_BITS) - 1
            last = min(first + end - at, 1 << LOW_BITS)
            high = wire.varint(at >> LOW_BITS)
            column += [high.join(LOW[first:last]), high]
            at += last - first
        yield ints(b"".join(column), at - begun)


def as_one(parts, count):
    """One literal out of those of `ascending`, as a field of Extend."""
    columns = [dict(wire.fields(part))[2] for part in parts]
    return wire.blob(2, ints(b"".join(columns), count))


def disordered(count):
    """The same of random numbers of 42 bits: random bytes, all but the sixth of each with the bit that says that more come."""
    chosen = random.Random(1)
    while count:
        part = min(count, PART)
        more = int.from_bytes(b"\x80\x80\x80\x80\x80\0" * part, "little")
        keep = int.from_bytes(b"\xff\xff\xff\xff\xff\x7f" * part, "little")
        column = (int.from_bytes(chosen.randbytes(6 * part), "little") | more) & keep
        yield ints(column.to_bytes(6 * part, "little"), part)
        count -= part


def lists_of_one(count):
    for _ in range(count // 10000):
        yield (wire.blob(1, bytes([wire.K_LIST, wire.K_INT]) * 10000) + wire.blob(2, b"\2" * 10000) +
               wire.blob(6, b"\1" * 10000))


class Session:
    def __init__(self, path):
        self.wire = wire.Connection(path)
        self.filled = set()

    def ask(self, method, body):
        flags, bodies = self.wire.wait(self.wire.send(method, body))
        if flags & wire.ERROR:
            raise SystemExit("method %d: %s" % (method, bodies))

    def new(self, slot, kind):
        self.ask(wire.CREATE, wire.blob(1, container(kind)) + one(slot, 2))

    def release(self, *slots):
        self.ask(wire.RELEASE, wire.blob(1, b"".join(wire.varint(handle(slot)) for slot in slots)))
        for slot in slots:
            generations[slot] += 1

    def fill(self, slot, parts):
        """A list; parts: literals of what goes into it."""
        self.filled.add(slot)
        self.new(slot, wire.K_LIST)
        for part in parts:
            self.ask(wire.EXTEND, one(slot) + wire.blob(2, part))

    def fill_table(self, slot, kind, start, count):
        """A set of start, start + 1, ..., or a dict, whose values are 1: out of a list, in one go, since each of many large
        literals would be joined to a copy of the table."""
        self.fill(slot, ascending(start, count))
        if kind == wire.K_SET:
            self.ask(GATHER, value(slot, 1) + wire.number(4, TYPE_SET) + one(SPARE, 5))
        else:
            self.ask(DICT_FROM_KEYS, value(slot, 1) + wire.blob(2, INT) + one(SPARE, 3))
        self.release(slot)
        self.ask(wire.DUPLICATE, one(SPARE) + one(slot, 2))
        self.release(SPARE)

    def drop(self):
        """Whatever was filled."""
        if self.filled:
            self.release(*self.filled)
        self.filled.clear()


# needs: the slots that are to be filled; before: what is not measured; after: what is measured, too, and lets it be repeated
# unless there is a `before`.
Case = collections.namedtuple("Case", "name needs operation before after", defaults=(None, None))


def lists(session, count):
    """Slots 1: ints without order; 2: the same, sorted or not; 3: what comes out; 4: 2 million to come; 7: lists in a list."""
    ask = session.ask
    two_million = min(count, 2_000_000)
    large = []

    def fill(slot):
        if slot == 4:
            large.append(as_one(ascending(0, two_million), two_million))
            session.filled.add(slot)
            session.new(4, wire.K_LIST)
        elif slot == 7:
            session.fill(7, lists_of_one(min(count, 1_000_000)))
        else:
            session.fill(slot, disordered(count))

    def drop():
        session.release(3)

    def copy():
        ask(wire.COPY, one(1) + one(3, 3))

    def copy_lists():
        ask(wire.COPY, one(7) + wire.number(2, 1) + one(3, 3))
    return fill, [
        Case("list: copy", [1], copy, None, drop),
        Case("list: ==", [1, 2], lambda: ask(wire.COMPARE, value(1, 1) + wire.number(2, 1) + value(2, 3)), None, lambda: None),
        Case("list: deep copy", [1], lambda: ask(wire.COPY, one(1) + wire.number(2, 1) + one(3, 3)), None, drop),
        Case("lists in a list: deep copy", [7], copy_lists, None, drop),
        Case("list: slice [::2]", [1], lambda: ask(wire.GET_SLICE, one(1) + wire.blob(2, EVERY_OTHER) + one(3, 3)), None, drop),
        Case("list: reverse", [1], lambda: ask(wire.REVERSE, one(1)), None, lambda: None),
        Case("list: count", [1], lambda: ask(wire.SEARCH, one(1) + wire.number(2, 4) + wire.blob(3, b"\x18\x01")), None,
             lambda: None),
        Case("list: insert in the middle", [2], lambda: ask(wire.INSERT, one(2) + wire.signed(2, count // 2) +
                                                            wire.blob(3, INT)), None, lambda: None),
        Case("list: insert at the front", [2], lambda: ask(wire.INSERT, one(2) + wire.blob(3, INT)), None, lambda: None),
        Case("list: extend by a list", [1, 2], lambda: ask(wire.EXTEND_FROM, one(3) + value(2, 2)), copy, drop),
        Case("list: delete [::2]", [1], lambda: ask(wire.DEL_SLICE, one(3) + wire.blob(2, EVERY_OTHER)), copy, drop),
        Case("list: extend by a literal of 2M", [4], lambda: ask(wire.EXTEND, one(4) + large[0]), None, None),
        Case("list: sort", [1], lambda: ask(wire.SORT, one(3)), copy, drop),
        Case("list: clear", [1], lambda: ask(wire.CLEAR, one(3)), copy, drop),
        Case("list: release", [1], drop, copy),
        Case("lists in a list: clear", [7], lambda: ask(wire.CLEAR, one(3)), copy_lists, drop),
    ]


def sets(session, count):
    """Slots 1: 0 to n; 2: n/2 to 3n/2; 3: what comes out."""
    ask = session.ask

    def fill(slot):
        session.fill_table(slot, wire.K_SET, (slot - 1) * count // 2, count)

    def copy():
        ask(wire.COPY, one(1) + one(3, 3))

    def drop():
        session.release(3)

    def combine(operation):
        return lambda: ask(SET_COMBINE, one(1) + wire.number(2, operation) + value(2, 3) + one(3, 5))

    def update(operation):
        return lambda: ask(SET_UPDATE, one(3) + wire.number(2, operation) + value(2, 3))
    return fill, [
        Case("set: union", [1, 2], combine(UNION), None, drop),
        Case("set: intersection", [1, 2], combine(INTERSECTION), None, drop),
        Case("set: difference", [1, 2], combine(DIFFERENCE), None, drop),
        Case("set: copy", [1], copy, None, drop),
        Case("set: ==", [1], lambda: ask(SET_COMPARE, one(1) + wire.number(2, 1) + value(3, 3)), copy, drop),
        Case("set: update in place", [1, 2], update(UNION), copy, drop),
        Case("set: intersection in place", [1, 2], update(INTERSECTION), copy, drop),
        Case("set: difference in place", [1, 2], update(DIFFERENCE), copy, drop),
        Case("set: clear", [1], lambda: ask(wire.CLEAR, one(3)), copy, drop),
    ]


def dicts(session, count):
    """Slots 1: keys 0 to n; 2: n/2 to 3n/2; 3: what comes out; 4: a list of keys; 5: a small dict."""
    ask = session.ask
    pairs = min(count, 1_000_000)

    def fill(slot):
        if slot == 4:
            session.fill(4, ascending(0, count))
        elif slot == 5:
            session.fill_table(5, wire.K_DICT, count + 1, 16384)
        else:
            session.fill_table(slot, wire.K_DICT, (slot - 1) * count // 2, count)

    def copy():
        ask(wire.COPY, one(1) + one(3, 3))

    def drop():
        session.release(3)

    def literal():
        copy()
        large.append(as_one(ascending(count * 2, pairs * 2), pairs * 2))
    large = []
    return fill, [
        Case("dict: fromkeys", [4], lambda: ask(DICT_FROM_KEYS, value(4, 1) + wire.blob(2, INT) + one(3, 3)), None, drop),
        Case("dict: copy", [1], copy, None, drop),
        Case("dict: deep copy", [1], lambda: ask(wire.COPY, one(1) + wire.number(2, 1) + one(3, 3)), None, drop),
        Case("dict: ==", [1], lambda: ask(wire.COMPARE, value(1, 1) + wire.number(2, 1) + value(3, 3)), copy, drop),
        Case("dict: list of items", [1], lambda: ask(GATHER, value(1, 1) + wire.number(2, 3) + wire.number(4, 7) + one(3, 5)),
             None, drop),
        Case("dict: merge", [1, 2], lambda: ask(DICT_MERGE, one(1) + value(2, 2) + one(3, 4)), None, drop),
        Case("dict: update", [1, 2], lambda: ask(DICT_UPDATE, one(3) + value(2, 2)), copy, drop),
        Case("dict: update by 16384", [1, 5], lambda: ask(DICT_UPDATE, one(3) + value(5, 2)), copy, drop),
        Case("dict: extend by a literal of 1M", [1], lambda: ask(wire.EXTEND, one(3) + large[0]), literal, drop),
        Case("dict: clear", [1], lambda: ask(wire.CLEAR, one(3)), copy, drop),
    ]


class Pinger:
    """Round trips from `with` to its end; .rows is what came out."""

    def __init__(self, build, path):
        self.argv = [os.path.join(build, "bin", "bench_ping"), "unix:" + path, "--interval-us", str(INTERVAL_US)]
        if not os.path.exists(self.argv[0]):
            self.argv[0] = os.path.join(build, "bench_ping")

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            os.sched_setscheduler(self.process.pid, os.SCHED_FIFO, os.sched_param(10))
        except PermissionError:
            pass
        time.sleep(0.05)
        return self

    def __exit__(self, *exception):
        text, _ = self.process.communicate()
        self.rows = {label: float(number) for label, number, _ in (line.split("\t") for line in text.splitlines())}


def show(name, seconds, rows):
    print("%-34s %8.2f %8d %8.0f %8.0f %8.0f %10.0f" % (name, seconds, rows["pings"], rows["ping, median"], rows["ping, p99.9"],
                                                       rows["ping, max"], rows["delay, max"]), flush=True)


def report(name, rows):
    if name == "idle":
        return [{"case": "idle: ping, p99.9", "ours": rows["ping, p99.9"], "unit": "us", "target": None, "met": None}]
    return [{"case": "%s: ping, p99.9" % name, "ours": rows["ping, p99.9"], "unit": "us", "target": TARGET_US,
             "met": rows["ping, p99.9"] <= TARGET_US},
            {"case": "%s: ping, max" % name, "ours": rows["ping, max"], "unit": "us", "target": None, "met": None}]


def measure(pinger, case):
    """Seconds of one, and the pings beside all."""
    if case.before:
        case.before()
    with pinger:
        begun = time.perf_counter()
        times = 0
        repeats = case.after and not case.before
        while times == 0 or (repeats and time.perf_counter() - begun < LEAST_SECONDS):
            case.operation()
            times += 1
            if repeats:
                case.after()
        spent = (time.perf_counter() - begun) / times
        if case.after and not repeats:
            case.after()
        time.sleep(0.3)  # what it leaves to be freed
    return spent, pinger.rows


def apart(process):
    """The daemon's own thread to the first processor, us and who comes out of us to the second."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) > 1:
        os.sched_setaffinity(process, processors[:1])
        os.sched_setaffinity(0, processors[1:2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="the folder with bin/heapd and bench_ping")
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="operations whose names contain one of these, with commas between")
    parser.add_argument("--json", help="the rows, into this file")
    arguments = parser.parse_args()
    daemon = run.Daemon(os.path.join(arguments.build, "bin", "heapd"), "12G")
    try:
        apart(daemon.process.pid)
        session, pinger, rows = Session(daemon.path), Pinger(arguments.build, daemon.path), []
        print("%-34s %8s %8s %8s %8s %8s %10s" % ("%d elements" % arguments.elements, "seconds", "pings", "p50 us", "p99.9 us",
                                                  "max us", "woken late"))
        only = [name for name in arguments.only.split(",") if name]

        def note(case):
            spent, came_out = measure(pinger, case)
            show(case.name, spent, came_out)
            rows.extend(report(case.name, came_out))
        note(Case("idle", [], lambda: time.sleep(2)))
        for group in (lists, sets, dicts):
            fill, cases = group(session, arguments.elements)
            for case in cases:
                if only and not any(part in case.name for part in only):
                    continue
                for slot in case.needs:
                    if slot not in session.filled:
                        fill(slot)
                note(case)
            session.drop()
        if arguments.json:
            with open(arguments.json, "w", encoding="utf-8") as out:
                json.dump(rows, out, indent=1)
        session.wire.socket.close()
    finally:
        daemon.end()


if __name__ == "__main__":
    main()
