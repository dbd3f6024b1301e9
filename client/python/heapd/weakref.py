"""Weak references to objects of the heap, in the manner of Python's weakref module.

A proxy holds its object; what is here does not. An object dies when no process, name or other object holds it any more,
and cycles when the daemon collects them.
"""
from __future__ import annotations

import collections.abc
import threading
from typing import Any, Callable, Iterator

from ._heapd import Proxy
from .errors import Error


class ref:
    """``ref(proxy)()`` is a proxy to the object, or None once it is gone. With a callback: as ``finalize``, with the ref."""

    __slots__ = ("_reference", "_identity", "_finalize", "__weakref__")

    def __init__(self, proxy: Proxy, callback: Callable[[ref], Any] | None = None) -> None:
        if not isinstance(proxy, Proxy):
            raise TypeError(f"a weak reference is to an object of a heap, not to {type(proxy).__name__!r}")
        self._reference = proxy._make_weak()
        self._identity = proxy._inspect()["identity"]
        self._finalize = finalize(proxy, callback, self) if callback else None

    def __call__(self) -> Any:
        return self._reference._referent()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ref):
            return NotImplemented
        return self._reference._heap is other._reference._heap and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"<heapd.weakref.ref to {self._identity:#x}>"


class finalize:
    """Calls ``function(*arguments, **named)`` once, when the object dies or when it is called itself.

    Each has a thread, which the daemon wakes; the function runs there. None is called because a program ends or its
    connection is lost: the object may live on. ``close`` of the heap must come after ``detach``, or after the death.
    """

    def __init__(self, proxy: Proxy, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> None:
        self._call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None = (function, arguments, named)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._wait, args=(proxy._heap, proxy._follow()), daemon=True,
                                        name="heapd-finalize")
        self._thread.start()

    def _wait(self, heap: Any, follow: Any) -> None:
        try:
            died = False
            while not died and self.alive and not heap.closed:
                died = follow._next()
        except (Error, ValueError):
            died = False
        finally:
            follow.close()
        del heap
        if died:
            self()

    @property
    def alive(self) -> bool:
        """Is it still to be called?"""
        return self._call is not None

    def detach(self) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None:
        """Is not called any more; what would have been."""
        with self._lock:
            call, self._call = self._call, None
        return call

    def __call__(self) -> Any:
        call = self.detach()
        if call is None:
            return None
        function, arguments, named = call
        return function(*arguments, **named)


class WeakValueDictionary(collections.abc.MutableMapping[Any, Any]):
    """A dict of this process, whose values are objects of the heap; an item is gone with its object."""

    def __init__(self, values: Any = (), /, **named: Any) -> None:
        self._references: dict[Any, ref] = {}
        self.update(values, **named)

    def __getitem__(self, key: Any) -> Any:
        found = self._references[key]()
        if found is None:
            del self._references[key]
            raise KeyError(key)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        self._references[key] = ref(value)

    def __delitem__(self, key: Any) -> None:
        self[key]
        del self._references[key]

    def _living(self) -> list[Any]:
        for key, reference in list(self._references.items()):
            if reference() is None and self._references.get(key) is reference:
                del self._references[key]
        return list(self._references)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._living())

    def __len__(self) -> int:
        return len(self._living())

    def __repr__(self) -> str:
        return f"<heapd.weakref.WeakValueDictionary of {len(self._references)}>"
