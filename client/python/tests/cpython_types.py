"""Runs CPython's own tests of list, tuple, dict and set against the proxies of a heap.

    cpython_types.py [-v] [list|tuple|dict|set[.TEST]]...

The tests are those of the interpreter's installed ``test`` package (list_tests, seq_tests, mapping_tests, test_set), run
with a "type" whose instances are proxies. What is not run stands in cpython_skips.txt, each with its reason.
"""
from __future__ import annotations

import sys
import unittest
from typing import Any

import heapd
from cpython_manager import apply_skips, read_skips

HEAP: heapd.Heap


class _Kind(type):
    """A class that can be called and asked as the type it stands for, and makes proxies."""

    make: str
    proxy: type

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return getattr(HEAP, cls.make)(*arguments, **named)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.proxy)


class HeapList(metaclass=_Kind):
    make, proxy = "list", heapd.List


class HeapTuple(metaclass=_Kind):
    make, proxy = "tuple", heapd.Tuple


class HeapDict(metaclass=_Kind):
    make, proxy = "dict", heapd.Dict

    @staticmethod
    def fromkeys(keys: Any, value: Any = None) -> Any:
        return HEAP.dict(dict.fromkeys(keys, value))


class HeapSet(metaclass=_Kind):
    make, proxy = "set", heapd.Set


def main() -> None:
    global HEAP
    arguments = [argument for argument in sys.argv[1:] if argument != "-v"]
    try:
        from test import list_tests, mapping_tests, seq_tests, test_set
    except ImportError:
        print("skipped: the interpreter's test package is not installed")
        sys.exit(77)

    class List(list_tests.CommonTest):
        type2test = HeapList

    class Tuple(seq_tests.CommonTest):
        type2test = HeapTuple

    class Dict(mapping_tests.TestHashMappingProtocol):
        type2test = HeapDict

    class Set(test_set.TestJointOps, unittest.TestCase):
        thetype = HeapSet
        basetype = set

    tests: dict[str, type] = {"list": List, "tuple": Tuple, "dict": Dict, "set": Set}
    for name in dict(tests):
        apply_skips(tests, read_skips(name))
    suite = unittest.TestSuite()
    for name in arguments or list(tests):
        kind, _, test = name.partition(".")
        suite.addTest(tests[kind](test) if test else unittest.defaultTestLoader.loadTestsFromTestCase(tests[kind]))
    HEAP = heapd.start(pickles=True)
    result = unittest.TextTestRunner(verbosity=2 if "-v" in sys.argv else 1).run(suite)
    HEAP.shutdown()
    print(f"ran {result.testsRun}, skipped {len(result.skipped)}, failed {len(result.failures) + len(result.errors)}")
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
