"""Kills processes at any time: no lock stays held, no object leaks, checked by count.

    kill.py [KILLS]      by default 60; HEAPD_TEST_SEED repeats a run

Each worker takes locks, makes objects, puts them into queues and containers, pickles proxies and forks children of its
own, until it is killed. In the end every lock can be taken, and the daemon holds what it held in the beginning.
"""
from __future__ import annotations

import os
import pickle
import random
import signal
import sys
import time
import warnings

import heapd
from support import live


def work(m: heapd.SyncManager, parts: dict[str, object], seed: int) -> None:
    numbers = random.Random(seed)
    lock, rlock, queue, semaphore, d, l, condition = (parts[name] for name in (
        "lock", "rlock", "queue", "semaphore", "d", "l", "condition"))
    while True:
        choice = numbers.randrange(9)
        if choice == 0:
            with lock:  # type: ignore[attr-defined]
                l.append([numbers.random()])  # type: ignore[attr-defined]
        elif choice == 1:
            with rlock, rlock:  # type: ignore[attr-defined]
                d.increase("n")  # type: ignore[attr-defined]
        elif choice == 2:
            with semaphore:  # type: ignore[attr-defined]
                kept = [m.list([i, [i]]) for i in range(20)]
                kept[0].append(kept[1])
                kept[1].append(kept[0])  # a cycle
        elif choice == 3:
            queue.put({"a": [1, 2, m.dict()]})  # type: ignore[attr-defined]
        elif choice == 4:
            try:
                queue.get(timeout=0.001)  # type: ignore[attr-defined]
            except Exception:
                pass
        elif choice == 5:
            pickle.loads(pickle.dumps(m.list([1])))
        elif choice == 6:
            with m.heap.pipeline():
                for i in range(50):
                    d[i] = [i]  # type: ignore[index]
        elif choice == 7:
            with condition:  # type: ignore[attr-defined]
                condition.wait(0.001)  # type: ignore[attr-defined]
        elif numbers.randrange(5) == 0:
            child = os.fork()
            if child == 0:
                d["child"] = [1]  # type: ignore[index]
                os._exit(0)
            os.waitpid(child, 0)


def rest(h: heapd.Heap, sessions: int) -> int:
    """The objects that live when only we are left."""
    deadline = time.monotonic() + 30
    while len(h.sessions()) > sessions:
        if time.monotonic() > deadline:
            raise AssertionError(f"sessions stay: {h.sessions()}")
        time.sleep(0.001)
    return live(h)


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    seed = int(os.environ.get("HEAPD_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"seed {seed}", flush=True)
    warnings.simplefilter("ignore")
    numbers = random.Random(seed)
    m = heapd.Manager()
    m.heap.token_seconds = 0.5  # of pickles that nobody loads any more
    parts = {"lock": m.Lock(), "rlock": m.RLock(), "queue": m.Queue(), "semaphore": m.Semaphore(2), "d": m.dict(n=0),
             "l": m.list(), "condition": m.Condition()}
    sessions = len(m.heap.sessions())
    held = m.heap.held
    before = rest(m.heap, sessions)
    for number in range(kills):
        child = os.fork()
        if child == 0:
            os.setsid()
            try:
                work(m, parts, seed + number)
            finally:
                os._exit(1)
        time.sleep(numbers.random() * 0.02)
        os.killpg(child, signal.SIGKILL) if os.getpgid(child) == child else os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status), f"worker {number} ended by itself: {status}"
    rest(m.heap, sessions)
    for name in ("lock", "rlock", "condition"):
        assert parts[name].acquire(timeout=30), f"the {name} stays held"
        parts[name].release()
    for _ in range(2):
        assert parts["semaphore"].acquire(timeout=30), "a unit of the semaphore is lost"
    for _ in range(2):
        parts["semaphore"].release()
    while parts["queue"].qsize():
        parts["queue"].get()
    parts["l"].clear()
    parts["d"].clear()
    parts["d"]["n"] = 0
    deadline = time.monotonic() + 30
    while m.heap.stats()["rpc_tokens_count"] and time.monotonic() < deadline:
        time.sleep(0.01)
    after = rest(m.heap, sessions)
    stats = m.heap.stats()
    print(f"{kills} kills: objects {before} before, {after} after; handles {stats['rpc_handles_count']} of {held}")
    assert after == before, {name: value for name, value in stats.items() if name.startswith("objects_")}
    assert stats["rpc_handles_count"] == held
    m.shutdown()


if __name__ == "__main__":
    main()
