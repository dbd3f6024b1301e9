"""Tags, what grew between two censuses, interned strs."""
from __future__ import annotations

import sys
import tracemalloc
import unittest

import heapd
from support import HeapTest


class Tags(HeapTest):
    def test_blocks(self) -> None:
        with self.h.tag("outer"):
            a = self.h.list()
            with self.h.tag("inner") as inner:
                b = self.h.list([[1]])
                with inner:
                    c = self.h.list()
            d = self.h.list()
        e = self.h.list()
        self.assertEqual([self.h.tag_of(x) for x in (a, b, c, d, e)], ["outer", "inner", "inner", "outer", ""])
        self.assertEqual(self.h.tag_of(b[0]), "inner")
        with self.assertRaises(RuntimeError), self.h.tag("failing"):
            raise RuntimeError
        self.assertEqual(self.h.tag_of(self.h.list()), "")

    def test_one_object(self) -> None:
        a = self.h.list([[1]])
        self.h.set_tag(a, "by hand")
        self.assertEqual((self.h.tag_of(a), self.h.tag_of(a[0])), ("by hand", ""))
        self.h.set_tag(a, "")
        self.assertEqual(self.h.tag_of(a), "")
        for bad in ("x" * 65, "\udc80"):
            with self.assertRaises((heapd.Error, UnicodeEncodeError)):
                self.h.set_tag(a, bad)

    def test_growth(self) -> None:
        before = self.h.census()
        with self.h.tag("import"):
            self.h["rows"] = [[i] for i in range(1000)]
        after = self.h.census()
        row, = (r for r in after.compare_to(before, "tag") if r.name == "import")
        self.assertEqual((row.count, row.count_diff), (1001, 1001))
        self.assertEqual(row.retained, self.h.retained(self.h["rows"]).bytes)
        self.assertEqual(after.compare_to(before, "type")[0].name, "list")
        self.assertIn("import: size=", str(row))
        del self.h["rows"]
        self.h.gc.collect()  # freeing is done in slices: now all of it is done
        again = self.h.census()
        self.assertEqual([(r.name, r.count_diff) for r in again.compare_to(after, "tag")], [("import", -1001)])
        self.assertTrue(any(r.name.startswith(f"{self.h.session_id} ") for r in after.rows["session"]))
        self.assertEqual(after.compare_to(after, "name"), [r for r in after.compare_to(after, "name") if not r.size_diff])

    def test_unrelated(self) -> None:
        before = self.h.census()
        self.h["x"] = [1]
        after = self.h.census()
        with self.assertRaises(ValueError):
            before.compare_to(after)
        with heapd.start() as other, self.assertRaises(ValueError):
            other.census().compare_to(before)
        del self.h["x"]


    def test_as_tracemalloc(self) -> None:
        """The same growth, seen by both: more of what was made, in count and size, none of what went."""
        tracemalloc.start()
        kept, ours = [[]], self.h.list([[]])
        first, before = tracemalloc.take_snapshot(), self.h.census()
        with self.h.tag("made here"):
            ours.extend([[i] for i in range(500)])
            kept.extend([i] for i in range(500)); line = sys._getframe().f_lineno  # noqa: E702
        second, after = tracemalloc.take_snapshot(), self.h.census()
        tracemalloc.stop()
        theirs, = (d for d in second.compare_to(first, "lineno")
                   if d.traceback[0].lineno == line and d.traceback[0].filename == __file__)
        mine, = after.compare_to(before, "tag")
        self.assertGreaterEqual(theirs.count_diff, 500)
        self.assertEqual((mine.count, mine.count_diff), (500, 500))
        for diff in (theirs, mine):
            self.assertEqual(diff.size, diff.size_diff)
            self.assertGreater(diff.size_diff, 500 * 8)


class Intern(HeapTest):
    def test_as_sys(self) -> None:
        a, b = "".join(["one text ", "of two"]), "".join(["one text of", " two"])
        self.assertIsNot(a, b)
        self.assertIs(sys.intern(a), sys.intern(b))
        ours = [self.h.intern(text) for text in (a, b)]  # both live: they are mortal
        self.assertEqual(*(proxy._inspect()["identity"] for proxy in ours))
        for intern in (sys.intern, self.h.intern):
            with self.assertRaises(TypeError):
                intern(5)  # type: ignore[arg-type]

    def test_one_for_all(self) -> None:
        text = "a text that lies in an object of its own"
        a, b = self.h.intern(text), self.h.intern(text)
        self.assertEqual(a._inspect()["identity"], b._inspect()["identity"])
        identity = a._inspect()["identity"]
        self.assertFalse(self.h.let_go(text))
        del a, b
        self.h.flush()
        with self.assertRaises(KeyError):
            self.h.why(identity)

    def test_held(self) -> None:
        text = "a text that the heap holds itself"
        held = self.h.intern(text, hold=True)
        identity = held._inspect()["identity"]
        self.assertEqual(self.h.why(held).paths[0].root.kind, "interned")
        del held
        self.assertEqual(self.h.intern(text)._inspect()["identity"], identity)
        self.assertTrue(self.h.let_go(text))
        self.assertFalse(self.h.let_go(text))

    def test_bad(self) -> None:
        with self.assertRaises(TypeError):
            self.h.intern(b"bytes")  # type: ignore[arg-type]
        with self.assertRaises(heapd.Error):
            self.h.intern("x" * 65537)
        self.assertIsNotNone(self.h.intern(""))


if __name__ == "__main__":
    unittest.main()
