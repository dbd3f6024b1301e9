"""One managed heap for many processes.

    import heapd
    h = heapd.connect()                      # a running daemon, or heapd.start() for one of your own
    h["config"] = {"hosts": ["a"], "port": 80}
    h["config"]["hosts"].append("b")         # changes the object that all processes share
"""
from __future__ import annotations

from . import errors, weakref
from ._buffers import Array, Buffer
from ._daemon import Daemon, find_daemon
from ._heap import Collector, Heap, Pipeline, connect, register, start
from ._heapd import Connection, Proxy, Result
from ._inspect import Census, Keeper, Keeping, Path, Reasons, Root, Statistic, StatisticDiff, Step
from ._proxies import Class, Container, Dict, Frozenset, List, Object, Sequence, Set, Tuple
from ._sync import ActionBarrier, Barrier, Condition, Event, Lock, Queue, RLock, Semaphore
from .managers import Manager, SyncManager
from .errors import (AbandonedWarning, Aborted, AlreadyExists, Cancelled, Changed, ConnectionLost, Error, ForeignProxy, Forbidden,
                     Forked, HeapFull, InvalidHandle, InvalidValue, LimitReached, NotLocked, NotRunning, PickleRefused, Refused,
                     TimedOut, TokenExpired, TooDeep, TooLarge, Unsupported)

__version__ = "0.1.0"
__all__ = [
    "ActionBarrier", "Array", "Barrier", "Buffer", "Condition", "Event", "Lock", "Manager", "Queue", "RLock", "Semaphore", "SyncManager",
    "AbandonedWarning", "Aborted", "AlreadyExists", "Cancelled", "Changed", "Class", "Collector", "Connection",
    "ConnectionLost", "Container", "Daemon", "Dict", "Error", "Forbidden", "ForeignProxy", "Forked", "Frozenset",
    "Heap", "HeapFull", "InvalidHandle", "InvalidValue", "LimitReached", "List", "NotLocked", "NotRunning", "Object",
    "Keeper", "Keeping", "Path", "PickleRefused", "Pipeline", "Proxy", "Reasons", "Refused", "Result", "Root", "Sequence", "Set", "Step", "TimedOut", "TokenExpired",
    "Census", "Statistic", "StatisticDiff", "TooDeep", "TooLarge", "Tuple", "Unsupported", "connect", "errors", "find_daemon", "register", "start", "weakref",
]
