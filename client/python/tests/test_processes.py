"""Across processes: pickled proxies, fork, spawn, pools, and processes that are killed."""
from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
import unittest
from typing import Any

import heapd
from support import HeapTest, live


def append(proxy: Any, value: Any) -> int:
    proxy.append(value)
    return len(proxy)


def count(proxy: Any, times: int) -> None:
    for _ in range(times):
        proxy.increase("n")


class Tokens(HeapTest):
    def test_pickle(self) -> None:
        l = self.h.list([1])
        again = pickle.loads(pickle.dumps(l))
        again.append(2)
        self.assertEqual(l, [1, 2])
        self.assertTrue(again.same(l))

    def test_keeps_alive(self) -> None:
        before = live(self.h)
        self.h.token_seconds = 60
        data = pickle.dumps(self.h.list(["kept"]))
        self.assertGreater(live(self.h), before)
        self.assertEqual(pickle.loads(data), ["kept"])
        self.assertEqual(pickle.loads(data), ["kept"])

    def test_runs_out(self) -> None:
        before = live(self.h)
        self.h.token_seconds = 0.05
        data = pickle.dumps(self.h.list())
        deadline = time.monotonic() + 10
        with self.assertRaises(heapd.TokenExpired):
            while time.monotonic() < deadline:
                pickle.loads(data)
        self.assertEqual(live(self.h), before)

    def test_uses(self) -> None:
        self.h.token_uses = 2
        data = pickle.dumps(self.h.dict(a=1))
        self.assertEqual(pickle.loads(data), {"a": 1})
        self.assertEqual(pickle.loads(data), {"a": 1})
        with self.assertRaises(heapd.TokenExpired):
            pickle.loads(data)

    def test_connection_is_not_pickled(self) -> None:
        with self.assertRaises(TypeError):
            pickle.dumps(self.h)


class Processes(HeapTest):
    def with_method(self, method: str) -> None:
        context = multiprocessing.get_context(method)
        l, d = self.h.list(), self.h.dict(n=0)
        workers = [context.Process(target=append, args=(l, i)) for i in range(2)]
        workers += [context.Process(target=count, args=(d, 50)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
            self.assertEqual(worker.exitcode, 0)
        self.assertEqual(sorted(l), [0, 1])
        self.assertEqual(d["n"], 100)

    def test_fork(self) -> None:
        self.with_method("fork")

    def test_spawn(self) -> None:
        self.with_method("spawn")

    def test_pool(self) -> None:
        l = self.h.list()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.starmap(append, [(l, i) for i in range(20)])
        self.assertEqual(sorted(l), list(range(20)))

    def test_futures(self) -> None:
        l = self.h.list()
        with concurrent.futures.ProcessPoolExecutor(2) as executor:
            self.assertEqual(len(list(executor.map(append, [l] * 10, range(10)))), 10)
        self.assertEqual(sorted(l), list(range(10)))


class Forks(HeapTest):
    def in_child(self, work: Any) -> None:
        child = os.fork()
        if child == 0:
            try:
                work()
                os._exit(0)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_same_handles(self) -> None:
        l, d = self.h.list([1]), self.h.dict()
        del d
        extra = [self.h.list([i]) for i in range(500)]
        parent_session = self.h.session_id

        def work() -> None:
            assert self.h.session_id != parent_session
            l.append(2)
            assert [e[0] for e in extra] == list(range(500))
            del extra[:]
            more = [self.h.list() for _ in range(10)]
            l.append(len(more))

        self.in_child(work)
        self.assertEqual(l, [1, 2, 10])
        self.assertEqual(extra[499], [499])
        l.append(3)

    def test_what_the_parent_began(self) -> None:
        l = self.h.list([1])
        writer = self.h.new_buffer(100_000)
        follow = l._follow()
        with self.h.pipeline():
            result = l[0]

            def work() -> None:
                nonlocal writer, result, follow
                self.assertEqual(l[0], 1)
                with self.assertRaises(BufferError):
                    writer.seal()
                with self.assertRaises(ValueError):
                    follow._next()
                with self.assertRaises(RuntimeError):
                    result.result()
                follow.close()
                del writer, result, follow
                l.append(2)
                self.h.close()

            self.in_child(work)
        self.assertEqual(result.result(), 1)
        self.assertEqual(l, [1, 2])
        self.assertEqual(len(writer.seal().memory()), 100_000)
        self.assertFalse(follow._next())
        follow.close()

    def test_nothing_is_left(self) -> None:
        l = self.h.list([[1], [2]])
        before = live(self.h)
        sessions = len(self.h.sessions())
        for _ in range(5):
            self.in_child(lambda: self.h.list([3]) and None)
        deadline = time.monotonic() + 10
        while len(self.h.sessions()) > sessions and time.monotonic() < deadline:
            pass
        self.assertEqual(live(self.h), before)
        self.assertEqual(len(self.h.sessions()), sessions)
        del l

    def test_with_a_thread_that_waits(self) -> None:
        import threading
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(self.h.wait("late", 60)))
        thread.start()
        while self.h.stats()["rpc_parked_count"] == 0:
            pass
        self.in_child(lambda: self.h.__setitem__("late", [5]))
        thread.join(60)
        self.assertEqual(found[0], [5])

    def test_child_that_is_killed(self) -> None:
        l = self.h.list()
        before = live(self.h)
        sessions = len(self.h.sessions())
        child = os.fork()
        if child == 0:
            self.h["here"] = 1
            kept = [self.h.list() for _ in range(100)]
            time.sleep(60)
            os._exit(len(kept))
        self.h.wait("here", 60)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        del self.h["here"]
        deadline = time.monotonic() + 10
        while self.h.stats()["rpc_sessions_count"] > sessions and time.monotonic() < deadline:
            pass
        self.assertEqual(live(self.h), before)
        del l


def write_without_a_pause(address: str) -> None:
    h = heapd.connect(address)
    l = h["changed"]
    while True:
        with h.pipeline():
            for i in range(0, 30_000, 300):
                l[i] = i + 1
        h["writes"] = True


class Writers(HeapTest):
    def test_reading_what_never_stands_still(self) -> None:
        l = self.h["changed"] = self.h.list(range(30_000))
        writers = [multiprocessing.get_context("spawn").Process(target=write_without_a_pause, args=(self.address,),
                                                                daemon=True) for _ in range(2)]
        try:
            for writer in writers:
                writer.start()
            self.h.wait("writes", 60)
            for _ in range(20):
                self.assertEqual(len(l[:]), 30_000)
                self.assertEqual(len(l[1:-1]), 29_998)
        finally:
            for writer in writers:
                writer.kill()
                writer.join()


# Daemon threads that wait, and that go on asking, when the interpreter ends.
DAEMON_THREADS = """
import sys, threading, heapd
h = heapd.connect(sys.argv[1]) if len(sys.argv) > 1 else heapd.start()
q, l, asked = h.queue(), h.list([1]), threading.Event()

def ask():
    while True:
        l[0]
        asked.set()

for work in (q.get, h.lock().acquire, lambda: h.wait("never bound"), ask, ask):
    threading.Thread(target=work, daemon=True).start()
asked.wait()
"""


class Exit(HeapTest):
    def test_daemon_threads_end_quietly(self) -> None:
        for address in ([self.address], []):
            for _ in range(5):
                done = subprocess.run([sys.executable, "-c", DAEMON_THREADS, *address], capture_output=True, text=True,
                                      timeout=60)
                self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
