"""heapd.Manager(): what CPython's own tests (cpython_manager.py) do not ask, and heapd.Heap's coordination objects."""
from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import time
import unittest
import warnings

import heapd
from support import HeapTest


class Managers(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.m = heapd.Manager()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.m.shutdown()

    def test_nested_plain_is_a_copy(self) -> None:
        d = self.m.dict()
        d["plain"] = [1, 2]
        d["proxy"] = self.m.list([1, 2])
        d["plain"].append(3)
        d["proxy"].append(3)
        self.assertEqual(d["plain"], [1, 2])
        self.assertIs(type(d["plain"]), list)
        self.assertEqual(d["proxy"][:], [1, 2, 3])
        for value in ({"a": [1]}, {1, 2}, (1, [2]), ("heapd.copy", 5), [("heapd.copy", [])], frozenset([1]), [[[]]],
                      complex(1, 2), [complex(1, 2), {"a": (None,)}]):
            d["value"] = value
            self.assertEqual(d["value"], value)
            self.assertIs(type(d["value"]), type(value))

    def test_proxies_inside_plain(self) -> None:
        d, inner = self.m.dict(), self.m.list()
        d["value"] = {"deep": [inner, 1]}
        d["value"]["deep"][0].append(5)
        self.assertEqual(inner[:], [5])
        del inner
        self.assertEqual(d["value"]["deep"][0][:], [5])

    def test_in_sequence(self) -> None:
        l = self.m.list([[1], (2, 3), {"a": 1}])
        l.extend([[4], self.m.list([5])])
        self.assertEqual(l[:4], [[1], (2, 3), {"a": 1}, [4]])
        self.assertEqual(l[4][:], [5])
        self.assertEqual(l.index([4]), 3)
        self.assertIn([1], l)
        l.remove([1])
        self.assertEqual(l.pop(), [5])

    def test_value_and_array(self) -> None:
        v, a = self.m.Value("i", 5), self.m.Array("d", [1, 2, 3])
        v.value += 1
        self.assertEqual((v.value, v.increase(2), v.get()), (6, 8, 8))
        a[1] = 7
        a[0:1] = [9]
        self.assertEqual(list(a), [9.0, 7.0, 3.0])
        with self.assertRaises(TypeError):
            a[0] = "x"
        d = self.m.dict(v=v, a=a)
        d["v"].value = 1
        self.assertEqual((v.value, len(d["a"])), (1, 3))

    def test_namespace(self) -> None:
        made = self.m.Namespace(x=1)
        made.y, made._mine = [2], 3
        del made.x
        self.assertEqual((made.y, made._mine, str(made)), ([2], 3, "Namespace(y=[2])"))
        self.assertFalse(hasattr(made, "x") or hasattr(made, "_other"))
        self.assertNotIn("_mine", str(pickle.loads(pickle.dumps(made))))
        with self.m.heap.pipeline():
            result = made.y
        self.assertEqual(result.result(), [2])

    def test_queue_of_everything(self) -> None:
        q = self.m.Queue()
        values = [1, "x", (1, [2]), {"a": 1}, complex(0, 1), None]
        for value in values:
            q.put(value)
        self.assertEqual([q.get() for _ in values], values)
        with self.assertRaises(queue.Empty):
            q.get_nowait()

    def test_other_processes(self) -> None:
        import multiprocessing

        v = self.m.Value("i", 0)
        workers = [multiprocessing.Process(target=_add, args=(v, self.m)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            self.assertEqual(worker.exitcode, 0)
        self.assertEqual(v.value, 20)

    def test_register(self) -> None:
        class Own(heapd.SyncManager):
            pass

        Own.register("defaults", lambda **named: {"port": 80, **named})
        with Own() as m:
            self.assertEqual(dict(m.defaults(host="a")), {"port": 80, "host": "a"})
            other = Own(m.address)
            other.connect()
            self.assertEqual(other.address, m.address)
            other.heap.close()
        with self.assertRaises(ValueError):
            m.list()


def _add(value: object, manager: object) -> None:
    for _ in range(10):
        value.increase()  # type: ignore[attr-defined]
    manager.list()  # type: ignore[attr-defined]


class Coordination(HeapTest):
    def test_lock_of_a_killed_process(self) -> None:
        for make in ("lock", "rlock", "semaphore"):
            lock = getattr(self.h, make)()
            child = os.fork()
            if child == 0:
                lock.acquire()
                self.h["taken"] = 1
                time.sleep(60)
                os._exit(0)
            self.h.wait("taken", 60)
            del self.h["taken"]
            self.assertFalse(lock.acquire(timeout=0.01))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self.assertTrue(lock.acquire(timeout=60))
            self.assertEqual([w.category for w in caught], [heapd.AbandonedWarning])
            lock.release()

    def test_interrupted_acquire_gives_the_lock_back(self) -> None:
        lock = self.h.lock()
        lock.acquire()

        def stop(number: int, frame: object) -> None:
            raise KeyboardInterrupt

        old = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            with self.assertRaises(KeyboardInterrupt):
                lock.acquire()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        lock.release()
        self.assertTrue(lock.acquire(timeout=10))

    def test_interrupted_get_puts_the_item_back(self) -> None:
        q = self.h.queue(2)

        def meet(number: int, frame: object) -> None:
            # The get is served before it can be cancelled.
            q.put([1])
            q.put("second")
            raise KeyboardInterrupt

        old = signal.signal(signal.SIGALRM, meet)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            with self.assertRaises(KeyboardInterrupt):
                q.get()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        self.assertEqual(q.qsize(), 2)
        self.assertEqual(q.get(), [1])
        self.assertEqual(q.get(), "second")
        q.task_done()
        q.task_done()
        with self.assertRaises(ValueError):
            q.task_done()

    def test_barrier_with_action(self) -> None:
        done = self.h.list()
        barrier = self.h.barrier(3, lambda: done.append(1))
        threads = [threading.Thread(target=barrier.wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(done, [1])

    def test_errors(self) -> None:
        with self.assertRaises(RuntimeError):
            self.h.lock().release()
        with self.assertRaises(RuntimeError):
            self.h.condition().notify()
        bounded = self.h.semaphore(1, bounded=True)
        with self.assertRaises(ValueError):
            bounded.release()
        with self.assertRaises(queue.Full):
            q = self.h.queue(1)
            q.put(1)
            q.put(2, timeout=0.01)


if __name__ == "__main__":
    unittest.main()
