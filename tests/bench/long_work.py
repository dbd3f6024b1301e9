"""
What others wait for while one session works on a list of millions: `long_work.py --daemon heapd [--elements 10000000]`.

A second process pings all the time, one request after the other; for each operation its percentiles are printed, and of the round trips
before it, when the daemon has nothing else to do.
"""
import argparse
import multiprocessing
import os
import random
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
import run   # noqa: E402
import wire  # noqa: E402


def ping(path, stop, out):
    """Sends the round trips of each phase, which the parent begins by a number in `stop`."""
    connection = wire.Connection(path)
    times, phase = [], 0
    while stop.value >= 0:
        if stop.value != phase:
            out.put((phase, times))
            times, phase = [], stop.value
        begun = time.perf_counter()
        connection.wait(connection.send(wire.PING, b""))
        times.append(time.perf_counter() - begun)
    out.put((phase, times))


def at(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1e6


def literal(numbers):
    body = wire.blob(1, bytes([wire.K_INT]) * len(numbers))
    return body + wire.blob(2, b"".join(wire.varint(wire.zigzag(n)) for n in numbers))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", default="heapd")
    parser.add_argument("--elements", type=int, default=10_000_000)
    arguments = parser.parse_args()
    daemon = run.Daemon(arguments.daemon, "8G")
    connection = wire.Connection(daemon.path)
    chosen = random.Random(1)
    empty = wire.blob(1, bytes([wire.K_LIST])) + wire.blob(6, b"\0")

    def handle(slot):
        return slot | 1 << 32

    def ask(method, body):
        flags, bodies = connection.wait(connection.send(method, body))
        assert not flags & wire.ERROR, bodies
        return bodies

    ask(wire.CREATE, wire.blob(1, empty) + wire.number(2, handle(1)))
    part = [chosen.randrange(1 << 40) for _ in range(100_000)]
    for _ in range(arguments.elements // len(part)):
        chosen.shuffle(part)
        ask(wire.EXTEND, wire.number(1, handle(1)) + wire.blob(2, literal(part)))
    one, two = wire.number(1, handle(1)), wire.number(1, handle(2))
    ref = b"\x40" + wire.varint(handle(1))
    operations = (
        ("nothing", lambda: time.sleep(1)),
        ("copy", lambda: ask(wire.COPY, one + wire.number(3, handle(2)))),
        ("compare ==", lambda: ask(wire.COMPARE, wire.blob(1, ref) + wire.number(2, 1) +
                                   wire.blob(3, b"\x40" + wire.varint(handle(2))))),
        ("deep copy", lambda: ask(wire.COPY, one + wire.number(2, 1) + wire.number(3, handle(3)))),
        ("reverse", lambda: ask(wire.REVERSE, two)),
        ("slice [::2]", lambda: ask(wire.GET_SLICE, one + wire.blob(2, wire.blob(3, b"\x18\x04")) + wire.number(3, handle(4)))),
        ("extend", lambda: ask(wire.EXTEND_FROM, two + wire.blob(2, ref))),
        ("insert(0)", lambda: ask(wire.INSERT, two + wire.blob(3, b"\x18\x02"))),
        ("insert in the middle", lambda: ask(wire.INSERT, two + wire.signed(2, arguments.elements) + wire.blob(3, b"\x18\x02"))),
        ("delete [::2]", lambda: ask(wire.DEL_SLICE, two + wire.blob(2, wire.blob(3, b"\x18\x04")))),
        ("count", lambda: ask(wire.SEARCH, one + wire.number(2, 4) + wire.blob(3, b"\x18\x01"))),
        ("sort", lambda: ask(wire.SORT, one)),
        ("clear", lambda: ask(wire.CLEAR, one)),
        ("release", lambda: (ask(wire.RELEASE, wire.blob(1, wire.varint(handle(2)))), time.sleep(0.5))),
    )
    stop, out = multiprocessing.Value("i", 0), multiprocessing.Queue()
    pinger = multiprocessing.Process(target=ping, args=(daemon.path, stop, out))
    pinger.start()
    time.sleep(0.2)
    print("%-22s %9s %9s %9s %9s %9s" % ("%d elements" % arguments.elements, "seconds", "pings", "p50 us", "p99.9 us", "max us"))
    for number, (name, operation) in enumerate(operations, 1):
        stop.value = number
        out.get()
        begun = time.perf_counter()
        operation()
        spent = time.perf_counter() - begun
        stop.value = 0
        phase, times = out.get()
        print("%-22s %9.2f %9d %9.0f %9.0f %9.0f" % (name, spent, len(times), at(times, 0.5), at(times, 0.999), max(times) * 1e6),
              flush=True)
    stop.value = -1
    out.get()
    pinger.join()
    connection.socket.close()
    daemon.end()


if __name__ == "__main__":
    main()
