#!/usr/bin/env python3
"""Drives heapctl against a real daemon, and compares documents with what Python's json makes of them.

Usage: roundtrip.py HEAPD HEAPCTL --shapes PROGRAM [--seed N] [--only PATTERN]

Starts its own daemon in a folder of its own, imports and exports every file of
iso-codes and many awkward documents, and provokes the errors that users meet.
Prints the seed of what is random; exits with 1 if anything differs.
"""
import argparse
import glob
import json
import math
import os
import pty
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

ISO_CODES = "/usr/share/iso-codes/json"
DEADLINE_S = 30

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)


class Difference(Exception):
    pass


def check(condition, *what):
    if not condition:
        raise Difference(" ".join(str(part) for part in what))


class Daemon:
    """A heapd of this test's own; usable as soon as start() returns."""

    def __init__(self, program, folder):
        self.program = program
        self.address = "unix:" + os.path.join(folder, "heapd.sock")
        self.log = os.path.join(folder, "heapd.log")
        self.process = None

    def start(self):
        environment = {key: value for key, value in os.environ.items() if key not in ("NOTIFY_SOCKET", "LISTEN_FDS")}
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([self.program, "--listen", self.address], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(self.address[5:])
                    return
                except OSError:
                    pass
            check(self.process.poll() is None, "the daemon ended early:", self.read_log())
            check(time.monotonic() < deadline, "the daemon does not answer:", self.read_log())
            time.sleep(0.01)

    def read_log(self):
        with open(self.log) as log:
            return log.read()[-4000:]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Difference("the daemon did not end on SIGTERM")
        return self.process.returncode if self.process else 0


class Tool:
    def __init__(self, program, address):
        self.program = program
        self.address = address

    def run(self, *arguments, data=None, address=None):
        environment = dict(os.environ, HEAPD_ADDRESS=address or self.address, LC_ALL="C.UTF-8")
        return subprocess.run([self.program, *arguments], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment, timeout=300)

    def ok(self, *arguments, data=None):
        result = self.run(*arguments, data=data)
        check(result.returncode == 0, "heapctl", *arguments, "gave", result.returncode, result.stderr.decode())
        check(result.stderr == b"", "heapctl", *arguments, "said on stderr:", result.stderr.decode())
        return result.stdout

    def json(self, *arguments, data=None):
        return json.loads(self.ok(*arguments, "--json", data=data))

    def fails(self, status, pattern, *arguments, data=None, address=None):
        result = self.run(*arguments, data=data, address=address)
        message = result.stderr.decode()
        check(result.returncode == status, "heapctl", *arguments, "gave", result.returncode, "not", status, message)
        check(re.search(pattern, message), "heapctl", *arguments, "said", repr(message), "not", pattern)
        check(message.startswith("heapctl: "), repr(message))
        check("\n" not in message.strip() or status == 2, "more than one line:", repr(message))
        check(result.stdout == b"", "a failure printed", result.stdout[:200])


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        check(time.monotonic() < deadline, "not in time:", what)
        time.sleep(0.02)


def object_count_name(stats):
    """The number that tells how many objects live."""
    return next(name for name in stats if re.fullmatch(r"(heap_)?(live_)?objects?(_live)?(_count)?", name))


def pairs(items):
    """A dict as its pairs, so that the order counts; of a key given twice the last value, at the first position."""
    return ("dict", list(dict(items).items()))


def parse(text):
    return json.loads(text, object_pairs_hook=pairs)


def same(left, right):
    """Equality that tells 1 from 1.0 and from True, and -0.0 from 0.0; without recursion."""
    stack = [(left, right)]
    while stack:
        a, b = stack.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, (list, tuple)):
            if len(a) != len(b):
                return False
            stack.extend(zip(a, b))
        elif isinstance(a, float):
            if struct.pack("d", a) != struct.pack("d", b):
                return False
        elif a != b:
            return False
    return True


class Suite:
    def __init__(self, daemon, tool, shapes, folder, seed):
        self.daemon = daemon
        self.shapes = shapes
        self.tool = tool
        self.folder = folder
        self.random = random.Random(seed)
        self.info = tool.json("ping")

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return path

    def round_trip(self, text, *export_options):
        """text: bytes or str of one JSON document."""
        data = text if isinstance(text, bytes) else text.encode()
        self.tool.ok("import", "doc", self.file("in.json", data), "--quiet")
        out = self.tool.ok("export", "doc", *export_options)
        check(same(parse(out), parse(data)), "differs:", data[:300], "...", out[:300])
        return out

    def value(self, document):
        return self.round_trip(json.dumps(document, ensure_ascii=False))

    # Documents

    def test_iso_codes(self):
        files = sorted(glob.glob(ISO_CODES + "/*.json"))
        check(files, "no files in", ISO_CODES)
        for path in files:
            with open(path, "rb") as source:
                data = source.read()
            out = self.round_trip(data)
            back = os.path.join(self.folder, "back.json")
            self.tool.ok("export", "doc", back, "--compact", "--ascii")
            with open(back, "rb") as source:
                text = source.read()
            check(same(parse(text), parse(data)), path)
            check(text.isascii() and text.count(b"\n") == 1, path, "is not compact ASCII")
            check(out.count(b"\n") > 1, path, "is not indented")

    def test_top_level_scalars(self):
        for text in ("null", "true", "false", "0", "-0", "7", "-1", "9223372036854775807", "-9223372036854775808",
                     "9223372036854775808", "-9223372036854775809", "1.0", "-0.0", '""', '"x"', '"a long string here"',
                     "[]", "{}", "  [ ]  ", "\n1\n"):
            self.round_trip(text)

    def test_integers_of_any_size(self):
        values = [sign * (1 << bits) + delta for bits in (6, 7, 8, 30, 31, 32, 53, 59, 60, 61, 62, 63, 64, 65, 71, 72,
                                                          127, 128, 1000) for delta in (-1, 0, 1) for sign in (1, -1)]
        self.value(values)
        self.value({str(value): value for value in values})
        big = self.random.getrandbits(200000)
        self.value([big, -big])
        self.value(big)

    def test_random_integers(self):
        self.value([self.random.getrandbits(self.random.randrange(1, 300)) * self.random.choice((1, -1))
                    for _ in range(5000)])

    def test_floats(self):
        edges = [0.0, -0.0, 1.0, -1.0, 0.1, 1e15, 1e16, 1e17, 1e22, 1e23, 123456789012345680.0, 5e-324, 1e-320,
                 2.2250738585072014e-308, 1.7976931348623157e308, 4503599627370496.5, 9007199254740993.0, 0.3, 2 / 3,
                 1e-7, 1e-5, 1e100]
        self.value(edges + [-value for value in edges])
        self.round_trip("[1e5, 1E5, 1e+5, 1E-5, 1.5e3, -0e0, 0e10, 1.0000000000000000000000001, 1e-999]")
        values = []
        while len(values) < 5000:
            value = struct.unpack("d", self.random.randbytes(8))[0]
            if math.isfinite(value):
                values.append(value)
        self.value(values)

    def test_text(self):
        self.value(["", "\0", "a\0b", "\0\0", "ä", "€", "😀", "\u2028\u2029", "\x7f\x80\xa0", "\ufeff", "\uffff", "\U0010ffff",
                    '"\\/\b\f\n\r\t', "".join(map(chr, range(32))), "é" * 3, "7 bytes", "8 bytes!", "e\u0301"])
        self.round_trip(r'["\ud83d\ude00", "\u00e4\u0000\u20ac", "\/", "\uD83D\uDE00x\\ud800"]')
        self.round_trip(r'["\ud83d\ude00\\\"\ud83d\ude00"]', "--ascii")
        self.value({"": "", "\0": 1, "a.b": 2, "[0]": 3, " ": 4, "ключ": 5, "😀": 6})

    def test_long_strings(self):
        for size in (65535, 65536, 65537, 262144, 300000, 2000000):
            self.value(["ä" * (size // 2), "x" * size, size])
            self.value("y" * size)
            self.value({"k" * size: "v"})
        self.value(["before" * 10000, "x" * (self.info["max_frame_bytes"] - 300000), "after"])

    def test_awkward_strings_at_every_chunk_edge(self):
        for offset in range(0, 24):
            text = '["' + "x" * (262144 - 30 + offset) + r'\ud83d\ude00\u00e4😀", -12345678901234567890.5e-3, true]'
            self.round_trip(text)

    def test_big_arrays(self):
        self.value(list(range(-300000, 300000)))
        self.value([[] for _ in range(100000)])
        self.value([{"id": i, "name": "name %d" % i} for i in range(50000)])
        self.value({"key %d" % i: [i] for i in range(100000)})

    def test_nesting_up_to_the_limit(self):
        depth = self.info["max_depth"]
        check(depth >= 100, "max_depth is", depth)
        for opening, middle, closing in (("[", "1", "]"), ('{"a":', "1", "}"), ('[{"a":', "[]", "}]")):
            levels = depth // len(re.findall(r"[\[{]", opening)) - (middle == "[]")
            text = opening * levels + middle + closing * levels
            self.tool.ok("import", "deep", "-", "--quiet", data=text.encode())
            out = self.tool.ok("export", "deep", "--compact")
            check(out.decode().strip() == text, "nested", levels)
        too_deep = "[" * (depth + 1) + "]" * (depth + 1)
        self.tool.fails(1, "INVALID_ARGUMENT: .*line 1, column %d: nested deeper" % (depth + 1), "import", "deep", "-",
                        data=too_deep.encode())

    def test_open_containers_across_chunks(self):
        filler = ["f" * 1000] * 300
        document = {"z": 1, "a": [filler, {"k": filler, "l": [1, filler, [[filler], 2]], "m": {}}], "b": filler, "c": 3}
        self.value(document)
        deep = document
        for level in range(50):
            deep = {"before": filler[:40], "in": [level, deep, level], "after": filler[:40]}
        self.value(deep)

    def test_a_key_given_twice(self):
        self.round_trip('{"a": 1, "b": 2, "a": 3}')
        self.round_trip('{"a": [1], "b": {}, "a": {"x": 1, "x": 2}, "a": null, "b": [2]}')
        long = '"' + "x" * 300000 + '"'
        self.round_trip('{"a": [%s, 1], "b": %s, "a": [2, %s], "c": 0, "b": 1}' % (long, long, long))

    def random_document(self, budget):
        choice = self.random.random()
        if budget <= 0 or choice < 0.5:
            return self.random.choice((None, True, False, self.random.randrange(-100, 100), self.random.random(),
                                       self.random.getrandbits(80), "", "text", "".join(self.random.choices(
                                           "aä€😀\0\"\\\n ", k=self.random.randrange(12)))))
        count = self.random.randrange(0, 8)
        if choice < 0.75:
            return [self.random_document(budget - 1) for _ in range(count)]
        return {"".join(self.random.choices("abcdä\0\". []", k=self.random.randrange(4))): self.random_document(budget - 1)
                for _ in range(count)}

    def test_random_documents(self):
        for _ in range(60):
            document = [self.random_document(6) for _ in range(self.random.randrange(1, 40))]
            text = json.dumps(document, ensure_ascii=self.random.random() < 0.5,
                              indent=self.random.choice((None, 0, 1, 4)))
            self.round_trip(text, *self.random.choice((["--compact"], ["--indent", "0"], ["--indent=7"], ["--ascii"], [])))

    def test_import_again_replaces(self):
        self.value([1])
        self.value({"b": 2})
        check(self.tool.json("get", "doc") == {"b": 2}, "not replaced")

    # Paths, one value at a time

    def test_paths(self):
        countries = os.path.join(ISO_CODES, "iso_3166-1.json")
        self.tool.ok("import", "countries", countries, "--quiet")
        with open(countries) as source:
            expected = json.load(source)
        for path, value in (('countries["3166-1"][0].name', expected["3166-1"][0]["name"]),
                            ("countries.3166-1[-1]", expected["3166-1"][-1]),
                            ('"countries"."3166-1"[5]["alpha_2"]', expected["3166-1"][5]["alpha_2"])):
            check(self.tool.json("get", path) == value, path)
        check(self.tool.ok("get", 'countries["3166-1"][0].alpha_3', "--raw") ==
              expected["3166-1"][0]["alpha_3"].encode() + b"\n", "raw")
        self.tool.fails(4, "NOT_FOUND", "get", "countries.nothing")
        self.tool.fails(4, "NOT_FOUND", "get", 'countries["3166-1"][0]["nothing"]')
        self.tool.fails(4, "OUT_OF_RANGE", "get", 'countries["3166-1"][100000]')
        self.tool.fails(1, "INVALID_ARGUMENT", "get", 'countries["3166-1"][0].name.x')
        self.tool.fails(1, "INVALID_ARGUMENT", "get", 'countries["3166-1"]["x"]')

    def test_set_and_del(self):
        self.tool.ok("set", "it", '{"a": [1, 2, 3]}')
        for path, text in (("it.a[0]", "-5"), ("it.a[-1]", '{"deep": [null]}'), ("it.b", '"ü"'), ("it.a[1]", "1e2"),
                           ("it.big", str(10 ** 40)), ('it["odd key"]', "[]")):
            self.tool.ok("set", path, text)
            check(same(parse(self.tool.ok("get", path)), parse(text)), path)
        check(self.tool.json("get", "it") == {"a": [-5, 100.0, {"deep": [None]}], "b": "ü", "big": 10 ** 40, "odd key": []},
              "after set")
        self.tool.ok("del", "it.a[0]")
        self.tool.ok("del", "it.big")
        self.tool.ok("del", 'it."odd key"')
        check(self.tool.json("get", "it") == {"a": [100.0, {"deep": [None]}], "b": "ü"}, "after del")
        self.tool.fails(4, "NOT_FOUND", "del", "it.big")
        self.tool.fails(4, "OUT_OF_RANGE", "del", "it.a[7]")
        self.tool.ok("del", "it")
        self.tool.fails(4, "NOT_FOUND", "get", "it")
        self.tool.fails(4, "NOT_FOUND", "del", "it")
        self.tool.fails(4, "NOT_FOUND", "set", "it.a", "1")
        self.tool.fails(1, "INVALID_ARGUMENT: line 1, column 4", "set", "it", "[1,]")
        self.tool.fails(1, "INVALID_ARGUMENT: line 1, column 1: the text ends", "set", "it", "")
        self.tool.fails(1, "INVALID_ARGUMENT: .*NaN", "set", "it", "NaN")
        self.tool.fails(4, "NOT_FOUND", "get", "it")

    def test_import_into_a_place(self):
        self.tool.ok("set", "box", '{"list": [0]}')
        self.tool.ok("import", "box.list[0]", self.file("in.json", '{"x": [1.5]}'), "-q")
        self.tool.ok("import", "box.more", "-", "-q", data=b"[2]")
        check(self.tool.json("get", "box") == {"list": [{"x": [1.5]}], "more": [2]}, "import into a place")
        check(self.tool.json("export", "box.list") == [{"x": [1.5]}], "export from a place")

    def test_ls(self):
        for name in ("ls.one", "ls two", "ls_3"):
            self.tool.ok("set", json.dumps(name), "[1, 2]")
        self.tool.ok("set", "ls_text", '"ten letters"')
        listed = {entry["key"]: entry for entry in self.tool.json("ls", "ls")}
        check(list(listed) == ["ls.one", "ls two", "ls_3", "ls_text"], list(listed))
        check(listed["ls_3"]["type"] == "list" and listed["ls_3"]["length"] == 2 and listed["ls_3"]["identity"], listed)
        check(listed["ls_text"]["type"] == "str" and listed["ls_text"]["length"] == 11, listed)
        check(b'"ls two"' in self.tool.ok("ls"), "odd names are quoted")
        check(self.tool.json("ls", "nothing begins so") == [], "an empty list")
        self.tool.ok("set", "tree", '{"a": {"x": 1}, "b": [1, [2], 3], "c": "text", "d": null, "e": 1.5, "f": true}')
        listed = self.tool.json("ls", "-l", "tree")
        check([(entry["key"], entry["type"], entry.get("length")) for entry in listed] ==
              [("a", "dict", 1), ("b", "list", 3), ("c", "str", 4), ("d", "none", None), ("e", "float", None),
               ("f", "bool", None)], listed)
        check([(entry["key"], entry["type"]) for entry in self.tool.json("ls", "tree.b")] ==
              [(0, "int"), (1, "list"), (2, "int")], "ls of a list")
        self.tool.fails(1, "INVALID_ARGUMENT", "ls", "tree.c")
        self.tool.fails(4, "NOT_FOUND", "ls", "tree.nothing")

    def test_many_names(self):
        names = ["many%05d" % i for i in range(150)]
        for name in names:
            self.tool.ok("set", name, "1")
        check([entry["key"] for entry in self.tool.json("ls", "many")] == names, "all names, in order")

    def test_inspect(self):
        self.tool.ok("set", "seen", '[1, {"a": "a text that is long enough to be an object"}]')
        info = self.tool.json("inspect", "seen")
        check(info["type"] == "list" and info["length"] == 2 and info["references"] == 1, info)
        check(info["tracked"] and info["generation"] in (0, 1, 2) and info["shallow_bytes"] > 0, info)
        check(info["identity"] == self.tool.json("ls", "seen")[0]["identity"], "the identities differ")
        check(info["identity"] == self.tool.json("inspect", "seen")["identity"], "the identity moves")
        check(self.tool.json("inspect", "seen[1]")["type"] == "dict", "dict")
        check(self.tool.json("inspect", "seen[0]")["type"] == "int", "int")
        check(self.tool.json("inspect", "seen[1].a")["length"] == 42, self.tool.json("inspect", "seen[1].a"))
        check(b"identity" in self.tool.ok("inspect", "seen"), "for people")

    # The daemon

    def test_gc(self):
        self.tool.ok("gc", "disable")
        check(self.tool.json("gc", "stats")["enabled"] is False, "disabled")
        self.tool.ok("gc", "enable")
        check(self.tool.json("gc", "stats")["enabled"] is True, "enabled")
        check(self.tool.json("gc", "threshold") == {"thresholds": [700, 10, 10]}, self.tool.json("gc", "threshold"))
        check(self.tool.json("gc", "threshold", "500", "9") == {"thresholds": [500, 9, 10]}, "set two")
        check(self.tool.ok("gc", "threshold") == b"500 9 10\n", "for people")
        self.tool.ok("gc", "threshold", "700", "10", "10")
        check(len(self.tool.json("gc", "count")["counts"]) == 3, "counts")
        before = self.tool.json("gc", "stats")["generations"][2]["collections"]
        found = self.tool.json("gc", "collect")
        check(found["unreachable"] == sum(found["unreachable_by_generation"]), found)
        check(self.tool.json("gc", "stats")["generations"][2]["collections"] == before + 1, "one more collection")
        for generation in ("0", "1", "2"):
            check(b"unreachable objects found" in self.tool.ok("gc", "collect", generation), generation)
        self.tool.fails(2, "INVALID_ARGUMENT: the generation", "gc", "collect", "3")
        self.tool.fails(2, "INVALID_ARGUMENT: a dry run is of all generations", "gc", "collect", "0", "--dry-run")
        self.tool.fails(2, "does not take --dry-run", "gc", "stats", "--dry-run")
        self.tool.fails(2, "INVALID_ARGUMENT: a threshold", "gc", "threshold", "-1")

    def test_stats_and_sessions(self):
        stats = self.tool.json("stats")
        check(len(stats) > 5 and all(isinstance(value, int) for value in stats.values()), stats)
        check(len(self.tool.ok("stats").splitlines()) == len(stats), "for people")
        sessions = self.tool.json("session", "list")
        own = [session for session in sessions if session["self"]]
        check(len(own) == 1 and own[0]["client_name"] == "heapctl" and own[0]["uid"] == os.getuid(), sessions)
        check(b"(this one)" in self.tool.ok("session", "list"), "for people")
        self.tool.fails(4, "NOT_FOUND", "session", "kill", "123456789")

    def test_nothing_is_left_behind(self):
        self.tool.ok("import", "left", "-", "-q", data=json.dumps([[i, "text %d of the list" % i] for i in range(5000)]).encode())
        self.tool.ok("del", "left")
        self.tool.ok("gc", "collect")
        key = object_count_name(self.tool.json("stats"))
        before = self.tool.json("stats")[key]
        bad = b'[' + b'[1, "a text of more than seven bytes"], ' * 50000 + b'x]'
        self.tool.fails(1, "line 1, column", "import", "left", "-", data=bad)
        self.tool.fails(4, "NOT_FOUND", "get", "left")
        wait_until(lambda: self.tool.json("stats")[key] <= before, "what was built is released")

    def test_memory(self):
        self.tool.ok("import", "rows", "-", data=json.dumps([{"number": i, "text": "x" * 20} for i in range(5000)]).encode())
        memory = self.tool.json("memory")
        check(memory["limit_bytes"] is None, "no limit", memory["limit_bytes"])
        check(memory["used_bytes"] == memory["objects_mapped_bytes"] + memory["table_bytes"] + memory["bookkeeping_bytes"],
              "the parts are the whole")
        check(memory["objects_live_count"] > 10000, memory["objects_live_count"])
        check(sum(row["pools_full"] for row in memory["classes"]) == memory["pools_full_count"], "full pools")
        for row in memory["classes"]:
            check(row["live_blocks"] <= (row["pools_used"] + row["pools_full"]) * row["blocks_per_pool"], row)
        check([row["threshold"] for row in memory["generations"]] == [700, 10, 10], memory["generations"])
        kinds = [row["name"] for row in memory["histograms"]]
        check(kinds == ["young", "full", "free", "compact", "other", "request", "relief"], kinds)
        for row in memory["histograms"]:
            check(sum(row["buckets"]) == row["count"], row)
            check(row["p50_ns"] <= row["p99_ns"] <= row["p999_ns"] <= row["max_ns"], row)
        check(memory["histograms"][0]["count"] > 0, "5000 dicts without a young collection")
        shown = self.tool.ok("memory").decode()
        for word in ("memory ", "fragmentation ", "waste ", "BLOCK", "GENERATION", "frozen", "SLICES", "SHORTER"):
            check("\n" + word in "\n" + shown or word in shown, word, "is not in", shown)
        check(re.search(r"^ +\d+ +\d+ +\d+ +\d+ +[\d.]+ [KM]?i?B  [#.]{20} +[\d.]+%$", shown, re.M), shown)

    def test_freeze_and_compact(self):
        self.tool.ok("import", "kept", "-", data=json.dumps([[i] for i in range(3000)]).encode())
        frozen = self.tool.json("gc", "freeze")["frozen"]
        check(frozen >= 3000, "frozen", frozen)
        check(self.tool.json("memory")["frozen_count"] == frozen, "shown")
        check(self.tool.ok("gc", "unfreeze") == b"0 objects are frozen\n", "unfrozen")
        self.tool.ok("import", "holes", "-", data=json.dumps([["%024d" % i] for i in range(60000)]).encode())
        self.tool.ok("del", "holes")
        done = self.tool.json("gc", "compact")
        check(sorted(done) == ["moved_bytes", "moved_count", "released_bytes"], done)
        check(b" bytes given back\n" in self.tool.ok("gc", "compact"), "for people")
        check(self.tool.ok("gc", "compact", "--quiet") == b"", "quiet")
        check(self.tool.json("memory")["compactions_count"] >= 3, "counted")
        check(self.tool.json("get", "kept[2999]") == [2999], "what was moved is as it was")

    # What JSON cannot make

    def test_shapes(self):
        self.tool.ok("gc", "collect")
        self.tool.ok("gc", "disable")
        subprocess.run([self.shapes, self.daemon.address], check=True, timeout=60)
        for _ in range(2):
            found = self.tool.json("gc", "collect", "--dry-run")
            check(found["unreachable"] == 200 and found["unreachable_bytes"] >= 200 * 16, "dry run", found)
        check(b"200 unreachable objects found, " in self.tool.ok("gc", "collect", "-n"), "dry run for people")
        found = self.tool.json("gc", "collect")
        self.tool.ok("gc", "enable")
        check(found["unreachable"] == 200 and found["unreachable_by_generation"] == [200, 0, 0], found)
        check(self.tool.json("gc", "collect")["unreachable"] == 0, "found twice")

        check(self.tool.json("get", "shape_tuple") == [1, ["only"], []], "tuple")
        check(self.tool.json("get", "shape_keys") == {"-3": "int", "null": "none", "2.5": "float"}, "keys")
        check(self.tool.json("get", "shape_keys[-3]") == "int", "an integer key")
        check(self.tool.json("export", "shape_instance") == {"x": 1, "tags": []}, "instance")
        self.tool.ok("set", "shape_instance.x", "2")
        self.tool.ok("set", "shape_instance.y", "[]")
        self.tool.ok("del", "shape_instance.tags")
        check(self.tool.json("get", "shape_instance") == {"x": 2, "y": []}, "attributes")
        self.tool.fails(4, "NOT_FOUND", "get", "shape_instance.tags")
        info = self.tool.json("inspect", "shape_instance")
        check(info["type"] == "instance" and info["class"] == "Point" and info["length"] == 2, info)
        info = self.tool.json("inspect", "shape_class")
        check(info["type"] == "class" and info["class"] == "Point", info)

        once = [1]
        levels = [once]
        for _ in range(5):
            levels.append([levels[-1], levels[-1]])
        check(self.tool.json("get", "shape_shared") == levels, "shared parts are written again")
        check(json.loads(self.tool.ok("export", "shape_shared", "--indent", "3")) == levels, "indented, too")
        check(self.tool.json("inspect", "shape_shared[0]")["references"] == 3, "referred to from three places")

        check(self.tool.json("get", "shape_bytes", "--bytes=base64") == "AP8Q", "base64")
        check(self.tool.ok("get", "shape_bytes", "--raw") == b"\0\xff\x10\n", "raw")
        for name, pattern in (("shape_bytes", "shape_bytes: bytes have no form"),
                              ("shape_bytes_inside", r"shape_bytes_inside\[0\]\.in: bytes have no form"),
                              ("shape_nan", "shape_nan: NaN has no form"),
                              ("shape_infinity", r"shape_infinity\[2\]: infinity has no form"),
                              ("shape_tuple_key", "a key that is a container"),
                              ("shape_cycle", r'shape_cycle\[1\]\."up there": .*cycle')):
            self.tool.fails(1, "INVALID_ARGUMENT: .*" + pattern, "get", name)
            target = os.path.join(self.folder, "shape.json")
            self.tool.fails(1, pattern, "export", name, target)
            check(not os.path.exists(target), "a refused export left", target)
        check([entry["type"] for entry in self.tool.json("ls", "-l", "shape_cycle")] == ["int", "dict"], "ls of a cycle")
        check(self.tool.json("ls", "shape_cycle[1]")[0]["type"] == "list", "ls inside a cycle")

    def test_export_while_it_changes(self):
        """A document that someone keeps changing comes out whole, or not at all and as ABORTED."""
        self.tool.ok("import", "moving", "-", "-q", data=json.dumps([["text %d of many" % i] for i in range(200000)] + [0]).encode())
        churn = subprocess.Popen([self.shapes, self.daemon.address, "churn", "moving"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        try:
            check(churn.stdout.readline() == b"ready\n", "churn did not begin")
            target = os.path.join(self.folder, "moving.json")
            for _ in range(3):
                result = self.tool.run("export", "moving", target, "-q")
                check(result.returncode in (0, 6), result)
                if result.returncode == 6:
                    check(result.stderr.startswith(b"heapctl: ABORTED: "), result)
                    check(not os.path.exists(target), "half a document")
                else:
                    with open(target) as source:
                        check(len(json.load(source)) == 200001, "not whole")
                    os.unlink(target)
                check(not [name for name in os.listdir(self.folder) if name.startswith("moving.json.")], "a temporary file")
        finally:
            churn.stdin.close()
            check(churn.wait(DEADLINE_S) == 0, "churn failed")
            churn.stdout.close()

    def test_an_interrupted_import_leaves_nothing(self):
        self.tool.ok("gc", "collect")
        before = self.tool.json("stats")
        importing = subprocess.Popen([self.tool.program, "import", "cut", "-", "-q"], stdin=subprocess.PIPE,
                                     env=dict(os.environ, HEAPD_ADDRESS=self.tool.address))
        chunk = b"".join(b'[%d, "a text of more than seven bytes"],' % i for i in range(20000))
        importing.stdin.write(b"[" + chunk)
        importing.stdin.flush()
        key = object_count_name(before)
        wait_until(lambda: self.tool.json("stats")[key] > before[key] + 1000, "the import shows in " + key)
        importing.kill()
        importing.wait()
        importing.stdin.close()
        wait_until(lambda: self.tool.json("stats")[key] <= before[key], "what was built is released")
        self.tool.fails(4, "NOT_FOUND", "get", "cut")

    def test_progress(self):
        """A line on a terminal while it lasts; nothing elsewhere (ok() checks that)."""
        leader, follower = pty.openpty()
        importing = subprocess.Popen([self.tool.program, "import", "shown", "-"], stdin=subprocess.PIPE, stderr=follower,
                                     stdout=subprocess.DEVNULL, env=dict(os.environ, HEAPD_ADDRESS=self.tool.address))
        os.close(follower)
        shown = b""
        importing.stdin.write(b"[0")
        deadline = time.monotonic() + DEADLINE_S
        while b"MB" not in shown and time.monotonic() < deadline:
            importing.stdin.write(b", 1" * 100000)
            importing.stdin.flush()
            if select.select([leader], [], [], 0.01)[0]:
                shown += os.read(leader, 4096)
        importing.stdin.write(b"]")
        importing.stdin.close()
        check(importing.wait(DEADLINE_S) == 0, "import failed")
        shown += os.read(leader, 65536)
        os.close(leader)
        check(b"shown: " in shown and b" MB" in shown and shown.endswith(b"\r\x1b[K"), shown[-100:])

    def test_concurrent_imports(self):
        text = json.dumps([{"n": i, "text": "number %d" % i} for i in range(30000)])
        path = self.file("many.json", text)
        tools = [subprocess.Popen([self.tool.program, "import", "at_once_%d" % i, path, "-q"],
                                  env=dict(os.environ, HEAPD_ADDRESS=self.tool.address)) for i in range(6)]
        for tool in tools:
            check(tool.wait(DEADLINE_S) == 0, "an import failed")
        for i in range(6):
            check(same(parse(self.tool.ok("export", "at_once_%d" % i)), parse(text)), "differs", i)
            self.tool.ok("del", "at_once_%d" % i)

    # Errors

    def test_syntax_errors(self):
        for text, where in (("[1,\n 2,\n]", "line 3, column 1"), ('{"a": 1,}', "line 1, column 9"), ("[1 2]", "line 1, column 4"),
                            ("", "line 1, column 1: the text ends too early"), ("[\n[\n", "line 3, column 1"),
                            ("[NaN]", "line 1, column 2: NaN"), ("[1, -Infinity]", "line 1, column 6: NaN and Inf"),
                            ("[1] x", "line 1, column 5"), ('["\\ud800"]', "line 1, column 3: half of a surrogate"),
                            ('["ä", "\\udc00x"]', "line 1, column 8: half of a surrogate"),
                            ("[1e400]", "line 1, column 2: the number is beyond"), ('["a\tb"]', "line 1, column 4"),
                            ("\n" * 300000 + "[1,\n}", "line 300002, column 1")):
            path = self.file("bad.json", text)
            self.tool.fails(1, "(INVALID_ARGUMENT|OUT_OF_RANGE): .*bad.json: " + re.escape(where), "import", "bad", path)
        self.tool.fails(1, "line 1, column 3: invalid bytes in UTF8", "import", "bad", self.file("bad.json", b'["\xff"]'))
        self.tool.fails(1, "line 1, column 2: .*UTF-8", "import", "bad", self.file("bad.json", b'["\xed\xa0\x80"]'))
        limit = self.info["max_frame_bytes"]
        self.tool.fails(1, "OUT_OF_RANGE: .*line 2, column 1: a string of %d bytes" % limit, "import", "bad",
                        self.file("bad.json", '[\n"' + "x" * limit + '"]'))
        self.tool.fails(1, "standard input: line 1", "import", "bad", "-", data=b"[")
        self.tool.fails(4, "NOT_FOUND", "get", "bad")

    def test_a_failed_import_changes_nothing(self):
        self.tool.ok("set", "kept", "[1, 2]")
        self.tool.fails(1, "line 1", "import", "kept", "-", data=b'["' + b"x" * 1000000 + b'", }')
        check(self.tool.json("get", "kept") == [1, 2], "the old document is gone")

    def test_files(self):
        self.tool.fails(4, "NOT_FOUND: .*nowhere.json: No such file", "import", "x", self.folder + "/nowhere.json")
        self.tool.fails(1, "UNAVAILABLE: .*: Is a directory", "import", "x", self.folder)
        self.tool.ok("set", "x", "[1]")
        self.tool.fails(1, "No such file", "export", "x", self.folder + "/no/folder/x.json")
        target = os.path.join(self.folder, "target.json")
        with open(target, "w") as out:
            out.write("old")
        os.chmod(target, 0o640)
        link = os.path.join(self.folder, "link.json")
        os.symlink(target, link)
        self.tool.fails(4, "NOT_FOUND", "export", "no_such_name", target)
        with open(target) as source:
            check(source.read() == "old", "a failed export changed the file")
        report = self.tool.json("export", "x", link)
        with open(target) as source:
            text = source.read()
        check(json.loads(text) == [1] and report["bytes"] == len(text), "through a link", text, report)
        check(os.path.islink(link) and os.stat(target).st_mode & 0o777 == 0o640, "link and mode stay")
        check(not [name for name in os.listdir(self.folder) if name.startswith("target.json.")], "a temporary file is left")
        self.tool.ok("export", "x", "/dev/null")
        check(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"), "/dev/null was replaced")

    def test_paths_and_usage(self):
        for path in ("", "a.", "a[", "a[x]", ".a", "a b", 'a["x'):
            self.tool.fails(2, "INVALID_ARGUMENT: path, column", "get", path)
        self.tool.fails(2, "INVALID_ARGUMENT: path, column 3", "ls", "-l", "a[")
        self.tool.fails(2, "a command is missing")
        self.tool.fails(2, "there is no command \"dance\"", "dance")
        self.tool.fails(2, "needs another word", "gc")
        self.tool.fails(2, "there is no command \"gc dance\"", "gc", "dance")
        self.tool.fails(2, "wants more", "get")
        self.tool.fails(2, "does not know what to do with", "get", "a", "b")
        self.tool.fails(2, "does not take --indent", "ping", "--indent", "2")
        self.tool.fails(2, "unknown option --jsn", "ping", "--jsn")
        self.tool.fails(2, "INVALID_ARGUMENT", "ping", address="nonsense")

    def test_help(self):
        overview = self.tool.ok("--help").decode()
        commands = ("ping", "import", "export", "get", "set", "del", "ls", "inspect", "gc collect", "gc threshold", "gc count",
                    "gc stats", "gc enable", "gc disable", "gc freeze", "gc unfreeze", "gc compact", "memory", "stats", "locks", "session list", "session kill", "shutdown")
        for command in commands:
            check("  " + command in overview, command, "is not in --help")
            text = self.tool.ok(*command.split(), "--help").decode()
            check(text.startswith("Usage: heapctl " + command) and "--json" in text, text)
        check(self.tool.ok("--version").startswith(b"heapctl "), "version")

    def test_no_daemon(self):
        nobody = "unix:" + os.path.join(self.folder, "nobody.sock")
        self.tool.fails(3, "UNAVAILABLE: ", "ping", address=nobody)
        self.tool.fails(3, "UNAVAILABLE: ", "get", "x", "--address", nobody)
        stale = os.path.join(self.folder, "stale.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(stale)
        self.tool.fails(3, "UNAVAILABLE: ", "ping", address="unix:" + stale)

    def test_zz_shutdown(self):
        self.tool.ok("shutdown")
        check(self.daemon.process.wait(DEADLINE_S) == 0, "the daemon ended with", self.daemon.process.returncode)
        self.tool.fails(3, "UNAVAILABLE: ", "ping")
        self.daemon.start()
        check(self.tool.json("ls") == [], "a new daemon is empty")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("heapd")
    parser.add_argument("heapctl")
    parser.add_argument("--shapes", required=True, help="the program of shapes.c")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("HEAPD_TEST_SEED", time.time_ns() % 1000000)))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print("seed", options.seed, flush=True)
    folder = tempfile.mkdtemp(prefix="heapctl-test-")
    daemon = Daemon(options.heapd, folder)
    failures = 0
    try:
        daemon.start()
        suite = Suite(daemon, Tool(options.heapctl, daemon.address), options.shapes, folder, options.seed)
        for name in sorted(name for name in dir(suite) if name.startswith("test_") and options.only in name):
            begin = time.monotonic()
            try:
                getattr(suite, name)()
                print("ok      %-50s %6.2f s" % (name, time.monotonic() - begin), flush=True)
            except Exception as failure:
                failures += 1
                print("FAILED  %-50s %s" % (name, failure), flush=True)
                if not isinstance(failure, Difference):
                    traceback.print_exc()
                if daemon.process.poll() is not None:
                    print("the daemon is gone (%s):\n%s" % (daemon.process.returncode, daemon.read_log()), flush=True)
                    daemon.start()
        status = daemon.stop()
        if status:
            failures += 1
            print("FAILED  the daemon ended with", status, daemon.read_log())
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
