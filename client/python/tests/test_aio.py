"""heapd.aio."""
from __future__ import annotations

import asyncio
import unittest

import heapd
import heapd.aio


class Async(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.h = await heapd.aio.start()

    async def asyncTearDown(self) -> None:
        await self.h.shutdown()

    async def test_containers(self) -> None:
        l = await self.h.list([1, 2])
        await l.append(3)
        await self.h.set_item("numbers", {"l": l})
        found = await (await self.h.get_item("numbers")).get_item("l")
        self.assertEqual([number async for number in found], [1, 2, 3])
        self.assertEqual(await found.len(), 3)
        self.assertTrue(await found.contains(2))
        self.assertEqual(await found.pop(), 3)
        with self.assertRaises(KeyError):
            await self.h.get_item("nothing")

    async def test_many_wait_at_once(self) -> None:
        q = await self.h.queue()
        getters = [asyncio.create_task(q.get()) for _ in range(20)]
        for number in range(20):
            await q.put(number)
        self.assertEqual(sorted(await asyncio.gather(*getters)), list(range(20)))

    async def test_lock(self) -> None:
        lock = await self.h.lock()
        async with lock:
            self.assertTrue(await lock.locked())
        self.assertFalse(await lock.locked())

    async def test_loop_goes_on(self) -> None:
        waiting = asyncio.create_task(self.h.wait("late", 60))
        await self.h.set_item("late", 5)
        self.assertEqual(await waiting, 5)

    async def cancel(self, task: asyncio.Task[object]) -> None:
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task

    async def waiting(self, what: heapd.aio.Proxy, count: int = 1) -> None:
        while (await self.h._run(what._proxy._sync_state))["waiting"] != count:
            await asyncio.sleep(0)

    async def test_a_cancelled_get_takes_nothing(self) -> None:
        q = await self.h.queue()
        task = asyncio.create_task(q.get())
        await self.waiting(q)
        await self.cancel(task)
        await q.put("kept")
        self.assertEqual(await asyncio.wait_for(q.get(), 30), "kept")

    async def test_a_cancel_that_meets_the_item_gives_it_back(self) -> None:
        q = await self.h.queue(1)
        other = heapd.connect(self.h.heap.address)
        self.addCleanup(other.close)
        await self.h.set_item("q", q)
        for number in range(30):
            task = asyncio.create_task(q.get())
            await self.waiting(q)
            # The loop stands still: the item is there before the task is cancelled.
            other["q"].put(number)
            await self.cancel(task)
            self.assertEqual(await asyncio.wait_for(q.get(), 30), number)
            await q.task_done()
        self.assertTrue(await q.join(30))

    async def test_a_cancelled_acquire_holds_nothing(self) -> None:
        for make in (self.h.lock, self.h.rlock, self.h.semaphore):
            lock = await make()
            async with lock:
                task = asyncio.create_task(lock.acquire())
                await self.waiting(lock)
                await self.cancel(task)
            self.assertTrue(await lock.acquire(timeout=30))
            task = asyncio.create_task(lock.acquire())
            await self.waiting(lock)
            # The loop stands still: the task has the lock before it is cancelled.
            heapd._heapd.Call(id(asyncio.current_task())).run(lock._proxy.release)
            await self.cancel(task)
            self.assertTrue(await lock.acquire(timeout=30))
            await lock.release()

    async def test_locks_belong_to_tasks(self) -> None:
        lock = await self.h.rlock()
        async with lock:
            async with lock:
                self.assertFalse(await asyncio.create_task(lock.acquire(timeout=0)))

    async def test_a_cancelled_condition_wait_has_its_lock(self) -> None:
        condition = await self.h.condition()
        entered = asyncio.Event()

        async def wait() -> None:
            async with condition:
                entered.set()
                try:
                    await condition.wait()
                finally:
                    await condition.notify()  # NotLocked without the lock

        task = asyncio.create_task(wait())
        await entered.wait()
        await self.waiting(condition)
        await self.cancel(task)
        self.assertTrue(await condition.acquire(timeout=30))
        await condition.release()

    async def test_cancelled_waits_leave_the_daemon(self) -> None:
        event, barrier = await self.h.event(), await self.h.barrier(2)
        for what in (event, barrier):
            task = asyncio.create_task(what.wait())
            await self.waiting(what)
            await self.cancel(task)
            await asyncio.wait_for(self.waiting(what, 0), 30)
        task = asyncio.create_task(self.h.wait("never bound", 3600))
        await asyncio.sleep(0)
        await self.cancel(task)
        await asyncio.wait_for(self.h._settle(), 30)
        self.assertFalse(self.h._cancelled)

    async def test_objects(self) -> None:
        o = await self.h.object(x=1)
        await o.set_attribute("x", 2)
        self.assertEqual(await o.x, 2)


if __name__ == "__main__":
    unittest.main()
