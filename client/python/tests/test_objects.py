"""Proxies: scalars, containers, names, errors, pipelines, threads."""
from __future__ import annotations

import collections.abc
import contextlib
import copy
import dataclasses
import gc
import os
import signal
import subprocess
import sys
import threading
import unittest
import weakref

import heapd
from support import HeapTest, live


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0

    def total(self) -> int:
        return self.x + self.y


heapd.register(Point)


class Scalars(HeapTest):
    def test_long_runs_of_ints(self) -> None:
        numbers = [i * (-1) ** i << (i % 60) for i in range(40_000)]
        mixed = [value for i in numbers[:5000] for value in (i, str(i), i + 1, i, None)] + [2**70, -(2**63), 2**63 - 1]
        nested = [numbers[:200], tuple(numbers[:300]), {1: 2, 3: "x", "y": 4}, *numbers[:10]]
        for values in (numbers, mixed, nested, tuple(numbers), [numbers[:3]] * 2, []):
            shared = self.h.list(values)
            self.assertEqual(shared.plain(), list(values))
            self.assertEqual(shared[:], list(values))
        pairs = {**{i: -i for i in range(1000)}, "x": 2**80, 5.5: None, **{i << 50: [i] for i in range(70)}}
        self.assertEqual(self.h.dict(pairs).plain(), pairs)
        tuples = self.h.tuple(mixed)
        self.assertEqual(tuples[:], tuple(mixed))

    def test_there_and_back(self) -> None:
        for value in (None, True, False, 0, -1, 2**31, -2**63, 2**63, -2**64, 10**400, 0.5, float("inf"), "", "é\0ü",
                      "x" * 200_000, b"", b"\xff\0", bytes(300_000)):
            self.h["value"] = value
            back = self.h["value"]
            self.assertEqual(back, value)
            self.assertIs(type(back), type(value))

    def test_lone_surrogate(self) -> None:
        with self.assertRaises(UnicodeError):
            self.h["value"] = "\ud800"

    def test_what_the_heap_does_not_know(self) -> None:
        with self.assertRaises(heapd.PickleRefused):
            self.h["value"] = object()
        with self.assertRaises(TypeError):
            self.h["value"] = [1, {"a": object()}]
        h = heapd.connect(self.address, pickles=True)
        inner = h.list([1])
        h["value"] = complex(1, 2)
        h["many"] = [1, {"a": frozenset([complex(0, 1)])}, inner]
        self.assertEqual(h["value"], complex(1, 2))
        self.assertEqual(h["many"][1]["a"], {complex(0, 1)})
        h.close()

    def test_pickles_are_refused_not_replaced(self) -> None:
        h = heapd.connect(self.address, pickles=True)
        h["value"], h["l"], h["d"] = complex(1, 2), [complex(1, 2), 3], {"c": complex(1, 2)}
        h["q"] = h.queue()
        h["q"].put(complex(1, 2))
        h["o"] = h.object(c=complex(1, 2))
        l, d = self.h["l"], self.h["d"]
        for read in (lambda: self.h["value"], lambda: self.h.get("value"), lambda: l[0], lambda: l[:], lambda: list(l),
                     lambda: d["c"], lambda: d.get("c"), lambda: list(d.values()), lambda: l.plain(),
                     lambda: self.h["q"].get(), lambda: self.h["o"].c):
            with self.assertRaisesRegex(heapd.PickleRefused, "pickles=True"):
                read()
        with self.h.pipeline():
            result = d["c"]
        self.assertIsInstance(result.exception(), heapd.PickleRefused)
        self.assertIn("value", self.h)
        self.assertIn("c", d)
        self.assertEqual(l[1], 3)
        self.assertIn("pickles", repr(l))
        h.close()

    def test_recursion(self) -> None:
        inside: list = []
        inside.append(inside)
        with self.assertRaises(ValueError):
            self.h["value"] = inside
        deep: list = []
        for _ in range(100_000):
            deep = [deep]
        with self.assertRaises(RecursionError):
            self.h["value"] = deep

    def test_shared_parts_stay_shared(self) -> None:
        part = [1]
        self.h["value"] = {"a": part, "b": part}
        self.h["value"]["a"].append(2)
        self.assertEqual(self.h["value"]["b"], [1, 2])
        plain = self.h["value"].plain()
        self.assertIs(plain["a"], plain["b"])

    def test_rows_that_come_and_go(self) -> None:
        last: list = []

        def rows() -> collections.abc.Iterator[list]:
            for i in range(100):
                row = [i]
                last[:] = [row]
                yield row

        many = self.h.list()
        many.extend(rows())
        self.assertEqual([row[0] for row in many], list(range(100)))


class Names(HeapTest):
    def test_mapping(self) -> None:
        self.h["config"] = {"hosts": ["a"], "port": 80}
        self.h["config"]["hosts"].append("b")
        self.assertEqual(self.h["config"]["hosts"], ["a", "b"])
        self.assertIn("config", self.h)
        self.assertIn("config", list(self.h))
        self.assertEqual(self.h.get("nothing", 5), 5)
        self.h["number"] = 1
        self.assertEqual(self.h.increase("number", 4), 5)
        del self.h["config"]
        with self.assertRaises(KeyError):
            self.h["config"]

    def test_wait(self) -> None:
        other = heapd.connect(self.address)
        timer = threading.Timer(0.05, lambda: other.__setitem__("late", 7))
        timer.start()
        self.assertEqual(self.h.wait("late", 30), 7)
        timer.join()
        other.close()
        with self.assertRaises(TimeoutError):
            self.h.wait("never", 0.01)


class Containers(HeapTest):
    def test_abc(self) -> None:
        self.assertIsInstance(self.h.list(), collections.abc.MutableSequence)
        self.assertIsInstance(self.h.tuple(), collections.abc.Sequence)
        self.assertIsInstance(self.h.dict(), collections.abc.MutableMapping)
        self.assertIsInstance(self.h.set(), collections.abc.MutableSet)

    def test_list(self) -> None:
        l = self.h.list(range(5))
        l.append("x")
        l.extend((6, 7))
        l.insert(0, None)
        self.assertEqual(l, [None, 0, 1, 2, 3, 4, "x", 6, 7])
        self.assertEqual(l.pop(), 7)
        self.assertEqual(l.pop(0), None)
        self.assertEqual(l[1:3], [1, 2])
        self.assertEqual(l[::-2], [6, 4, 2, 0])
        l[1:3] = "ab"
        del l[0]
        self.assertEqual(list(l), ["a", "b", 3, 4, "x", 6])
        self.assertEqual(list(reversed(l)), [6, "x", 4, 3, "b", "a"])
        self.assertIn("x", l)
        l.remove("x")
        self.assertEqual(l.index(4), 3)
        self.assertEqual(l + [1], ["a", "b", 3, 4, 6, 1])
        self.assertEqual(repr(l), "['a', 'b', 3, 4, 6]")
        l.clear()
        self.assertFalse(l)
        with self.assertRaises(IndexError):
            l[0]
        with self.assertRaises(TypeError):
            l["a"]

    def test_dict(self) -> None:
        d = self.h.dict({"a": 1}, b=[2])
        d[3, 4] = None
        self.assertEqual(d, {"a": 1, "b": [2], (3, 4): None})
        self.assertEqual(set(d.keys()) & {"a", "z"}, {"a"})
        self.assertIn(("a", 1), d.items())
        self.assertEqual(d.get("z"), None)
        self.assertEqual(d.pop("z", 9), 9)
        self.assertEqual(d.setdefault("c", 1), 1)
        self.assertEqual(d.increase("c"), 2)
        with self.assertRaises(KeyError) as caught:
            d[1, 2]
        self.assertEqual(caught.exception.args, ((1, 2),))
        with self.assertRaises(TypeError):
            d[[]] = 1
        self.assertEqual(list(d), ["a", "b", (3, 4), "c"])
        self.assertEqual(d | {"q": 0}, {"a": 1, "b": [2], (3, 4): None, "c": 2, "q": 0})

    def test_long_lists(self) -> None:
        ints = list(range(-20_000, 20_000)) + [2**62, -2**63, 2**64]
        mixed = ints + [1.5, "x", None] + ints
        for values in (ints, mixed, [], [True] * 5 + ints):
            l = self.h.list(values)
            self.assertEqual(l[:], values)
            self.assertEqual(l.plain(), values)
            self.assertEqual(l[10:-10:7], values[10:-10:7])
            self.assertEqual(sum(1 for _ in l), len(values))
        nested = self.h.list([ints, tuple(ints), ints[:3]])
        self.assertEqual(nested.plain(), [ints, tuple(ints), ints[:3]])
        self.assertEqual(nested[2][:], ints[:3])

    def test_long_ones_go_in_parts(self) -> None:
        seen: list[tuple[int, int]] = []
        l = self.h.load([str(i) for i in range(120_000)], progress=lambda done, total: seen.append((done, total)))
        self.assertEqual((len(l), l[119_999]), (120_000, "119999"))
        self.assertEqual(seen, [(50_000, 120_000), (100_000, 120_000), (120_000, 120_000)])
        d = self.h.dict({i: -i for i in range(60_000)})
        self.assertEqual((len(d), d[59_999]), (60_000, -59_999))
        self.assertEqual(len(self.h.set(range(60_000))), 60_000)

    def test_dict_takes_out(self) -> None:
        d = self.h.dict({"a": [1], (1, 2): "x" * 100_000})
        self.assertEqual(d.popitem(), ((1, 2), "x" * 100_000))
        key, value = d.popitem()
        self.assertEqual((key, value), ("a", [1]))
        value.append(2)
        with self.assertRaises(KeyError):
            d.popitem()

    def test_set(self) -> None:
        s = self.h.set([1, 2])
        s.add(3)
        s |= {4}
        s.discard(9)
        with self.assertRaises(KeyError):
            s.remove(9)
        self.assertEqual(s & {1, 4, 5}, {1, 4})
        self.assertEqual(s, {1, 2, 3, 4})
        self.assertLess(self.h.set([1]), s)

    def test_set_algebra(self) -> None:
        """Between sets of the heap, and between a set and anything else: as Python's, whoever does it."""
        left, right = set(range(10)), set(range(5, 15))
        a, b, f = self.h.set(left), self.h.set(right), self.h.frozenset([1, (2, 3)])
        for other in (b, right):
            self.assertEqual(a | other, left | right)
            self.assertEqual(a & other, left & right)
            self.assertEqual(a - other, left - right)
            self.assertEqual(a ^ other, left ^ right)
            self.assertEqual((a < other, a <= other, a >= other, a == other, a != other, a.isdisjoint(other)),
                             (False, False, False, False, True, False))
        self.assertIs(type(a | b), set)
        self.assertIs(type(f | f), frozenset)
        self.assertEqual(f & self.h.set([(2, 3)]), {(2, 3)})
        self.assertEqual(a.intersection(b, {5, 6}), {5, 6})
        self.assertTrue(a.issuperset(self.h.set([1])) and f.issubset(self.h.set([1, (2, 3), 4])))
        a.intersection_update(b, [5, 6, 7])
        a.symmetric_difference_update({7, 8})
        a.difference_update((5,), self.h.set([6]))
        a.update("xy", [1])
        self.assertEqual(a, {8, "x", "y", 1})
        a |= b
        a &= b
        a -= self.h.set([5])
        a ^= {6}
        self.assertEqual(a, right - {5, 6})
        with self.assertRaises(TypeError):
            a |= [1]
        with self.assertRaises(TypeError):
            a.update([100, []])
        self.assertEqual(a, right - {5, 6})
        held = self.h.held
        for _ in range(20):
            a | b
        self.h.ping()
        self.assertEqual(self.h.held, held)

    def test_slices(self) -> None:
        made, held = self.h.list([1, [2], "x", 4.5]), self.h.held
        self.assertEqual(made[2:], ["x", 4.5])
        self.assertEqual(made[::-2], [4.5, made[1]])
        made[0:2][1].append(3)
        self.assertEqual(made[1].plain(), [2, 3])
        self.assertEqual(self.h.tuple((1, 2, 3))[:2], (1, 2))
        with self.assertRaises(ValueError):
            made[::0]
        self.h.ping()
        self.assertEqual(self.h.held, held)

    def test_copies(self) -> None:
        l = self.h.list([[1]])
        shallow, deep = copy.copy(l), copy.deepcopy(l)
        l[0].append(2)
        self.assertEqual(shallow, [[1, 2]])
        self.assertEqual(deep, [[1]])

    def test_instances(self) -> None:
        self.h["p"] = Point(1, 2)
        p = self.h["p"]
        p.x = 5
        self.assertEqual((self.h["p"].x, p.total()), (5, 7))
        self.assertEqual(p.plain(), Point(5, 2))
        with self.assertRaises(AttributeError):
            p.z
        self.assertEqual(p.increase("y", 3), 5)
        o = self.h.object(a=1, b=[2])
        self.assertEqual((o.a, o.b), (1, [2]))

    def test_del_gives_back(self) -> None:
        before = live(self.h)
        kept = [self.h.list([i, [i]]) for i in range(1000)]
        self.assertGreaterEqual(live(self.h), before + 2000)
        del kept
        gc.collect()
        self.assertEqual(live(self.h), before)


class Pipelines(HeapTest):
    def test_results(self) -> None:
        d = self.h.dict()
        with self.h.pipeline() as p:
            d["a"] = 1
            first = d["a"]
            missing = d["b"]
            chained = self.h.list([1])
            chained.append(2)
            d["l"] = chained
        self.assertEqual(first.result(), 1)
        self.assertIsInstance(missing.exception(), KeyError)
        with self.assertRaises(KeyError):
            missing.result()
        self.assertEqual(d["l"], [1, 2])
        self.assertEqual(len(p.results), 2)

    def test_failure_of_a_write(self) -> None:
        l = self.h.list()
        with self.assertRaises(IndexError):
            with self.h.pipeline():
                l[5] = 1
                l.append(2)
        self.assertEqual(l, [2])

    def test_batched(self) -> None:
        h = heapd.connect(self.address, batched=True)
        l = h.list()
        for i in range(1000):
            l.append(i)
        self.assertEqual(len(l), 1000)
        l[5000] = 1
        with self.assertRaises(IndexError):
            h.flush()
        h.flush()
        h.close()

    def test_lost_in_the_middle(self) -> None:
        h = heapd.start()
        d = h.dict(a=1)
        with self.assertRaises(ConnectionError):
            with h.pipeline():
                d["b"] = 2
                came = d["a"]
                h._finish()
                h._daemon.process.kill()
                h._daemon.process.wait()
                lost = d["a"]
                d["c"] = 3
        self.assertEqual(came.result(), 1)
        self.assertIsInstance(lost.exception(), ConnectionError)
        with self.assertRaises(ConnectionError):
            d["a"]
        h.close()
        h._daemon.stop()


class Life(HeapTest):
    def test_after_close(self) -> None:
        h = heapd.connect(self.address)
        l = h.list()
        h.close()
        h.close()
        with self.assertRaises(ValueError):
            l.append(1)
        with self.assertRaises(ValueError):
            h["a"] = 1
        self.assertIn("closed", repr(l))
        del l

    def test_closed_while_it_is_used(self) -> None:
        h = heapd.connect(self.address)
        l = h.list()

        def values() -> collections.abc.Iterator[int]:
            yield 1
            h.close()
            yield 2

        with self.assertRaises(ValueError):
            l.extend(values())
        h = heapd.connect(self.address)
        l = h.list([1, 2])

        class Closing:
            def __index__(self) -> int:
                h.close()
                return 1

        with self.assertRaises(ValueError):
            l[Closing():]

    def test_nobody_there(self) -> None:
        with self.assertRaises(ConnectionRefusedError):
            heapd.connect("unix:/nonexistent/heapd.sock")
        with self.assertRaises(ValueError):
            heapd.connect("what:is/this")

    def test_foreign_proxy(self) -> None:
        other = heapd.start()
        with self.assertRaises(ValueError):
            self.h["a"] = other.list()
        other.shutdown()

    def test_weak(self) -> None:
        l = self.h.list()
        seen = weakref.ref(l)
        del l
        self.assertIsNone(seen())

    def test_threads(self) -> None:
        d = self.h.dict(n=0)

        def work() -> None:
            for _ in range(300):
                d.increase("n")
                d["n"]

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(d["n"], 1200)

    def test_interrupt(self) -> None:
        def stop(number: int, frame: object) -> None:
            raise KeyboardInterrupt

        old = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            with self.assertRaises(KeyboardInterrupt):
                self.h.wait("not bound", 60)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        self.h["works"] = 1
        self.assertEqual(self.h["works"], 1)

    def test_interrupted_pipeline(self) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        queue = self.h.queue()
        old = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with self.assertRaises(KeyboardInterrupt):
                with self.h.pipeline():
                    result = queue._get_first(None)
        finally:
            signal.signal(signal.SIGALRM, old)
        # What was sent is still on its way.
        queue.put(5)
        self.assertEqual(result.result(), 5)

    def test_interrupted_reading_holds_nothing(self) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        long, sets = self.h.list(range(100_000)), (self.h.set(range(50_000)), self.h.set(range(30_000, 90_000)))
        held = self.h.held
        old = signal.signal(signal.SIGALRM, interrupt)
        try:
            for step in range(1, 30):
                with contextlib.suppress(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, step / 1000)
                    for _ in range(3):
                        long[1:-1]
                        sets[0] | sets[1]
                    signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        self.h.ping()
        self.assertEqual(self.h.held, held)

    def test_close_wakes_who_waits(self) -> None:
        h = heapd.connect(self.address)
        failures: list[BaseException] = []

        def wait() -> None:
            try:
                h.wait("not bound", 60)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        while self.h.stats()["rpc_parked_count"] == 0:
            pass
        h.close()
        thread.join(30)
        self.assertFalse(thread.is_alive())
        self.assertIsInstance(failures[0], (ConnectionError, ValueError))

    def test_interpreter_ends(self) -> None:
        program = ("import heapd, sys, threading\n"
                   "h = heapd.start()\n"
                   "l = h.list([h.list()])\n"
                   "class Late:\n"
                   "    def __del__(self): self.l.append(1) if self.l is not None else None\n"
                   "late = Late(); late.l = l\n"
                   "print(h._daemon.pid)\n")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60,
                              env=os.environ)
        self.assertEqual(done.returncode, 0, done.stderr)
        with self.assertRaises(ProcessLookupError):
            os.kill(int(done.stdout), 0)


class Numbers(HeapTest):
    def test_gc(self) -> None:
        a = self.h.list()
        a.append(a)
        before = live(self.h)
        del a
        self.assertGreaterEqual(self.h.gc.collect(), 1)
        self.assertLess(live(self.h), before)
        self.h.gc.set_threshold(1000, 20, 30)
        self.assertEqual(self.h.gc.get_threshold(), (1000, 20, 30))
        self.h.gc.disable()
        self.assertFalse(self.h.gc.isenabled())
        self.h.gc.enable()
        self.assertEqual(len(self.h.gc.get_stats()), 3)
        self.h.gc.freeze()
        self.h.gc.unfreeze()
        self.assertEqual(self.h.gc.get_freeze_count(), 0)
        with self.assertRaises(ValueError):
            self.h.gc.collect(3)

    def test_stats(self) -> None:
        self.assertIn("objects_live_count", self.h.stats())
        self.assertTrue(any(session["self"] for session in self.h.sessions()))


if __name__ == "__main__":
    unittest.main()
