"""Coordination between processes, with the methods that threading and queue have.

When a process dies, the locks and units that it held are released; the next holder gets an AbandonedWarning.
"""
from __future__ import annotations

import queue
import threading
import time
import warnings
from typing import Any, Callable

from ._heapd import Proxy
from .errors import AbandonedWarning

QUEUE, LOCK, RLOCK, SEMAPHORE, CONDITION, EVENT, BARRIER = 18, 19, 20, 21, 22, 23, 24

_ACQUIRED, _ABANDONED = 1, 2


class _Shared(Proxy):
    __slots__ = ()

    def __reduce__(self) -> Any:
        return self._heap._reduce(self)

    def __repr__(self) -> str:
        if self._heap._names_proxies:
            name = type(self).__name__
            return f"<{name}Proxy object, typeid {name!r} at {id(self):#x}>"
        return f"<heapd.{type(self).__name__} at handle {self._handle:#x}>"


class _Acquirer(_Shared):
    __slots__ = ()

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Waits for it; False if it was not to be had in time."""
        if timeout is not None and timeout < 0:
            # threading has -1 for "no timeout"; multiprocessing takes what is negative for "do not wait".
            timeout = None if timeout == -1 else 0.0
        how = self._acquire((timeout if blocking else 0))
        if how & _ABANDONED:
            warnings.warn("who held the lock before died with it", AbandonedWarning, stacklevel=2)
        return bool(how & _ACQUIRED)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exception: Any) -> None:
        self._release()


class Lock(_Acquirer):
    """A lock that every process may use."""

    __slots__ = ()
    release = Proxy._release

    def locked(self) -> bool:
        return bool(self._sync_state()["value"])


class RLock(_Acquirer):
    """A lock that its holder, a thread of a process, may take again."""

    __slots__ = ()
    release = Proxy._release


class Semaphore(_Acquirer):
    """A number of units to be taken."""

    __slots__ = ()

    def release(self, n: int = 1) -> None:
        if n < 1:
            raise ValueError("n must be one or more")
        self._release(n)

    def get_value(self) -> int:
        return int(self._sync_state()["value"])


class Condition(_Acquirer):
    """A condition variable."""

    __slots__ = ()
    release = Proxy._release

    def wait(self, timeout: float | None = None) -> bool:
        how = self._condition_wait(timeout)
        if how & _ABANDONED:
            warnings.warn("who held the lock before died with it", AbandonedWarning, stacklevel=2)
        return bool(how & _ACQUIRED)

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        result = predicate()
        end = None if timeout is None else time.monotonic() + timeout
        while not result:
            left = None
            if end is not None:
                left = end - time.monotonic()
                if left <= 0:
                    break
            self.wait(left)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        self._notify(n)

    def notify_all(self) -> None:
        self._notify(-1)


class Event(_Shared):
    """A flag that processes wait for."""

    __slots__ = ()
    set = Proxy._event_set
    clear = Proxy._event_clear

    def is_set(self) -> bool:
        return bool(self._sync_state()["is_set"])

    def wait(self, timeout: float | None = None) -> bool:
        return bool(self._event_wait(timeout))


class Barrier(_Shared):
    """A place where a number of parties wait for each other."""

    __slots__ = ()
    reset = Proxy._barrier_reset
    abort = Proxy._barrier_abort

    def wait(self, timeout: float | None = None) -> int:
        return int(self._barrier_wait(timeout))

    @property
    def parties(self) -> int:
        return int(self._sync_state()["value"])

    @property
    def n_waiting(self) -> int:
        return int(self._sync_state()["waiting"])

    @property
    def broken(self) -> bool:
        return bool(self._sync_state()["is_set"])


class ActionBarrier:
    """A barrier that has one of its parties call something before all go on, or has a timeout of its own."""

    def __init__(self, arrive: Barrier, leave: Barrier, action: Callable[[], Any] | None,
                 timeout: float | None) -> None:
        self._arrive = arrive
        self._leave = leave
        self._action = action
        self._timeout = timeout

    def wait(self, timeout: float | None = None) -> int:
        if timeout is None:
            timeout = self._timeout
        index = self._arrive.wait(timeout)
        if self._action is None:
            return index
        if index == self.parties - 1:
            try:
                self._action()
            except BaseException:
                self.abort()
                raise
        self._leave.wait(timeout)
        return index

    def reset(self) -> None:
        self._arrive.reset()
        self._leave.reset()

    def abort(self) -> None:
        self._arrive.abort()
        self._leave.abort()

    @property
    def parties(self) -> int:
        return self._arrive.parties

    @property
    def n_waiting(self) -> int:
        return self._arrive.n_waiting

    @property
    def broken(self) -> bool:
        return self._arrive.broken or self._leave.broken


class Queue(_Shared):
    """A queue that every process may use, with the methods of queue.Queue."""

    __slots__ = ()
    task_done = Proxy._task_done

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if not block:
            timeout = 0
        elif timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        self._put(item, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not block:
            timeout = 0
        elif timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        return self._get_first(timeout)

    def put_nowait(self, item: Any) -> None:
        self._put(item, 0)

    def get_nowait(self) -> Any:
        return self._get_first(0)

    def qsize(self) -> int:
        return int(self._sync_state()["value"])

    def empty(self) -> bool:
        return self.qsize() == 0

    def full(self) -> bool:
        state = self._sync_state()
        return bool(0 < state["maximum"] <= state["value"])

    def join(self, timeout: float | None = None) -> bool:
        return bool(self._join(timeout))


TYPES: dict[int, type[Proxy]] = {QUEUE: Queue, LOCK: Lock, RLOCK: RLock, SEMAPHORE: Semaphore, CONDITION: Condition,
                                 EVENT: Event, BARRIER: Barrier}
Empty, Full, BrokenBarrierError = queue.Empty, queue.Full, threading.BrokenBarrierError
