"""heapd for asyncio: the same surface, awaited.

    h = await heapd.aio.connect()
    numbers = await h.list([1, 2])
    await numbers.append(3)
    async for number in numbers: ...
    async with (await h.lock()): ...

Calls run in threads of the heap's own, which wait without the GIL, so the loop never does. A call that is cancelled is
cancelled on the daemon; a lock that it got all the same is released, and a queue's item goes back to the front. Locks
belong to tasks, as in asyncio. Values and errors are those of heapd; proxies come wrapped.
"""
from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
from typing import Any, AsyncIterator, Callable

import heapd

from . import _heapd, _sync
from ._heap import Heap

# Calls that wait for others (a queue, a lock) keep a thread each: enough for them, and idle threads cost nothing.
_THREADS = 256


# How long close waits for what was cancelled to be given back, in seconds.
_CANCEL_TIMEOUT = 2.0


async def _ended(futures: list[concurrent.futures.Future[Any]], timeout: float | None) -> None:
    """Until all have ended, whatever came out."""
    waiters = [asyncio.wrap_future(future) for future in futures]
    try:
        await asyncio.wait(waiters, timeout=timeout)
    finally:
        for waiter in waiters:
            # Nobody misses what it raised.
            waiter.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


def _undo_of(proxy: Any, name: str) -> Callable[[Any], Any] | None:
    """What gives back what a method took, by its result."""
    if isinstance(proxy, _sync._Acquirer) and name in ("acquire", "__enter__"):
        return lambda taken: proxy.release() if taken else None
    if isinstance(proxy, _sync.Queue) and name in ("get", "get_nowait"):
        return proxy._put_back
    return None


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
        await self._heap._call_method(self._proxy, "__enter__")
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
        self._cancelled: set[concurrent.futures.Future[Any]] = set()

    def _wrap(self, value: Any) -> Any:
        return Proxy(self, value) if isinstance(value, _heapd.Proxy) else value

    async def _run(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return await self._await(None, False, function, *arguments, **named)

    async def _await(self, undo: Callable[[Any], Any] | None, keeps: bool, function: Callable[..., Any],
                     *arguments: Any, **named: Any) -> Any:
        bound = functools.partial(function, *map(_unwrap, arguments),
                                  **{name: _unwrap(value) for name, value in named.items()})
        caller = id(asyncio.current_task())
        call = _heapd.Call(caller)
        future = self._executor.submit(call.run, bound)
        try:
            return self._wrap(await asyncio.wrap_future(future))
        except asyncio.CancelledError:
            # What answers from now on is nobody's.
            call.cancel()
            if not future.cancelled():
                self._cancelled.add(future)
                future.add_done_callback(functools.partial(self._take_back, caller, undo))
            if keeps:
                await self._until_done(future)
            raise

    async def _until_done(self, future: concurrent.futures.Future[Any]) -> None:
        """However often the task is cancelled meanwhile."""
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):
                await _ended([future], None)

    def _take_back(self, caller: int, undo: Callable[[Any], Any] | None, future: concurrent.futures.Future[Any]) -> None:
        """A call that was cancelled has ended, in this thread or another."""
        if undo and not future.cancelled() and future.exception() is None:
            # Without its threads the session is closed, and holds nothing.
            with contextlib.suppress(RuntimeError):
                undoing = self._executor.submit(_heapd.Call(caller).run, functools.partial(undo, future.result()))
                self._cancelled.add(undoing)
                undoing.add_done_callback(self._cancelled.discard)
        self._cancelled.discard(future)

    async def _settle(self) -> None:
        """Until all that was cancelled is given back."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _CANCEL_TIMEOUT
        while self._cancelled and loop.time() < end:
            await _ended(list(self._cancelled), end - loop.time())

    def _call_method(self, proxy: Any, name: str, *arguments: Any, **named: Any) -> Any:
        # A condition's wait ends with its lock, cancelled or not.
        keeps = isinstance(proxy, _sync.Condition) and name in ("wait", "wait_for")
        return self._await(_undo_of(proxy, name), keeps, getattr(proxy, name), *arguments, **named)

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
        await self._settle()
        await asyncio.get_running_loop().run_in_executor(None, self.heap.close)
        self._executor.shutdown(wait=False)

    async def shutdown(self) -> None:
        """Ends the daemon, and the session."""
        await self._settle()
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
