#!/usr/bin/env python3
"""Does the same to CPython's gc and to a heapd, and compares what both say. client/GC.md has the table.

Usage: gc_python.py HEAPD HEAPCTL PLANTS
"""
import gc
import sys
import tempfile

from inspect_test import World, check


def cycles(count):
    """As the planter's: pairs of lists that refer to each other, and nobody else to them."""
    for _ in range(count):
        a, b = [], []
        a.append(b)
        b.append(a)


def test_collect(world):
    gc.disable()
    world.run("gc", "disable")
    gc.collect()
    world.run("gc", "collect")
    cycles(25)
    world.plant("cycles", "25")
    check(gc.collect() == world.ask("gc", "collect")["unreachable"] == 50, "collect")
    check(gc.collect(0) == world.ask("gc", "collect", "0")["unreachable"] == 0, "collect of a generation")
    check(not gc.isenabled() and not world.ask("gc", "stats")["enabled"], "isenabled")
    before, ours = gc.get_stats()[2]["collections"], world.ask("gc", "stats")["generations"][2]["collections"]
    gc.collect()
    world.run("gc", "collect")
    check(gc.get_stats()[2]["collections"] - before == 1, "get_stats")
    check(world.ask("gc", "stats")["generations"][2]["collections"] - ours == 1, "get_stats")
    check(set(gc.get_stats()[0]) <= set(world.ask("gc", "stats")["generations"][0]), "get_stats' members")
    gc.enable()
    world.run("gc", "enable")
    check(gc.isenabled() and world.ask("gc", "stats")["enabled"], "isenabled")


def test_threshold(world):
    saved = gc.get_threshold()
    gc.set_threshold(500, 7, 5)
    world.run("gc", "threshold", "500", "7", "5")
    check(list(gc.get_threshold()) == world.ask("gc", "threshold")["thresholds"] == [500, 7, 5], "threshold")
    gc.set_threshold(*saved)
    check(len(gc.get_count()) == len(world.ask("gc", "count")["counts"]) == 3, "get_count")


def test_saveall(world):
    gc.disable()
    world.run("gc", "disable")
    gc.collect()
    world.run("gc", "collect")
    gc.set_debug(gc.DEBUG_SAVEALL)
    world.run("gc", "debug", "saveall")
    check(gc.get_debug() == world.ask("gc", "debug")["flags"] == gc.DEBUG_SAVEALL, "get_debug")
    cycles(10)
    world.plant("cycles", "10")
    found, ours = gc.collect(), world.ask("gc", "collect")["unreachable"]
    check(found == ours == 20, "collect under saveall", found, ours)
    garbage = world.ask("gc", "garbage", "-N", "100")
    check(len(gc.garbage) == garbage["count"] == len(garbage["objects"]) == 20, "garbage", garbage)
    check(all(row["type"] == "list" for row in garbage["objects"]), "garbage", garbage)
    path = world.ask("why", hex(garbage["objects"][0]["identity"]))["paths"][0]
    check(path["root"] == "garbage", path)
    gc.set_debug(0)
    world.run("gc", "debug", "none")
    gc.garbage.clear()
    world.run("gc", "garbage", "clear")
    check(gc.collect() == world.ask("gc", "collect")["unreachable"] == 20, "what was garbage is found again")
    # The same among the young alone.
    world.run("gc", "debug", "saveall")
    world.plant("cycles", "5")
    check(world.ask("gc", "collect", "0")["unreachable"] == 10, "young collection under saveall")
    check(world.ask("gc", "garbage")["count"] == 10, "garbage of the young")
    world.run("gc", "debug", "none")
    world.run("gc", "garbage", "clear")
    check(world.ask("gc", "collect")["unreachable"] == 10, "and found again")
    gc.enable()
    world.run("gc", "enable")


def test_objects(world):
    values = {"a_list": [1, 2], "a_text": "a text that is boxed", "a_float": 1.5, "an_int": 7}
    for name, value in values.items():
        world.run("set", name, __import__("json").dumps(value))
    check(gc.is_tracked(values["a_list"]) and world.ask("inspect", "a_list")["tracked"], "is_tracked")
    check(not gc.is_tracked(values["a_text"]) and not world.ask("inspect", "a_text")["tracked"], "is_tracked")
    check(sys.getsizeof(values["a_list"]) > 0 and world.ask("inspect", "a_list")["shallow_bytes"] > 0, "getsizeof")
    # One more container that holds it is one more reference, and one more referrer.
    outer = [values["a_list"]]
    counts = sys.getrefcount(values["a_list"])
    another = [values["a_list"]]
    check(sys.getrefcount(values["a_list"]) - counts == 1 and another != outer + outer, "getrefcount")
    world.run("set", "outer", "[[]]")
    inner = world.ask("referrers", "outer[0]")
    check(len(inner["objects"]) == 1 and inner["objects"][0]["type"] == "list", inner)
    check(sum(type(o) is list for o in gc.get_referrers(outer[0])) == 2, "get_referrers")
    gc.collect()
    world.run("gc", "freeze")
    gc.freeze()
    check(gc.get_freeze_count() > 0, "get_freeze_count")
    gc.unfreeze()
    check(gc.get_freeze_count() == 0, "unfreeze")
    check("0 objects are frozen" in world.run("gc", "unfreeze").stdout, "unfreeze")
    audit = world.ask("audit")
    check(audit["miscounts"] == [] and audit["checked"] > 0, "audit", audit)


def test_stats(world):
    world.run("gc", "debug", "collectable", status=2)
    check("gc: " not in world.log(), "collections are logged though nobody asked")
    world.run("gc", "debug", "stats")
    check(world.ask("gc", "debug")["flags"] == gc.DEBUG_STATS, "get_debug")
    world.run("gc", "collect")
    world.run("ping")
    check("gc: generation 2: 1 collections, 0 unreachable objects" in world.log(), world.log())
    world.run("gc", "debug", "none")
    size = world.log().count("gc: ")
    world.run("gc", "collect")
    world.run("ping")
    check(world.log().count("gc: ") == size, "collections are still logged")


def main():
    with tempfile.TemporaryDirectory(prefix="heapd-gc-") as folder:
        world = World(*sys.argv[1:], folder)
        try:
            test_collect(world)
            test_threshold(world)
            test_saveall(world)
            test_objects(world)
            test_stats(world)
        finally:
            world.end()


if __name__ == "__main__":
    main()
