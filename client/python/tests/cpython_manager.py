"""Runs the manager variants of CPython's own _test_multiprocessing against heapd.Manager().

    cpython_manager.py [-v] [fork|spawn] [CLASS[.TEST]...]

The tests are those of the interpreter's installed ``test`` package (Debian: libpython3.11-testsuite). What is not run
stands in cpython_skips.txt, each with its reason; a test there that does not exist is an error, so the table stays true.
"""
from __future__ import annotations

import sys
import unittest
from pathlib import Path

import heapd

try:
    from test import _test_multiprocessing as original
except ImportError:
    original = None
else:
    # Where it is imported, too: a spawned child looks its tests up in this module.
    original.install_tests_in_module_dict(globals(), "spawn" if "spawn" in sys.argv else "fork")
    globals()["TestSyncManagerTypes"].manager_class = heapd.SyncManager

CLASSES = ["WithManagerTestQueue", "WithManagerTestLock", "WithManagerTestSemaphore", "WithManagerTestCondition",
           "WithManagerTestEvent", "WithManagerTestBarrier", "WithManagerTestContainers", "WithManagerTestPool",
           "WithManagerTestMyManager", "WithManagerTestRemoteManager", "WithManagerTestManagerRestart",
           "TestSyncManagerTypes"]


def read_skips(suite: str) -> dict[str, str]:
    """The table: suite, class.test or class, reason."""
    skips = {}
    for line in (Path(__file__).parent / "cpython_skips.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            of, name, reason = line.split(None, 2)
            if of == suite:
                skips[name] = reason
    return skips


def apply_skips(tests: dict[str, type], skips: dict[str, str]) -> None:
    for name, reason in skips.items():
        cls_name, _, method = name.partition(".")
        cls = tests[cls_name]
        if not method:
            tests[cls_name] = unittest.skip(reason)(cls)
            continue
        found = getattr(cls, method)  # an error if there is none
        setattr(cls, method, unittest.skip(reason)(found))


def main() -> None:
    arguments = sys.argv[1:]
    verbosity = 2 if "-v" in arguments else 1
    arguments = [argument for argument in arguments if argument != "-v"]
    if arguments and arguments[0] in ("fork", "spawn"):
        arguments.pop(0)
    if original is None:
        print("skipped: the interpreter's test package is not installed")
        sys.exit(77)
    module = sys.modules["__main__"]
    original.multiprocessing.Manager = heapd.Manager
    tests = {name: module.__dict__[name] for name in CLASSES}
    apply_skips(tests, read_skips("manager"))
    suite = unittest.TestSuite()
    loader = unittest.defaultTestLoader
    for name in arguments or CLASSES:
        cls_name, _, test = name.partition(".")
        suite.addTest(tests[cls_name](test) if test else loader.loadTestsFromTestCase(tests[cls_name]))
    module.setUpModule()
    result = unittest.TextTestRunner(verbosity=verbosity).run(suite)
    module.tearDownModule()
    print(f"ran {result.testsRun}, skipped {len(result.skipped)}, failed {len(result.failures) + len(result.errors)}")
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
