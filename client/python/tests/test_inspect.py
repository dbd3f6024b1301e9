"""Why an object lives, what it keeps, weak references and being told of a death."""
from __future__ import annotations

import threading
import unittest

import heapd
from support import HeapTest


class Why(HeapTest):
    def test_names_the_path(self) -> None:
        self.h["config"] = {"hosts": ["a", ["the one"]]}
        found = self.h["config"]["hosts"][1]
        answer = self.h.why(found)
        self.assertEqual(answer.type, "list")
        self.assertEqual(answer.identity, found._inspect()["identity"])
        path = answer.paths[0]
        self.assertEqual(path.root.kind, "globals")
        self.assertEqual([(s.edge, s.text) for s in path.steps[1:3]], [("name", "config"), ("key", '"hosts"')])
        self.assertEqual((path.steps[-1].edge, path.steps[-1].number), ("index", 1))
        self.assertEqual(path.steps[-1].identity, answer.identity)
        self.assertIn("[1] -> list", str(answer))
        self.assertEqual(self.h.why(answer.identity), answer)
        del self.h["config"]

    def test_own_proxies(self) -> None:
        held = self.h.list([1])
        self.assertEqual(self.h.why(held).paths, ())
        self.assertIn("nothing holds it", str(self.h.why(held)))
        mine = self.h.why(held, others=False).paths
        self.assertEqual([(p.root.kind, p.root.session) for p in mine], [("session", self.h.session_id)])

    def test_bad(self) -> None:
        with self.assertRaises(KeyError):
            self.h.why(1 << 50)
        with self.assertRaises(OverflowError):
            self.h.why(-1)
        with self.assertRaises(TypeError):
            self.h.why("config")  # type: ignore[arg-type]
        with self.assertRaises(heapd.Error):
            self.h.why(self.h.list(), paths=1000)

    def test_retained(self) -> None:
        shared = self.h.list(["a text that lies in an object of its own"])
        self.h["a"] = [["only here", "x" * 1000], shared]
        self.h["b"] = [shared]
        a = self.h.retained(self.h["a"])
        self.assertTrue(a.reachable)
        assert a.object
        self.assertEqual(a.object.type, "list")
        self.assertGreater(a.object.retained_bytes, 1000)
        # What this connection holds by a proxy is not a's alone: the list itself is, of what it got.
        self.assertLess(a.count, self.h.retained().count)
        self.assertEqual(a.largest[0].type, "list")
        self.assertGreater(a.largest[0].retained_bytes, 1000)
        self.assertGreaterEqual(self.h.retained().bytes, a.bytes)
        del self.h["a"], self.h["b"]


class Weak(HeapTest):
    def test_ref(self) -> None:
        held = self.h.list([1])
        weak = heapd.weakref.ref(held)
        again = weak()
        self.assertTrue(again.same(held))
        self.assertEqual(weak, heapd.weakref.ref(held))
        self.assertEqual(hash(weak), hash(heapd.weakref.ref(held)))
        self.assertNotEqual(weak, heapd.weakref.ref(self.h.list()))
        del again, held
        self.h.ping()
        self.assertIsNone(weak())

    def test_cycle(self) -> None:
        held = self.h.list()
        held.append(held)
        weak = heapd.weakref.ref(held)
        del held
        self.h.ping()
        self.assertIsNotNone(weak())
        self.h.gc.collect()
        self.assertIsNone(weak())

    def test_finalize(self) -> None:
        held = self.h.dict(a=1)
        died = threading.Event()
        told: list[object] = []
        end = heapd.weakref.finalize(held, lambda *args, **named: (told.append((args, named)), died.set()), 1, b=2)
        self.assertTrue(end.alive)
        del held
        self.h.ping()
        self.assertTrue(died.wait(30))
        self.assertEqual(told, [((1,), {"b": 2})])
        self.assertFalse(end.alive)
        self.assertIsNone(end())

    def test_detach_and_call(self) -> None:
        held = self.h.list()
        called: list[int] = []
        detached, now = (heapd.weakref.finalize(held, called.append, i) for i in (1, 2))
        call = detached.detach()
        assert call
        self.assertEqual(call[1], (1,))
        now()
        now()
        for each in (detached, now):
            each._thread.join(30)
            self.assertFalse(each._thread.is_alive())
        del held
        self.h.ping()
        self.assertEqual(called, [2])

    def test_callback(self) -> None:
        held = self.h.list()
        died = threading.Event()
        got: list[object] = []
        weak = heapd.weakref.ref(held, lambda which: (got.append(which), died.set()))
        del held
        self.h.ping()
        self.assertTrue(died.wait(30))
        self.assertEqual(got, [weak])

    def test_close_ends_it(self) -> None:
        h = heapd.connect(self.address)
        called: list[int] = []
        end = heapd.weakref.finalize(h.list(), called.append, 1)
        kept = heapd.weakref.finalize(h.list(), called.append, 2)
        end._thread.join(30)
        kept._thread.join(30)
        self.assertEqual(sorted(called), [1, 2])
        held = h.list()
        end = heapd.weakref.finalize(held, called.append, 3)
        h.close()
        end._thread.join(30)
        self.assertFalse(end._thread.is_alive())
        self.assertEqual(sorted(called), [1, 2])

    def test_values(self) -> None:
        values = heapd.weakref.WeakValueDictionary()
        held = self.h.list([7])
        values["a"] = held
        values["b"] = self.h.list()
        self.h.ping()
        self.assertEqual(list(values), ["a"])
        self.assertEqual(values["a"], [7])
        with self.assertRaises(KeyError):
            values["b"]
        del held
        self.h.ping()
        self.assertEqual(len(values), 0)
        with self.assertRaises(TypeError):
            values["c"] = 5


if __name__ == "__main__":
    unittest.main()
