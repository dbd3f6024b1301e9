"""What the tests share: a daemon of their own, and counting what it holds."""
from __future__ import annotations

import time
import unittest

import heapd


class HeapTest(unittest.TestCase):
    """Each class has a daemon; each test a connection, which must leave nothing behind."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.daemon = heapd.Daemon()
        cls.address = cls.daemon.address

    @classmethod
    def tearDownClass(cls) -> None:
        cls.daemon.stop()

    def setUp(self) -> None:
        self.h = heapd.connect(self.address)
        self.addCleanup(self.h.close)


def live(h: heapd.Heap) -> int:
    """Objects that are alive, once all that was released is taken apart."""
    h.ping()
    h.gc.collect()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        stats = h.stats()
        if not stats["objects_waiting_to_be_freed_count"] and not stats["rpc_sessions_closing_count"]:
            return stats["objects_live_count"]
    raise AssertionError("the daemon does not come to rest")
