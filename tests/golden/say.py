"""
What a client says in v1-NAME.hex: prints the requests, one comment and one line each, for HEAPD_GOLDEN_SAY (README.md).

usage: say.py [NAME]   methods (if none is given): every method that v1.hex does not have and whose replies do not depend on
                       the inside of the engine; bulk: GetMany
"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "differential"))
from wire import Literal, blob, number, signed, varint  # noqa: E402

CANCEL = 4
LIST, TUPLE, DICT, SET, FROZENSET = 7, 8, 9, 10, 14
QUEUE, LOCK, RLOCK, SEMAPHORE, CONDITION, EVENT, BARRIER = range(18, 25)
last_id = 0


def handle(slot):
    return slot | 1 << 32


def slot(field, which):
    return number(field, handle(which))


class Slot:
    """An object that is in a slot, as a Value."""

    def __init__(self, which):
        self.which = which


def value(field, it):
    """A field that is a Value."""
    if isinstance(it, Slot):
        return blob(field, number(8, handle(it.which)))
    if it is None:
        return blob(field, b"\x08\x01")
    if isinstance(it, bool):
        return blob(field, b"\x10" + bytes([it]))
    if isinstance(it, int):
        return blob(field, b"\x18" + varint(it << 1 if it >= 0 else (-it << 1) - 1))
    if isinstance(it, float):
        return blob(field, b"\x29" + struct.pack("<d", it))
    if isinstance(it, str):
        return blob(field, blob(6, it.encode()))
    if isinstance(it, bytes):
        return blob(field, blob(7, it))
    return blob(field, blob(9, literal(it)))


def literal(it):
    return tree(Literal(), it).pack()


def tree(out, it):
    """Literal.add, of nested containers too."""
    kinds = {list: 9, tuple: 10, dict: 11, set: 12, frozenset: 16}
    if type(it) not in kinds:
        return out.add(it, lambda _: None)
    out.kinds.append(kinds[type(it)])
    out.counts.append(len(it))
    for part in (x for pair in it.items() for x in pair) if isinstance(it, dict) else sorted(it) if type(it) in (
            set, frozenset) else it:
        tree(out, part)
    return out


def frame(method, body, request, flags=0):
    return struct.pack("<IHBBQ", len(body), method, flags, 0, request) + body


def say(comment, *requests):
    """Each request is (method, body), or a frame that is whole."""
    global last_id
    out = b""
    for request in requests:
        if isinstance(request, tuple):
            last_id += 1
            request = frame(request[0], request[1], last_id)
        out += request
    print("# %s\n> %s" % (comment, out.hex()))


def create(which, it):
    say("Create %r into %d" % (it, which), (16, blob(1, literal(it)) + slot(2, which)))


def part(start=None, stop=None, step=None):
    return b"".join(value(i, it) for i, it in ((1, start), (2, stop), (3, step)) if it is not None)


def export(which):
    say("Export %d" % which, (39, slot(1, which)))


def sequences():
    create(1, [5, 3, 4, 1, 2])
    create(2, (1, "two", b"3", 4.0))
    say("GetSlice [1:4:2] of the list", (40, slot(1, 1) + blob(2, part(1, 4, 2)) + slot(3, 3)))
    export(3)
    say("GetSlice of a str", (40, slot(1, 2) + blob(2, part(-2)) + slot(3, 4)))
    say("GetSlice with step 0", (40, slot(1, 1) + blob(2, part(step=0)) + slot(3, 5)))
    say("SetSlice [0:1] = (9, 9)", (41, slot(1, 1) + blob(2, part(0, 1)) + value(3, (9, 9))))
    say("SetSlice [::2] of another length", (41, slot(1, 1) + blob(2, part(step=2)) + value(3, [1])))
    say("DelSlice [1:2]", (42, slot(1, 1) + blob(2, part(1, 2))))
    say("ExtendFrom a tuple", (43, slot(1, 1) + value(2, Slot(2))))
    say("DelSlice [-3:]", (42, slot(1, 1) + blob(2, part(-3))))
    say("Repeat by 2", (44, slot(1, 1) + value(2, 2)))
    say("Reverse", (45, slot(1, 1)))
    say("Sort, from the largest", (46, slot(1, 1) + number(2, 1)))
    export(1)
    say("Sort of mixed types", (43, slot(1, 3) + value(2, ["x"])), (46, slot(1, 3)))
    for mode, what in ((1, 4), (2, 77), (4, 1), (5, 9), (8, 9), (8, 77), (9, 6), (9, 6)):
        say("Search, mode %d, of %r" % (mode, what), (47, slot(1, 1) + number(2, mode) + value(3, what)))
    for mode in (1, 2, 3, 4, 5, 6, 7):
        say("Search in text, mode %d" % mode, (47, slot(1, 3) + number(2, mode) + value(3, "x")))
    create(6, [[1], [2]])
    say("Copy", (48, slot(1, 6) + slot(3, 7)))
    say("Copy, deep", (48, slot(1, 6) + number(2, 1) + slot(3, 8)))
    export(8)
    for operation in range(1, 13):
        say("Operate %d on 13 and 5" % operation, (49, number(1, operation) + value(2, 13) + value(3, 5)))
    for operation in (13, 14, 15):
        say("Operate %d on -13" % operation, (49, number(1, operation) + value(2, -13)))
    say("Operate: a division by zero", (49, number(1, 5) + value(2, 1) + value(3, 0)))
    say("Operate: 2 ** 80", (49, number(1, 7) + value(2, 2) + value(3, 80)))
    say("Operate: list + list", (49, number(1, 1) + value(2, Slot(1)) + value(3, Slot(6)) + slot(4, 9)))
    for relation in range(1, 8):
        say("Compare %d of a list and its deep copy" % relation, (50, value(1, Slot(6)) + number(2, relation) + value(3, Slot(8))))
    say("Compare < of a list and an int", (50, value(1, Slot(6)) + number(2, 3) + value(3, 1)))
    say("Hash of a list", (51, value(1, Slot(6))))
    create(10, {"n": 1, "l": []})
    say("Update: compute", (52, slot(1, 10) + value(2, "n") + number(5, 1) + number(6, 3) + value(7, 21)))
    say("Update: swap", (52, slot(1, 10) + value(2, "n") + number(5, 2) + value(7, "s")))
    say("Update: compare and set, in vain", (52, slot(1, 10) + value(2, "n") + number(5, 3) + value(7, 1) + value(8, 2)))
    say("Update: compare and set", (52, slot(1, 10) + value(2, "n") + number(5, 3) + value(7, 1) + value(8, "s")))
    say("Update: get or create", (52, slot(1, 10) + value(2, "new") + number(5, 4) + value(7, 8)))
    say("Update: add if absent", (52, slot(1, 10) + value(2, "l") + number(5, 5) + value(7, 8)))
    export(10)


def containers():
    create(11, {1, 2, 3})
    create(12, {3, 4})
    for operation in (1, 2, 3, 4):
        say("SetCombine %d" % operation, (160, slot(1, 11) + number(2, operation) + value(3, Slot(12)) + slot(5, 12 + operation)))
        export(12 + operation)
    say("SetCombine, strict, with a list", (160, slot(1, 11) + number(2, 1) + value(3, [1]) + number(4, 1) + slot(5, 17)))
    say("SetUpdate: difference", (161, slot(1, 13) + number(2, 3) + value(3, [2, 9])))
    for relation in range(1, 8):
        say("SetCompare %d" % relation, (162, slot(1, 11) + number(2, relation) + value(3, Slot(13))))
    say("SetRemove", (163, slot(1, 13) + value(2, 4)))
    say("SetRemove of what is not there", (163, slot(1, 13) + value(2, 4)))
    create(18, {"a": 1, "b": 2})
    say("DictGet", (164, slot(1, 18) + value(2, "a") + value(3, 7)))
    say("DictGet of what is not there", (164, slot(1, 18) + value(2, "z") + value(3, 7)))
    say("DictSetDefault", (165, slot(1, 18) + value(2, "c") + value(3, 3)))
    say("DictPop", (166, slot(1, 18) + value(2, "z") + value(3, 0)))
    say("DictPopItem", (167, slot(1, 18)))
    say("DictUpdate from pairs", (168, slot(1, 18) + value(2, [("x", 1), ("y", 2)])))
    say("DictUpdate from what has no pairs", (168, slot(1, 18) + value(2, [1])))
    say("DictMerge", (169, slot(1, 18) + value(2, {"a": 0}) + slot(4, 19)))
    export(19)
    say("DictFromKeys", (170, value(1, ["k", "l"]) + value(2, 0) + slot(3, 20)))
    export(20)
    for view, kind, into in ((1, LIST, 21), (2, TUPLE, 22), (3, LIST, 23), (1, SET, 24), (1, FROZENSET, 25)):
        say("Gather view %d as type %d" % (view, kind), (171, value(1, Slot(18)) + number(2, view) + number(4, kind) + slot(5, into)))
        export(into)
    say("OpenCursor over the items", (172, slot(1, 18) + number(2, 3) + slot(4, 26)))
    say("ReadCursor, two", (173, slot(1, 26) + number(2, 2) + slot(4, 30) + number(5, 4)))
    say("ReadCursor of a dict that changed", (25, slot(1, 18) + value(2, "more") + value(3, 1)), (173, slot(1, 26) + slot(4, 30) + number(5, 4)))
    say("MakeWeak", (174, slot(1, 18) + slot(2, 27)))
    say("MakeSoft", (175, value(1, Slot(18)) + slot(2, 28)))
    say("GetReferent of both", (176, slot(1, 27) + slot(2, 40)), (176, slot(1, 28) + slot(2, 41)))
    say("CreateClass Base, Derived, and an instance", (18, blob(1, b"Base") + slot(4, 42)),
        (18, blob(1, b"Derived") + number(2, handle(42)) + slot(4, 43)))
    for comment, method, body in (("HasAttr", 177, slot(1, 42) + blob(2, b"x")), ("IsSubclass", 179, slot(1, 43) + slot(2, 42)),
                                  ("IsInstance of what has no class", 178, slot(1, 18) + slot(2, 42)),
                                  ("GetClass of a class", 180, slot(1, 43) + slot(2, 44))):
        say(comment, (method, body))


def coordination():
    global last_id
    for kind, which, more in ((QUEUE, 50, signed(3, 1)), (LOCK, 51, b""), (RLOCK, 52, b""), (SEMAPHORE, 53, signed(3, 1) + number(4, 1)),
                              (CONDITION, 54, b""), (EVENT, 55, b""), (BARRIER, 56, signed(3, 2))):
        say("CreateSync of type %d" % kind, (192, number(1, kind) + slot(2, which) + more))
    say("Put", (196, slot(1, 50) + value(2, "item")))
    say("Put into a full queue", (196, slot(1, 50) + value(2, 2)))
    say("Get", (197, slot(1, 50)))
    say("Get from an empty queue", (197, slot(1, 50)))
    say("a Get that waits, and the Put that ends it", (197, slot(1, 50) + signed(4, -1)), (196, slot(1, 50) + value(2, 3)))
    say("a Get that waits, cancelled", (197, slot(1, 50) + signed(4, -1)), frame(197, b"", last_id + 1, CANCEL))
    say("TaskDone", (198, slot(1, 50)))
    say("Join, and the TaskDone that ends it", (199, slot(1, 50) + signed(3, -1)), (198, slot(1, 50)))
    say("TaskDone once too often", (198, slot(1, 50)))
    for which in (51, 52, 53):
        say("Acquire %d" % which, (193, slot(1, which)))
        say("Acquire %d again" % which, (193, slot(1, which)))
        say("Unlock %d" % which, (194, slot(1, which)))
    say("Unlock once more: the rlock's, the semaphore's", (194, slot(1, 52)), (194, slot(1, 53)))
    say("SyncState of the queue", (195, slot(1, 50)))
    say("Notify without the lock", (201, slot(1, 54) + number(3, 1)))
    say("ConditionWait without the lock", (200, slot(1, 54) + signed(3, -1)))
    say("Acquire the condition, wait as one thread, acquire, notify and unlock as another", (193, slot(1, 54) + number(2, 1)),
        (200, slot(1, 54) + number(2, 1) + signed(3, -1)), (193, slot(1, 54) + number(2, 2)),
        (201, slot(1, 54) + number(2, 2) + number(4, 1)), (194, slot(1, 54) + number(2, 2)))
    say("EventWait, in vain", (204, slot(1, 55)))
    say("EventWait, and the EventSet that ends it", (204, slot(1, 55) + signed(3, -1)), (202, slot(1, 55)))
    say("EventClear", (203, slot(1, 55)))
    say("BarrierWait of both", (205, slot(1, 56) + signed(3, -1)), (205, slot(1, 56) + number(2, 1) + signed(3, -1)))
    say("BarrierAbort", (207, slot(1, 56)))
    say("BarrierWait of a broken one", (205, slot(1, 56) + signed(3, -1)))
    say("BarrierReset", (206, slot(1, 56)))


def batches_and_watching():
    create(60, [])
    say("a batch: Begin, Append, Length, Commit", (4, b""), (28, slot(1, 60) + value(2, 1)), (23, slot(1, 60)), (5, b""))
    say("a batch that fails", (4, b""), (28, slot(1, 60) + value(2, 1)), (24, slot(1, 60) + value(2, 9)), (5, b""))
    say("a batch that is discarded", (4, b""), (28, slot(1, 60) + value(2, 1)), (6, b""))
    say("what may not be in a batch, and Commit", (4, b""), (46, slot(1, 60)), (5, b""))
    say("Check: a name is not bound", (4, b""), (7, blob(4, b"nobody")), (5, b""))
    say("Check outside of a batch", (7, blob(4, b"nobody")))
    say("Subscribe to a name", (70, blob(3, b"watched")))
    say("Unsubscribe", (71, number(1, last_id)))
    say("Unsubscribe again", (71, number(1, last_id - 1)))
    say("Bind, TimeToLive, Expire", (66, blob(2, b"short") + value(3, 1)), (73, blob(2, b"short")), (72, blob(2, b"nobody") + number(3, 5)))
    say("CreateBuffer, WriteBuffer", (80, number(1, 16) + slot(2, 61)), (81, slot(1, 61) + number(2, 4) + blob(3, b"bytes")))
    say("GetBuffer before it is sealed", (83, slot(1, 61)))
    say("WriteBuffer beyond its end", (81, slot(1, 61) + number(2, 14) + blob(3, b"bytes")))


def bulk():
    create(1, {"a": 1, "b": "two", "c": [3], "d": 4.5, "e": None, "f": {}})
    create(2, [10, 20, [30], b"forty", 2 ** 80])
    create(3, 7)

    def get_many(comment, which, keys, more=b""):
        say("GetMany " + comment, (225, slot(1, which) + blob(2, tree_of(keys)) + more))

    def tree_of(keys):
        out = Literal()
        for key in keys:
            tree(out, key)
        return out.pack()

    get_many("of a dict, plain ones", 1, ["b", "a", "e", "a"])
    get_many("of a dict, with slots for what is not plain", 1, ["c", "a", "f"], slot(3, 10) + number(4, 2))
    say("Length of both", (23, slot(1, 10)), (23, slot(1, 11)))
    get_many("that ends where slots do", 1, ["a", "c", "f", "d"], slot(3, 12) + number(4, 1))
    get_many("of what is no plain value, without slots", 1, ["a", "c"])
    get_many("of what is missing", 1, ["a", "z"])
    get_many("of what is missing, with a value instead", 1, ["a", "z", "y"], value(6, False))
    get_many("of no keys", 1, [])
    get_many("of a list", 2, [0, -1, 3, 1])
    get_many("of a list, out of range", 2, [0, 5])
    get_many("of a list by a str", 2, ["a"])
    get_many("with a key that is a container", 1, [[1]])
    get_many("that ends by its bytes", 1, ["b"] * 8, number(5, 16))
    get_many("into slots that are taken", 1, ["c"], slot(3, 10) + number(4, 1))
    get_many("of a slot that holds nothing", 40, ["a"])


CONVERSATIONS = {"methods": (sequences, containers, coordination, batches_and_watching), "bulk": (bulk,)}


def main():
    say("Hello", (1, number(1, 1) + number(2, 1) + blob(4, b"golden")))
    for part_of_it in CONVERSATIONS[sys.argv[1] if len(sys.argv) > 1 else "methods"]:
        part_of_it()
    say("Goodbye", (2, b""))


if __name__ == "__main__":
    main()
