"""Heap: a connection, its names, and what is made in it."""
from __future__ import annotations

import atexit
import contextlib
import dataclasses
import importlib
import io
import itertools
import multiprocessing
import multiprocessing.util
import os
import pickle
import sys
import threading
import time
import types
import weakref
from typing import Any, Callable, Iterable, Iterator, TypeVar

from . import _buffers, _heapd, _inspect, _proxies, _sync
from ._daemon import Daemon
from .errors import Changed, ForeignProxy, PickleRefused

T = TypeVar("T")
# Heap has methods of these names.
_Dict = dict
_List = list
_Tuple: Any = tuple
_TYPES: dict[int, type[_heapd.Proxy]] = {**_proxies.TYPES, **_sync.TYPES, _buffers.BUFFER: _buffers.Buffer}
_PICKLE_CLASS = "heapd.pickle"
# Buffers of pickles from here on go into shared memory.
_OUT_OF_BAND_BYTES = 64 << 10
# What has more elements is sent in parts of so many.
_PART_COUNT = 50_000

# Classes whose instances become heap instances: by class, and by the name that the heap knows them by.
_registered: dict[type, tuple[str, tuple[str, ...]]] = {}
_by_name: dict[str, type] = {}

# Open connections of this process: for pickled proxies, forks and the interpreter's end.
_heaps: weakref.WeakSet[Heap] = weakref.WeakSet()
_by_address: dict[tuple[str, str], weakref.ref[Heap]] = {}
_lock = threading.RLock()


def register(cls: type[T] | None = None, *, name: str | None = None, fields: Iterable[str] | None = None) -> Any:
    """Instances of this class become instances in the heap, whose attributes are shared. Also a decorator.

    Fields are those of a dataclass, ``__slots__``, or what an instance has in its ``__dict__``.
    """
    def apply(target: type[T]) -> type[T]:
        known = fields
        if known is None and dataclasses.is_dataclass(target):
            known = (field.name for field in dataclasses.fields(target))
        heap_name = name or f"{target.__module__}.{target.__qualname__}"
        _registered[target] = (heap_name, tuple(known or ()))
        _by_name[heap_name] = target
        return target

    return apply if cls is None else apply(cls)


class Pipeline:
    """Requests that are sent without waiting. What reads gives a Result, which has its value when the block has ended."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self.results: list[_heapd.Result] = []

    def __enter__(self) -> Pipeline:
        self.results = self._heap._open_pipeline()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self._heap._close_pipeline()
            return
        # The block failed: its own exception counts, not what became of the requests.
        with contextlib.suppress(Exception):
            self._heap._close_pipeline()


class Collector:
    """The functions of the gc module, for the heap."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap

    def collect(self, generation: int = 2) -> int:
        """Collects a generation and all younger ones; how many unreachable objects were found."""
        if not 0 <= generation <= 2:
            raise ValueError("invalid generation")
        return self._heap._collect(generation)[0]

    def dry_run(self) -> tuple[int, int]:
        """What a collection would find: objects and their bytes. Frees nothing."""
        return self._heap._collect(2, True)

    def enable(self) -> None:
        self._heap._set_enabled(True)

    def disable(self) -> None:
        self._heap._set_enabled(False)

    def isenabled(self) -> bool:
        return self._heap._gc_stats()[1]

    def get_threshold(self) -> tuple[int, int, int]:
        return self._heap._get_threshold()

    def set_threshold(self, threshold0: int, threshold1: int | None = None, threshold2: int | None = None) -> None:
        old = self.get_threshold()
        self._heap._set_threshold(threshold0, old[1] if threshold1 is None else threshold1,
                                  old[2] if threshold2 is None else threshold2)

    def get_count(self) -> tuple[int, int, int]:
        return self._heap._get_count()

    def get_stats(self) -> list[dict[str, int]]:
        return self._heap._gc_stats()[0]

    def freeze(self) -> None:
        self._heap._freeze()

    def unfreeze(self) -> None:
        self._heap._unfreeze()

    def get_freeze_count(self) -> int:
        return self._heap._freeze_count()

    def is_tracked(self, proxy: _heapd.Proxy) -> bool:
        return bool(proxy._inspect()["tracked"])

    def compact(self) -> tuple[int, int, int]:
        """Moves objects together; blocks and bytes that were moved, bytes that went back to the system."""
        return self._heap._compact()


class Heap(_heapd.Connection):
    """A connection to a daemon, and the heap's names as a mapping: ``h["config"] = {"port": 80}``."""

    # As multiprocessing shows its proxies.
    _names_proxies = False
    # Instances are not among them: a pickled value looks like one.
    _types = {number: proxy for number, proxy in _TYPES.items() if number != _proxies.INSTANCE}

    def __init__(self, address: str | None = None, *, name: str | None = None, timeout: float = 5.0,
                 pickles: bool = False, batched: bool = False, daemon: Daemon | None = None) -> None:
        super().__init__(address, name or f"python {os.path.basename(sys.argv[0] or '-')}"[:63], timeout)
        self.address = address or os.environ.get("HEAPD_ADDRESS") or _heapd.default_address()
        self.pickles = pickles
        # How long a pickled proxy can be unpickled, and how often; 0: as often as anyone likes.
        self.token_seconds = 300.0
        self.token_uses = 0
        self._tokens: dict[int, tuple[bytes, float]] = {}
        self._daemon = daemon
        self._classes: dict[str, _heapd.Proxy] = {}
        self.gc = Collector(self)
        self._configure(types=self._types, wrap=type(self)._wrap, encode=type(self)._encode, batched=batched)
        with _lock:
            _heaps.add(self)
            known = _by_address.get((self.address, type(self).__name__))
            first = known() if known else None
            if first is None or first.closed:
                _by_address[self.address, type(self).__name__] = weakref.ref(self)

    # ---- objects

    def list(self, values: Iterable[Any] = ()) -> Any:
        """A new list in the heap."""
        return self._make("list", _contents(values))

    def tuple(self, values: Iterable[Any] = ()) -> Any:
        """A new tuple in the heap."""
        return self._create("tuple", _contents(values))

    def dict(self, *values: Any, **named: Any) -> Any:
        """A new dict in the heap, made as Python's dict is."""
        if len(values) > 1:
            raise TypeError(f"dict expected at most 1 argument, got {len(values)}")
        contents = _contents(values[0]) if values else {}
        return self._make("dict", dict(contents, **named) if named else contents)

    def set(self, values: Iterable[Any] = ()) -> Any:
        """A new set in the heap."""
        return self._make("set", _contents(values))

    def frozenset(self, values: Iterable[Any] = ()) -> Any:
        """A new frozenset in the heap."""
        return self._create("frozenset", _contents(values))

    def object(self, instance: Any = None, /, **attributes: Any) -> Any:
        """A new instance: of a registered class's instance, or with the given attributes."""
        if instance is not None:
            return self._new_instance(instance)
        return self._instance(self._class("object", tuple(attributes)), attributes)._become(_proxies.Object)

    def _make(self, kind: str, contents: Any) -> Any:
        if isinstance(contents, (list, tuple, dict, set, frozenset, range)) and len(contents) > _PART_COUNT:
            return self._make_in_parts(kind, contents, None)
        return self._create(kind, contents)

    def _make_in_parts(self, kind: str, contents: Any, progress: Callable[[int, int], Any] | None) -> Any:
        """What is too long for one request. Nobody sees it before it is whole."""
        made = self._create(kind, ())
        source = iter(contents.items() if isinstance(contents, dict) else contents)
        done = 0
        while part := [*itertools.islice(source, _PART_COUNT)]:
            if kind == "dict":
                made._update(part)
            else:
                made._extend(part)
            done += len(part)
            if progress:
                progress(done, len(contents))
        return made

    def load(self, values: Any, *, progress: Callable[[int, int], Any] | bool = True) -> Any:
        """A list, dict or set of any length, sent in parts. ``progress(done, total)`` is called after each; True draws a
        bar on a terminal's standard error."""
        kind = "dict" if isinstance(values, dict) else "set" if isinstance(values, (set, frozenset)) else "list"
        show = _draw_bar if progress is True else progress or None
        return self._make_in_parts(kind, values, show)

    # ---- buffers

    def buffer(self, data: Any) -> Any:
        """Bytes or an array in shared memory, copied once: a Buffer, or an Array for what has a format and a shape."""
        view = memoryview(data)
        if not view.c_contiguous:
            view = memoryview(view.tobytes()).cast(view.format, view.shape)  # type: ignore
        made = self._buffer_put(view.cast("B") if view.ndim else view)
        array_format = getattr(getattr(data, "dtype", None), "str", view.format)
        if view.format in ("B", "b", "c") and view.ndim == 1:
            return made
        return self._instance(self._class(_buffers.ARRAY_CLASS, ("buffer", "format", "shape")),
                              {"buffer": made, "format": array_format, "shape": _Tuple(view.shape or ())}
                              )._become(_buffers.Array)

    def new_buffer(self, nbytes: int) -> Any:
        """Shared memory to write to; its ``seal()`` gives the Buffer."""
        return self._buffer_create(nbytes)

    # ---- coordination

    def queue(self, maxsize: int = 0) -> Any:
        """A new queue; maxsize <= 0: of any length."""
        return self._create_sync(_sync.QUEUE, maxsize)

    def lock(self) -> Any:
        """A new lock."""
        return self._create_sync(_sync.LOCK)

    def rlock(self) -> Any:
        """A new re-entrant lock."""
        return self._create_sync(_sync.RLOCK)

    def semaphore(self, value: int = 1, bounded: bool = False) -> Any:
        """A new semaphore."""
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        return self._create_sync(_sync.SEMAPHORE, value, bounded)

    def condition(self, lock: Any = None) -> Any:
        """A new condition, with a lock of its own or the given one."""
        return self._create_sync(_sync.CONDITION, 0, False, lock)

    def event(self) -> Any:
        """A new event."""
        return self._create_sync(_sync.EVENT)

    def barrier(self, parties: int, action: Callable[[], Any] | None = None, timeout: float | None = None) -> Any:
        """A new barrier. The action is called by one of the parties, in its process."""
        arrive = self._create_sync(_sync.BARRIER, parties)
        if action is None and timeout is None:
            return arrive
        return _sync.ActionBarrier(arrive, self._create_sync(_sync.BARRIER, parties), action, timeout)

    def _class(self, name: str, fields: Any) -> _heapd.Proxy:
        key = f"{name}({','.join(fields)})"
        known = self._classes.get(key)
        if known is None:
            known = self._classes[key] = self._create_class(name, tuple(fields))
        return known

    def _new_instance(self, value: Any) -> Any:
        name, fields = _registered[type(value)]
        attributes = {field: getattr(value, field) for field in fields} if fields else dict(vars(value))
        return self._instance(self._class(name, tuple(attributes)), attributes)._become(_proxies.Object)

    # ---- names

    def __getitem__(self, name: str) -> Any:
        return self._lookup(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._bind(name, value)

    def __delitem__(self, name: str) -> None:
        self._unbind(name)

    def __contains__(self, name: Any) -> bool:
        try:
            self._lookup(name)
        except PickleRefused:
            return True
        except (KeyError, TypeError):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __bool__(self) -> bool:
        return True

    def keys(self) -> _List[str]:
        return self._names()

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self._lookup(name)
        except KeyError:
            return default

    def wait(self, name: str, timeout: float = 3600.0) -> Any:
        """The value of a name, waiting until someone binds it."""
        return self._lookup(name, timeout)

    def increase(self, name: str, delta: Any = 1) -> Any:
        """Adds to the number that a name stands for, atomically, and gives the new number."""
        return self._increase(name, delta)

    # ---- values that the extension does not know

    def _encode(self, value: Any) -> Any:
        """Something that can be stored in the place of a value."""
        if isinstance(value, _heapd.Proxy) and value._heap is not self:
            return self._adopt(value)
        if type(value) in _registered:
            return self._new_instance(value)
        if self.pickles:
            return self._pickle(value)
        for kind in (int, float, str, bytes, dict, list, tuple, set, frozenset):
            if isinstance(value, kind):
                return kind(value)
        if isinstance(value, (bytearray, memoryview)):
            return bytes(value)
        raise PickleRefused(f"a {type(value).__name__} is none of the heap's types; register its class, "
                            "or allow pickles on this connection")

    def _adopt(self, value: _heapd.Proxy) -> Any:
        """A proxy of another connection: of the same daemon, it comes over by a token."""
        if value._heap.address != self.address:
            raise ForeignProxy("the proxy belongs to another heap")
        return self._redeem(value._heap._token(value))

    def _pickle(self, value: Any) -> Any:
        references: _List[_heapd.Proxy] = []
        stream = io.BytesIO()
        buffers: _List[pickle.PickleBuffer] = []
        _Pickler(self, stream, references, buffers).dump(value)
        attributes: _Dict[str, Any] = {"data": stream.getvalue(), "count": len(references),
                                      "buffers": len(buffers)}
        attributes.update((f"r{i}", reference) for i, reference in enumerate(references))
        # Large arrays, say: out of band, in shared memory, from where they are read without a copy.
        attributes.update((f"b{i}", self._buffer_put(buffer.raw())) for i, buffer in enumerate(buffers))
        return self._instance(self._class(_PICKLE_CLASS, ("data", "count", "buffers")), attributes)

    def _unpickle(self, data: bytes, references: Any, buffers: Any = ()) -> Any:
        if not self.pickles:
            raise PickleRefused("the value is a pickle, which could run any code, and this connection does not load "
                                "pickles; if you trust all who write to this heap: heapd.connect(..., pickles=True)")
        return _Unpickler(io.BytesIO(data), references, buffers).load()

    def _load(self, proxy: _heapd.Proxy) -> Any:
        """What a pickled value stands for; an exception where pickles are not loaded, never another object in its place."""
        references = [proxy._get_attribute(f"r{i}") for i in range(proxy._get_attribute("count"))]
        buffers = [proxy._get_attribute(f"b{i}")._map() for i in range(proxy._get_attribute("buffers"))]
        return self._unpickle(proxy._get_attribute("data"), references, buffers)

    @staticmethod
    def _wrap(proxy: _heapd.Proxy) -> Any:
        """What a program gets for an object that has no class of proxies of its own."""
        heap = proxy._heap
        if proxy._type == _proxies.INSTANCE and heap._class_name(proxy) == _PICKLE_CLASS:
            return heap._load(proxy)
        if proxy._type != _proxies.INSTANCE:
            return proxy
        return proxy._become(_buffers.Array if heap._class_name(proxy) == _buffers.ARRAY_CLASS else _proxies.Object)

    def _class_name(self, proxy: _heapd.Proxy) -> str:
        return str(proxy._inspect()["class_name"])

    def _class_attribute(self, proxy: _heapd.Proxy, name: str) -> Any:
        """What the registered class has under this name, bound to the proxy; None if there is nothing."""
        cls = _by_name.get(self._class_name(proxy))
        found = getattr(cls, name, None)
        if cls is None or found is None:
            return None
        raw: Any = next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)
        if hasattr(raw, "__get__") and not isinstance(raw, (staticmethod, classmethod)):
            return raw.__get__(proxy, cls)
        return found

    def _plain(self, proxy: _heapd.Proxy) -> Any:
        for _ in range(_proxies._TRIES):
            with contextlib.suppress(Changed):
                return proxy._export(self._make_plain)
        return proxy._export(self._make_plain)

    def _make_plain(self, name: str, attributes: _Dict[str, Any]) -> Any:
        """An instance in a plain copy. What a pickle refers to is then a copy, too."""
        if name == _PICKLE_CLASS:
            return self._unpickle(attributes["data"], [attributes[f"r{i}"] for i in range(attributes["count"])])
        cls = _by_name.get(name)
        if cls is None:
            return types.SimpleNamespace(**attributes)
        instance: Any = cls.__new__(cls)  # type: ignore[call-overload]
        for key, value in attributes.items():
            object.__setattr__(instance, key, value)
        return instance

    def _reduce(self, proxy: _heapd.Proxy) -> Any:
        """Pickling makes a token, which keeps the object alive until it runs out."""
        return _redeem, (self.address, type(self).__module__, type(self).__name__, self.pickles, self._token(proxy))

    def _token(self, proxy: _heapd.Proxy) -> bytes:
        now = time.monotonic()
        known = self._tokens.get(proxy._handle)
        if known and now < known[1]:
            return known[0]
        token, ttl_ms = proxy._make_token(int(self.token_seconds * 1000), self.token_uses)
        if self.token_uses == 0:
            # The same object pickled many times, for a pool's tasks, say, shares a token for half of its time.
            if len(self._tokens) >= 256:
                self._tokens.clear()
            self._tokens[proxy._handle] = (token, now + ttl_ms / 2000)
        return token

    # ---- modes

    def pipeline(self) -> Pipeline:
        """Requests of this thread in the block are sent without waiting; see Pipeline."""
        return Pipeline(self)

    def flush(self) -> None:
        """Waits for writes that were not waited for (``batched``), and raises the first failure among them."""
        self._finish()

    def sessions(self) -> _List[_Dict[str, Any]]:
        """Who is connected."""
        return self._sessions()

    # ---- looking at it

    def why(self, what: _heapd.Proxy | int, *, paths: int = 5, steps: int = 64, others: bool = True) -> _inspect.Reasons:
        """Why does it live? A proxy, or an identity; ``print`` shows the paths. For the daemon's own user.

        With ``others``, as is usual, this connection's own proxies are no reason.
        """
        return _inspect.reasons(self._why(what, paths, steps, others))

    def retained(self, what: _heapd.Proxy | int | None = None, *, count: int = 10) -> _inspect.Keeping:
        """What would go with an object: ``.bytes``, ``.count``; without one, the largest keepers. For the daemon's own user."""
        return _inspect.keeping(self._retained(what, count))

    def census(self, count: int = 32) -> _inspect.Census:
        """What there is, by type, class, name, tag and session; two of them compare. For the daemon's own user."""
        return _inspect.census(self._census(count))

    def tag(self, name: str) -> _inspect.Tag:
        """``with h.tag("import"):`` what this connection makes in the block, in whatever thread, has that tag."""
        return _inspect.Tag(self, name)

    def tag_of(self, proxy: _heapd.Proxy) -> str:
        """The tag of one object; "" if it has none."""
        return self._tag_object(proxy, None)

    def set_tag(self, proxy: _heapd.Proxy, name: str) -> None:
        """Gives one object, and not what it refers to, a tag; "" takes it away."""
        self._tag_object(proxy, name)

    def intern(self, text: str, *, hold: bool = False) -> _heapd.Proxy:
        """sys.intern: a proxy of the str that stands for all equal ones. It goes with its last reference, unless the heap
        is to ``hold`` it until ``let_go``."""
        return self._intern(text, hold)

    def let_go(self, text: str) -> bool:
        """The heap no longer holds an interned str; False if it did not."""
        return self._let_go(text)

    # ---- life

    def shutdown(self) -> None:
        """Ends the daemon; the heap is lost."""
        if self._daemon:
            self.close()
            self._daemon.stop()
        else:
            self._shutdown_daemon()
            self.close()

    def __enter__(self) -> Heap:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if self._daemon:
            self.shutdown()
        else:
            self.close()

    def __repr__(self) -> str:
        return f"<heapd.Heap {self.address}{' closed' if self.closed else ''}>"

    def __reduce__(self) -> Any:
        raise TypeError("a connection cannot be pickled; pickle its address, or a proxy")


def _redeem(address: str, module: str, kind: str, pickles: bool, token: bytes) -> Any:
    """A pickled proxy: a reference of this process's own, over its connection to the same daemon."""
    return _connection_for(address, module, kind, pickles)._redeem(token)


def _connection_for(address: str, module: str, kind: str, pickles: bool) -> Heap:
    with _lock:
        known = _by_address.get((address, kind))
        heap = known() if known else None
        if heap is not None and not heap.closed:
            return heap
        if known:
            del _by_address[address, kind]
        cls = getattr(importlib.import_module(module), kind)
        made: Heap = cls(address, pickles=pickles)
        _opened.append(made)
        return made


# Connections that nobody asked for but unpickled proxies use: open until the process ends.
_opened: _List[Heap] = []


def _before_fork() -> None:
    _lock.acquire()
    for heap in list(_heaps):
        # Without a daemon there is nothing to clone; the child hears of it when it uses the connection.
        with contextlib.suppress(Exception):
            heap._before_fork(heap.address)


def _after_fork_in_parent() -> None:
    for heap in list(_heaps):
        heap._after_fork(False)
    _lock.release()


def _after_fork_in_child() -> None:
    for heap in list(_heaps):
        heap._after_fork(True)
        heap._tokens = {}
    _lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


@atexit.register
def _close_all() -> None:
    _heapd._set_exiting()
    for heap in list(_heaps):
        heap.close()


def _close_at_exit(unused: Any = None) -> None:
    """A child of multiprocessing that ends by itself says goodbye, which atexit does not see: locks that it holds stay held,
    as multiprocessing has it. One that is killed does not."""
    multiprocessing.util.Finalize(None, _close_all, exitpriority=-100)


multiprocessing.util.register_after_fork(sys.modules[__name__], _close_at_exit)
if multiprocessing.parent_process() is not None:
    _close_at_exit()


def _draw_bar(done: int, total: int) -> None:
    if sys.stderr.isatty():
        filled = 40 * done // max(total, 1)
        sys.stderr.write(f"\r[{'#' * filled}{'.' * (40 - filled)}] {done:,} of {total:,}" + "\n" * (done >= total))
        sys.stderr.flush()


def _contents(values: Any) -> Any:
    return values._values() if isinstance(values, _proxies.Container) else values


class _Pickler(pickle.Pickler):
    """Proxies of the same heap stay references."""

    def __init__(self, heap: Heap, stream: io.BytesIO, references: list[_heapd.Proxy],
                 buffers: list[pickle.PickleBuffer]) -> None:
        def keep(buffer: pickle.PickleBuffer) -> bool:
            """True: the bytes stay in the pickle."""
            if buffer.raw().nbytes < _OUT_OF_BAND_BYTES:
                return True
            buffers.append(buffer)
            return False

        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=keep)
        self._heap = heap
        self._references = references

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, _heapd.Proxy) or value._heap is not self._heap:
            return None
        self._references.append(value)
        return len(self._references) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, references: Any, buffers: Any) -> None:
        super().__init__(stream, buffers=buffers)
        self._references = references

    def persistent_load(self, number: Any) -> Any:
        return self._references[number]


def connect(address: str | None = None, *, timeout: float = 5.0, name: str | None = None, pickles: bool = False,
            batched: bool = False) -> Heap:
    """Connects to a running daemon: at the address, $HEAPD_ADDRESS, or the default one."""
    return Heap(address, timeout=timeout, name=name, pickles=pickles, batched=batched)


def start(*, memory_limit: int | str | None = None, pickles: bool = False, batched: bool = False,
          options: tuple[str, ...] = ()) -> Heap:
    """Starts a daemon that belongs to this process and connects to it."""
    daemon = Daemon(memory_limit, options)
    return Heap(daemon.address, pickles=pickles, batched=batched, daemon=daemon)
