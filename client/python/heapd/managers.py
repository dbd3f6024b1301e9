"""heapd.Manager(): what multiprocessing.Manager() is, over a heap.

The semantics are multiprocessing's: a plain container that is put into another one is stored as a copy and comes back as a
fresh copy; a proxy that is put there stays a reference. Values that are none of the heap's types are pickled.
"""
from __future__ import annotations

import array
import multiprocessing
import multiprocessing.pool
import os
from typing import Any, Callable, Iterable, Iterator

from . import _buffers, _heapd, _proxies, _sync
from ._daemon import Daemon
from ._heap import _PICKLE_CLASS, _TYPES, Heap, _connection_for
from ._sync import ActionBarrier

_COPY_MARK = "heapd.copy"
_NAMESPACE_CLASS = "heapd.Namespace"
_VALUE_CLASS = "heapd.Value"


def _as_kind(self: Any) -> Any:
    return self._values()


class ListProxy(_proxies.List):
    """A list of a manager."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<ListProxy object, typeid 'list' at {id(self):#x}>"

    def __str__(self) -> str:
        return repr(self._values())

    copy = _as_kind
    __copy__ = _as_kind

    def __deepcopy__(self, memo: Any) -> Any:
        return self._values()


class DictProxy(_proxies.Dict):
    """A dict of a manager."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<DictProxy object, typeid 'dict' at {id(self):#x}>"

    def __str__(self) -> str:
        return repr(self._values())

    copy = _as_kind
    __copy__ = _as_kind
    has_key = _proxies.Dict.__contains__

    def _keys(self) -> list[Any]:
        return [_unmark(key) for key in super()._keys()]

    def popitem(self) -> tuple[Any, Any]:
        key, value = super().popitem()
        return _unmark(key), _unmark(value)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._values()


class NamespaceProxy(_heapd.Attributes):
    """A namespace of a manager: attributes that all processes share. Names that begin with "_" stay in the process."""

    def __reduce__(self) -> Any:
        return self._heap._reduce(self)

    def __repr__(self) -> str:
        return f"<NamespaceProxy object, typeid 'Namespace' at {id(self):#x}>"

    def __str__(self) -> str:
        attributes = self._export(lambda name, found: found)
        parts = ", ".join(f"{name}={_unmark(value)!r}" for name, value in sorted(attributes.items())
                          if not name.startswith("_"))
        return f"Namespace({parts})"


class ValueProxy(_heapd.Proxy):
    """A single value of a manager."""

    __slots__ = ()

    def get(self) -> Any:
        return self._get_attribute("value")

    def set(self, value: Any) -> None:
        self._set_attribute("value", value)

    value = property(get, set)

    def increase(self, delta: Any = 1) -> Any:
        """Adds to it, atomically, and gives the new number."""
        return self._increase_attribute("value", delta)

    def __reduce__(self) -> Any:
        return self._heap._reduce(self)

    def __str__(self) -> str:
        return f"Value({self._get_attribute('typecode')!r}, {self.get()!r})"

    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class ArrayProxy:
    """An array of a manager: items of one typecode, in a list of the heap."""

    def __init__(self, typecode: str, items: ListProxy) -> None:
        self._typecode = typecode
        self._items = items

    def _check(self, values: Iterable[Any]) -> list[Any]:
        return array.array(self._typecode, values).tolist()

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return array.array(self._typecode, self._items[index])
        return self._items[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self._items[index] = self._check(value)
        else:
            self._items[index] = self._check([value])[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def tolist(self) -> list[Any]:
        return self._items._values()

    def __eq__(self, other: Any) -> Any:
        return self.tolist() == list(other) if hasattr(other, "__iter__") else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(array.array(self._typecode, self.tolist()))


def _unmark(value: Any) -> Any:
    return value[1] if type(value) is tuple and len(value) == 2 and value[0] == _COPY_MARK else value


class ManagerHeap(Heap):
    """A connection with multiprocessing's semantics."""

    _names_proxies = True

    _types = {**_TYPES, _proxies.LIST: ListProxy, _proxies.DICT: DictProxy}
    # These have no proxies with a manager: they come as copies, or their class says what they are.
    for _number in (_proxies.TUPLE, _proxies.SET, 14, _proxies.INSTANCE):
        del _types[_number]
    del _number

    def __init__(self, address: str | None = None, *, pickles: bool = True, **options: Any) -> None:
        super().__init__(address, pickles=pickles, **options)
        self._configure(wrap=_wrap, copies=True)


def _wrap(proxy: _heapd.Proxy) -> Any:
    """What a program gets for an object that has no class of proxies of its own."""
    if proxy._type != _proxies.INSTANCE:
        return _unmark(proxy._heap._plain(proxy))
    name = proxy._inspect()["class_name"]
    if name == _NAMESPACE_CLASS:
        return proxy._become(NamespaceProxy)
    if name == _VALUE_CLASS:
        return proxy._become(ValueProxy)
    if name == _PICKLE_CLASS:
        return proxy._heap._load(proxy)
    if name == _buffers.ARRAY_CLASS:
        return proxy._become(_buffers.Array)
    return proxy._become(_proxies.Object)


class BaseManager:
    """multiprocessing.managers.BaseManager, for a heap: a daemon, and what is registered."""

    _registry: dict[str, Callable[..., Any]] = {}

    def __init__(self, address: str | None = None, authkey: bytes | None = None, serializer: str = "pickle",
                 ctx: Any = None, *, shutdown_timeout: float = 1.0, memory_limit: int | str | None = None) -> None:
        self._address = address
        self._ctx = ctx or multiprocessing.get_context()
        self._memory_limit = memory_limit
        self._daemon: Daemon | None = None
        self._heap: ManagerHeap | None = None
        self._owner = os.getpid()

    # ---- life

    def start(self, initializer: Callable[..., Any] | None = None, initargs: Iterable[Any] = ()) -> None:
        """Starts a daemon of its own and connects."""
        if self._heap is not None:
            raise multiprocessing.ProcessError("already started manager")
        if initializer is not None:
            initializer(*initargs)
        self._daemon = Daemon(self._memory_limit)
        self._address = self._daemon.address
        self._heap = ManagerHeap(self._address)

    def connect(self) -> None:
        """Connects to a daemon that runs already."""
        self._heap = ManagerHeap(self._address)
        self._address = self._heap.address

    def shutdown(self) -> None:
        """Ends the daemon; the heap is lost."""
        if self._heap is not None:
            self._heap.close()
        if self._daemon is not None and os.getpid() == self._owner:
            self._daemon.stop()

    def join(self, timeout: float | None = None) -> None:
        """Waits until the daemon has ended."""
        if self._daemon is not None:
            self._daemon.process.wait(timeout)

    @property
    def address(self) -> str | None:
        return self._address

    @property
    def heap(self) -> ManagerHeap:
        """The connection, with what a heap has beside."""
        if self._heap is None:
            raise AssertionError("server not yet started")
        return self._heap

    def __enter__(self) -> Any:
        if self._heap is None:
            self.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.shutdown()

    def _number_of_objects(self) -> int:
        """What this process holds."""
        self.heap.ping()
        return self.heap.held

    def _debug_info(self) -> str:
        stats = self.heap.stats()
        return "\n".join(f"{name}: {value}" for name, value in stats.items() if name.startswith("objects_"))

    def __reduce__(self) -> Any:
        return _connected, (type(self), self._address)

    @classmethod
    def register(cls, typeid: str, callable: Callable[..., Any] | None = None, proxytype: Any = None,
                 exposed: Any = None, method_to_typeid: Any = None, create_method: bool = True) -> None:
        """A method of this name, which stores what the callable returns. The heap runs no code: methods of what is
        stored are those of its proxy, and, of a registered class, run in the calling process."""
        if "_registry" not in cls.__dict__:
            cls._registry = dict(cls._registry)
        if callable is None and proxytype is None:
            raise TypeError("a heap serves no objects of its own: give a callable")
        cls._registry[typeid] = callable or proxytype
        if create_method:
            def create(self: BaseManager, /, *args: Any, **named: Any) -> Any:
                made = type(self)._registry[typeid](*args, **named)
                queue = self.heap.list([made]) if not isinstance(made, (list, dict)) else None
                if isinstance(made, list):
                    return self.heap.list(made)
                if isinstance(made, dict):
                    return self.heap.dict(made)
                return queue[0]

            create.__name__ = typeid
            setattr(cls, typeid, create)


class SyncManager(BaseManager):
    """multiprocessing.managers.SyncManager, for a heap."""

    def list(self, values: Iterable[Any] = (), /) -> Any:
        return self.heap.list(values)

    def dict(self, *values: Any, **named: Any) -> Any:
        return self.heap.dict(*values, **named)

    def Namespace(self, /, **attributes: Any) -> Any:
        heap = self.heap
        made = heap._instance(heap._class(_NAMESPACE_CLASS, ()), attributes)
        return made._become(NamespaceProxy)

    def Value(self, typecode: Any, value: Any, lock: bool = True) -> Any:
        heap = self.heap
        made = heap._instance(heap._class(_VALUE_CLASS, ("typecode", "value")),
                              {"typecode": str(typecode), "value": value})
        return made._become(ValueProxy)

    def Array(self, typecode: str, sequence: Iterable[Any], lock: bool = True) -> ArrayProxy:
        return ArrayProxy(typecode, self.heap.list(array.array(typecode, sequence).tolist()))

    def Queue(self, maxsize: int = 0) -> Any:
        return self.heap.queue(maxsize)

    JoinableQueue = Queue

    def Lock(self) -> Any:
        return self.heap.lock()

    def RLock(self) -> Any:
        return self.heap.rlock()

    def Semaphore(self, value: int = 1) -> Any:
        return self.heap.semaphore(value)

    def BoundedSemaphore(self, value: int = 1) -> Any:
        return self.heap.semaphore(value, bounded=True)

    def Condition(self, lock: Any = None) -> Any:
        return self.heap.condition(lock)

    def Event(self) -> Any:
        return self.heap.event()

    def Barrier(self, parties: int, action: Callable[[], Any] | None = None, timeout: float | None = None) -> Any:
        return self.heap.barrier(parties, action, timeout)

    def Pool(self, *args: Any, **named: Any) -> multiprocessing.pool.Pool:
        """A pool of this process: a heap runs no code."""
        return self._ctx.Pool(*args, **named)


def _connected(cls: type[BaseManager], address: str) -> BaseManager:
    manager = cls(address)
    manager._heap = _connection_for(address, ManagerHeap.__module__, ManagerHeap.__name__, True)  # type: ignore[assignment]
    return manager


def Manager(*, memory_limit: int | str | None = None, ctx: Any = None) -> SyncManager:
    """A started SyncManager, with a daemon of its own: multiprocessing.Manager() over a heap."""
    manager = SyncManager(memory_limit=memory_limit, ctx=ctx)
    manager.start()
    return manager


__all__ = ["ArrayProxy", "BaseManager", "DictProxy", "ListProxy", "Manager", "ManagerHeap", "NamespaceProxy",
           "SyncManager", "ValueProxy", "ActionBarrier"]
