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

    async def test_objects(self) -> None:
        o = await self.h.object(x=1)
        await o.set_attribute("x", 2)
        self.assertEqual(await o.x, 2)


if __name__ == "__main__":
    unittest.main()
