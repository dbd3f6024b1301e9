"""heapd for asyncio: the same surface, awaited.

    h = await heapd.aio.connect()
    numbers = await h.list([1, 2])
    await numbers.append(3)
    async for number in numbers: ...
    async with (await h.lock()): ...

Calls run in threads of the heap's own, which wait without the GIL, so the loop never does. A call that is cancelled is
left to end by itself. Values and errors are those of heapd; proxies come wrapped.
"""
from __future__ import annotations

import asyncio
import concurrent.futures
import functools
from typing import Any, AsyncIterator, Callable

import heapd

from . import _heapd
from ._heap import Heap

# Calls that wait for others (a queue, a lock) keep a thread each: enough for them, and idle threads cost nothing.
_THREADS = 256


def _unwrap(value: Any) -> Any:
    if isinstance(value, Proxy):
        return value._proxy
    if type(value) in (list, tuple):
        return type(value)(map(_unwrap, value))
    if type(value) is dict:
        return {_unwrap(key): _unwrap(item) for key, item in value.items()}
    return value


class Proxy:
    """A proxy whose methods are awaited. Items: ``await p.get_item(k)``, ``set_item``, ``del_item``, ``len``,
    ``contains``; a context manager where the proxy is one; an async iterator where it can be gone through."""

    def __init__(self, heap: AsyncHeap, proxy: Any) -> None:
        self._heap = heap
        self._proxy = proxy

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if callable(getattr(type(self._proxy), name, None)):
            return functools.partial(self._heap._call_method, self._proxy, name)
        # Everything else is read from the heap, so it is awaited as well.
        return self._heap._run(getattr, self._proxy, name)

    def get_item(self, key: Any) -> Any:
        return self._heap._run(self._proxy.__getitem__, key)

    def set_item(self, key: Any, value: Any) -> Any:
        return self._heap._run(self._proxy.__setitem__, key, value)

    def del_item(self, key: Any) -> Any:
        return self._heap._run(self._proxy.__delitem__, key)

    def set_attribute(self, name: str, value: Any) -> Any:
        return self._heap._run(setattr, self._proxy, name, value)

    def len(self) -> Any:
        return self._heap._run(len, self._proxy)

    def contains(self, value: Any) -> Any:
        return self._heap._run(self._proxy.__contains__, value)

    async def __aiter__(self) -> AsyncIterator[Any]:
        iterator = await self._heap._run(iter, self._proxy)
        done = object()
        while (value := await self._heap._run(next, iterator, done)) is not done:
            yield value

    async def __aenter__(self) -> Any:
        await self._heap._run(self._proxy.__enter__)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._heap._run(self._proxy.__exit__, *exception)

    def __repr__(self) -> str:
        return f"<heapd.aio.Proxy of {type(self._proxy).__name__}>"


class AsyncHeap:
    """A heap whose methods are awaited; names are ``get_item``, ``set_item``, ``del_item``, ``get`` and ``wait``."""

    def __init__(self, heap: Heap) -> None:
        self.heap = heap
        self._executor = concurrent.futures.ThreadPoolExecutor(_THREADS, "heapd")

    def _wrap(self, value: Any) -> Any:
        return Proxy(self, value) if isinstance(value, _heapd.Proxy) else value

    async def _run(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        call = functools.partial(function, *map(_unwrap, arguments),
                                 **{name: _unwrap(value) for name, value in named.items()})
        return self._wrap(await asyncio.get_running_loop().run_in_executor(self._executor, call))

    def _call_method(self, proxy: Any, name: str, *arguments: Any, **named: Any) -> Any:
        return self._run(getattr(proxy, name), *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not callable(getattr(self.heap, name)):
            raise AttributeError(name)
        return functools.partial(self._run, getattr(self.heap, name))

    def get_item(self, name: str) -> Any:
        return self._run(self.heap.__getitem__, name)

    def set_item(self, name: str, value: Any) -> Any:
        return self._run(self.heap.__setitem__, name, value)

    def del_item(self, name: str) -> Any:
        return self._run(self.heap.__delitem__, name)

    async def close(self) -> None:
        """Ends the session, and what waits in it."""
        await asyncio.get_running_loop().run_in_executor(None, self.heap.close)
        self._executor.shutdown(wait=False)

    async def shutdown(self) -> None:
        """Ends the daemon, and the session."""
        await asyncio.get_running_loop().run_in_executor(None, self.heap.shutdown)
        self._executor.shutdown(wait=False)

    async def __aenter__(self) -> AsyncHeap:
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await (self.shutdown() if self.heap._daemon else self.close())


async def connect(*arguments: Any, **named: Any) -> AsyncHeap:
    """As heapd.connect."""
    loop = asyncio.get_running_loop()
    return AsyncHeap(await loop.run_in_executor(None, functools.partial(heapd.connect, *arguments, **named)))


async def start(**named: Any) -> AsyncHeap:
    """As heapd.start."""
    loop = asyncio.get_running_loop()
    return AsyncHeap(await loop.run_in_executor(None, functools.partial(heapd.start, **named)))
