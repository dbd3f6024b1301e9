"""Bytes and arrays in shared memory."""
from __future__ import annotations

import multiprocessing
import pickle
import unittest
from array import array

import heapd
from support import HeapTest, live

try:
    import numpy
except ImportError:
    numpy = None  # type: ignore[assignment]


def total(shared: heapd.Array) -> float:
    return float(shared.numpy().sum())


class Buffers(HeapTest):
    def test_bytes(self) -> None:
        self.h["b"] = self.h.buffer(b"abc" * 100_000)
        found = self.h["b"]
        self.assertEqual(bytes(found), b"abc" * 100_000)
        self.assertEqual(found.nbytes, 300_000)
        with self.assertRaises(TypeError):
            found.memory()[0] = 1
        self.assertEqual(pickle.loads(pickle.dumps(found)).memory()[:3], b"abc")

    def test_memory_outlives_everything(self) -> None:
        h = heapd.connect(self.address)
        memory = h.buffer(bytes(range(256))).memory()
        h.close()
        self.assertEqual(memory[255], 255)

    def test_writer(self) -> None:
        writer = self.h.new_buffer(1 << 20)
        view = memoryview(writer)
        view[:5] = b"hello"
        with self.assertRaises(BufferError):
            writer.seal()
        view.release()
        made = writer.seal()
        self.assertEqual(made.memory()[:6], b"hello\0")
        with self.assertRaises(BufferError):
            memoryview(writer)

    def test_array(self) -> None:
        shared = self.h.buffer(array("d", [1, 2, 3]))
        self.assertEqual(shared.memory().tolist(), [1, 2, 3])

    def test_nothing_is_left(self) -> None:
        self.h.buffer(array("d", [1])) and None
        before = live(self.h)
        shared = self.h.buffer(b"x" * 1_000_000)
        self.assertGreater(live(self.h), before)
        del shared
        self.assertEqual(live(self.h), before)

    @unittest.skipUnless(numpy, "NumPy is not installed")
    def test_numpy(self) -> None:
        data = numpy.arange(1_000_000, dtype="f4").reshape(1000, 1000)
        self.h["data"] = self.h.buffer(data)
        shared = self.h["data"]
        self.assertEqual((shared.shape, shared.format), ((1000, 1000), "<f4"))
        self.assertTrue((shared.numpy() == data).all())
        self.assertFalse(shared.numpy().flags.writeable)
        self.assertTrue((numpy.asarray(shared)[5] == data[5]).all())
        with multiprocessing.get_context("fork").Pool(2) as pool:
            self.assertEqual(pool.map(total, [shared] * 4), [float(data.sum())] * 4)

    @unittest.skipUnless(numpy, "NumPy is not installed")
    def test_pickled_out_of_band(self) -> None:
        with heapd.Manager() as m:
            d = m.dict()
            d["a"] = {"weights": numpy.ones(1_000_000), "name": "x"}
            self.assertEqual(float(d["a"]["weights"].sum()), 1_000_000)
            self.assertEqual(m.heap.stats()["objects_buffer_count"], 1)
            del d["a"]
            self.assertEqual(m.heap.stats()["objects_buffer_count"], 0)


if __name__ == "__main__":
    unittest.main()
