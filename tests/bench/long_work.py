"""
What others wait for while one session works on containers of millions: `long_work.py --build build/release [--elements 10000000]`.

bench_ping sends a round trip every 200 us, beside the operations, each for itself; printed are its percentiles, and how late
it was woken, which is the machine's own share. The first row is of a daemon that has nothing else to do. `--only NAME,NAME`
limits the operations, `--json FILE` writes rows of case, ours, unit, target and met. The processes are those of the machine:
two processors, of which nobody else uses any, are the least.
"""
import argparse
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
TARGET_US = 1000
INTERVAL_US = 200
LEAST_SECONDS = 0.4  # what is shorter is done several times
PART = 50_000


generations = {}  # of each slot that was used: raised when it is released


def handle(slot):
    return slot | generations.setdefault(slot, 1) << 32


def one(slot, field=1):
    return wire.number(field, handle(slot))


def value(slot, field):
    """A field that is a Value: the object in a slot."""
    return wire.blob(field, b"\x40" + wire.varint(handle(slot)))


def literal(numbers):
    return wire.blob(1, bytes([wire.K_INT]) * len(numbers)) + wire.blob(2, b"".join(map(wire.varint, (n << 1 for n in numbers))))


def container(kind):
    return wire.blob(1, bytes([kind])) + wire.blob(6, b"\0")


INT = b"\x18\x02"                                # the Value 1
EVERY_OTHER = wire.blob(3, b"\x18\x04")          # [::2]


class Session:
    def __init__(self, path):
        self.wire = wire.Connection(path)

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

    def fill(self, slot, kind, numbers):
        self.new(slot, kind)
        width = 2 if kind == wire.K_DICT else 1
        for at in range(0, len(numbers), PART):
            part = numbers[at:at + PART]
            self.ask(wire.EXTEND, one(slot) + wire.blob(2, literal([n for n in part for _ in range(width)])))


def lists(session, count):
    """Slots 1: ints without order; 2: a copy; 3 and more: what comes out."""
    ask = session.ask
    numbers = [random.Random(1).randrange(1 << 40) for _ in range(count)]
    session.fill(1, wire.K_LIST, numbers)
    session.new(6, wire.K_LIST)
    large = wire.blob(2, literal(numbers[:2_000_000]))
    session.new(7, wire.K_LIST)
    for _ in range(min(count, 1_000_000) // 10000):   # lists in a list
        ask(wire.EXTEND, one(7) + wire.blob(2, wire.blob(1, bytes([wire.K_LIST, wire.K_INT]) * 10000) +
                                              wire.blob(2, b"\2" * 10000) + wire.blob(6, b"\1" * 10000)))
    del numbers
    yield "list: copy", lambda: ask(wire.COPY, one(1) + one(2, 3)), lambda: session.release(2)
    ask(wire.COPY, one(1) + one(2, 3))
    yield "list: ==", lambda: ask(wire.COMPARE, value(1, 1) + wire.number(2, 1) + value(2, 3)), None
    yield "list: deep copy", lambda: ask(wire.COPY, one(1) + wire.number(2, 1) + one(3, 3)), lambda: session.release(3)
    yield "lists in a list: deep copy", lambda: ask(wire.COPY, one(7) + wire.number(2, 1) + one(3, 3)), lambda: session.release(3)
    yield "list: slice [::2]", lambda: ask(wire.GET_SLICE, one(1) + wire.blob(2, EVERY_OTHER) + one(4, 3)), lambda: session.release(4)
    yield "list: reverse", lambda: ask(wire.REVERSE, one(2)), None
    yield "list: count", lambda: ask(wire.SEARCH, one(1) + wire.number(2, 4) + wire.blob(3, b"\x18\x01")), None
    yield "list: insert in the middle", lambda: ask(wire.INSERT, one(2) + wire.signed(2, count // 2) + wire.blob(3, INT)), None
    yield "list: insert at the front", lambda: ask(wire.INSERT, one(2) + wire.blob(3, INT)), None
    yield "list: extend by a list", lambda: (session.release(2), ask(wire.COPY, one(1) + one(2, 3)),
                                             ask(wire.EXTEND_FROM, one(2) + value(1, 2))), None
    yield "list: delete [::2]", lambda: ask(wire.DEL_SLICE, one(2) + wire.blob(2, EVERY_OTHER)), None
    yield "list: extend by a literal of 2M", lambda: ask(wire.EXTEND, one(6) + large), None
    yield "list: sort", lambda: ask(wire.SORT, one(1)), None
    yield "list: clear", lambda: ask(wire.CLEAR, one(1)), None
    yield "list: release", lambda: session.release(2), "once"
    yield "lists in a list: clear", lambda: ask(wire.CLEAR, one(7)), None
    session.release(1, 6, 7)


def sets(session, count):
    """Slots 1: 0 to n; 2: n/2 to 3n/2."""
    ask = session.ask
    session.fill(1, wire.K_SET, range(count))
    session.fill(2, wire.K_SET, range(count // 2, count // 2 + count))

    def combine(operation):
        return lambda: ask(SET_COMBINE, one(1) + wire.number(2, operation) + value(2, 3) + one(3, 5))

    def update(operation):
        return lambda: (ask(wire.COPY, one(1) + one(3, 3)), ask(SET_UPDATE, one(3) + wire.number(2, operation) + value(2, 3)))

    def drop():
        session.release(3)
    yield "set: union", combine(UNION), drop
    yield "set: intersection", combine(INTERSECTION), drop
    yield "set: difference", combine(DIFFERENCE), drop
    yield "set: copy", lambda: ask(wire.COPY, one(1) + one(3, 3)), drop
    yield "set: ==", lambda: (ask(wire.COPY, one(1) + one(3, 3)), ask(SET_COMPARE, one(1) + wire.number(2, 1) + value(3, 3))), drop
    yield "set: update in place", update(UNION), drop
    yield "set: intersection in place", update(INTERSECTION), drop
    yield "set: difference in place", update(DIFFERENCE), drop
    yield "set: clear", lambda: ask(wire.CLEAR, one(1)), None
    session.release(1, 2)


def dicts(session, count):
    """Slots 1: keys 0 to n; 2: n/2 to 3n/2; 4: a list of keys; 5: a small dict; 6: one that grows."""
    ask = session.ask
    session.fill(1, wire.K_DICT, range(count))
    session.fill(2, wire.K_DICT, range(count // 2, count // 2 + count))
    session.fill(4, wire.K_LIST, range(count))
    session.fill(5, wire.K_DICT, range(count + 1, count + 1 + 16384))
    pairs = min(count, 1_000_000)
    large = wire.blob(2, literal([n for n in range(count * 2, count * 2 + pairs) for _ in range(2)]))

    def drop():
        session.release(3)
    yield "dict: fromkeys", lambda: ask(DICT_FROM_KEYS, value(4, 1) + wire.blob(2, INT) + one(3, 3)), drop
    yield "dict: copy", lambda: ask(wire.COPY, one(1) + one(3, 3)), drop
    yield "dict: deep copy", lambda: ask(wire.COPY, one(1) + wire.number(2, 1) + one(3, 3)), drop
    yield "dict: ==", lambda: (ask(wire.COPY, one(1) + one(3, 3)),
                               ask(wire.COMPARE, value(1, 1) + wire.number(2, 1) + value(3, 3))), drop
    yield "dict: list of items", lambda: ask(GATHER, value(1, 1) + wire.number(2, 3) + wire.number(4, 7) + one(3, 5)), drop
    yield "dict: merge", lambda: ask(DICT_MERGE, one(1) + value(2, 2) + one(3, 4)), drop
    yield "dict: update", lambda: (ask(wire.COPY, one(1) + one(3, 3)), ask(DICT_UPDATE, one(3) + value(2, 2))), drop
    yield "dict: update by 16384", lambda: (ask(wire.COPY, one(1) + one(3, 3)), ask(DICT_UPDATE, one(3) + value(5, 2))), drop
    yield "dict: extend by a literal of 1M", lambda: ask(wire.EXTEND, one(2) + large), None
    yield "dict: clear", lambda: ask(wire.CLEAR, one(1)), None
    session.release(1, 2, 4, 5)


class Pinger:
    """Round trips from `with` to its end; .rows is what came out."""

    def __init__(self, build, path):
        self.argv = [os.path.join(build, "bin", "bench_ping"), "unix:" + path, "--interval-us", str(INTERVAL_US)]
        if not os.path.exists(self.argv[0]):
            self.argv[0] = os.path.join(build, "bench_ping")

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
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


def measure(pinger, operation, clean):
    """Seconds of one, and the pings beside all."""
    with pinger:
        begun = time.perf_counter()
        times = 0
        while times == 0 or (callable(clean) and time.perf_counter() - begun < LEAST_SECONDS):
            operation()
            times += 1
            if callable(clean):
                clean()
        spent = (time.perf_counter() - begun) / times
        time.sleep(0.3)  # what it leaves to be freed
    return spent, pinger.rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="the folder with bin/heapd and bench_ping")
    parser.add_argument("--elements", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="operations whose names contain one of these, with commas between")
    parser.add_argument("--json", help="the rows, into this file")
    arguments = parser.parse_args()
    daemon = run.Daemon(os.path.join(arguments.build, "bin", "heapd"), "12G")
    try:
        session, pinger, rows = Session(daemon.path), Pinger(arguments.build, daemon.path), []
        print("%-34s %8s %8s %8s %8s %8s %10s" % ("%d elements" % arguments.elements, "seconds", "pings", "p50 us", "p99.9 us",
                                                  "max us", "woken late"))
        only = [name for name in arguments.only.split(",") if name]

        def note(name, operation, clean):
            spent, came_out = measure(pinger, operation, clean)
            show(name, spent, came_out)
            rows.extend(report(name, came_out))
        note("idle", lambda: time.sleep(2), None)
        for group in (lists, sets, dicts):
            if only and not any(group.__name__[:-1] in name for name in only):
                continue
            for name, operation, clean in group(session, arguments.elements):
                if not only or any(part in name for part in only):
                    note(name, operation, clean)
                else:
                    operation()
                    if callable(clean):
                        clean()
        if arguments.json:
            with open(arguments.json, "w", encoding="utf-8") as out:
                json.dump(rows, out, indent=1)
        session.wire.socket.close()
    finally:
        daemon.end()


if __name__ == "__main__":
    main()
