"""What the C programs of this folder measure, of CPython: its collector, its objects, its allocator.

    cpython.py collect COUNT sequential|random full|young
    cpython.py drop COUNT
    cpython.py elements COUNT ints|strings|dict|instances
    cpython.py malloc MODULE speed|rss OBJECTS PAIRS|SIZE      MODULE: malloc.c as a shared object
"""

import ctypes
import gc
import os
import random
import sys
from time import thread_time as now

REPEATS = 3
YOUNG_REPEATS = 200
YOUNG_SURVIVORS = 700


class Node:
    def __init__(self, a, b, c):
        self.a = a
        self.b = b
        self.c = c


def row(label, value, unit):
    print(f"{label}\t{value:.4f}\t{unit}", flush=True)


def rss_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def make_graph(count, sequential):
    """Lists, dicts and instances by turns, each with three references to objects before it, as graph.c has it."""
    everything = []
    draw = random.Random(20240229).random
    for i in range(count):
        if sequential:
            a, b, c = (everything[i - k] if i >= k else everything for k in (1, 2, 3))
        elif i:
            a, b, c = everything[int(draw() * i)], everything[int(draw() * i)], everything[int(draw() * i)]
        else:
            a = b = c = everything
        turn = i % 3
        everything.append([a, b, c] if turn == 0 else {"a": a, "b": b, "c": c} if turn == 1 else Node(a, b, c))
    return everything


def collect(count, order, what):
    everything = make_graph(int(count), order == "sequential")
    gc.collect()
    if what == "full":
        for _ in range(REPEATS):
            start = now()
            gc.collect()
            row("full", (now() - start) * 1e9 / len(everything), "ns")
        return
    for _ in range(YOUNG_REPEATS):
        keep = [[] for _ in range(YOUNG_SURVIVORS)]
        start = now()
        gc.collect(0)
        row("young", (now() - start) * 1e6, "us")
        del keep


def drop(count):
    for _ in range(REPEATS):
        everything = [[None, None] for _ in range(int(count))]
        random.shuffle(everything)
        start = now()
        del everything
        row("drop", (now() - start) * 1e9 / int(count), "ns")


def elements(count, shape):
    numbers = range(int(count))
    before = rss_bytes()
    if shape == "ints":
        everything = [i + 1000 for i in numbers]
    elif shape == "strings":
        everything = [f"{i:010d}" for i in numbers]
    elif shape == "dict":
        everything = {f"{i:010d}": i + 1000 for i in numbers}
    else:
        everything = [Node(i + 1000, None, True) for i in numbers]
    row("rss", (rss_bytes() - before) / len(everything), "bytes")


def malloc(module, *arguments):
    words = [b"bench_malloc", *(argument.encode() for argument in arguments)]
    # Loaded so that the interpreter's lock is held, as its allocator wants it.
    ctypes.PyDLL(module).bench_run(len(words), (ctypes.c_char_p * len(words))(*words))


if __name__ == "__main__":
    gc.disable()
    {"collect": collect, "drop": drop, "elements": elements, "malloc": malloc}[sys.argv[1]](*sys.argv[2:])
    sys.stdout.flush()
    os._exit(0)  # taking it all apart would take longer than measuring it
