#!/usr/bin/env python3
"""Writes the seed corpora of the fuzz targets: corpus/<target>/*.

Run it again after a change of proto/: files that fuzzing has added are kept,
those that this script made before are replaced. The same schema gives the same
bytes.
"""

import pathlib
import random
import re
import struct

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto" / "heapd" / "v1"


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return varint(value << 1 ^ (-1 if value < 0 else 0))


def tagged(number, wire, payload):
    return varint(number << 3 | wire) + payload


def delimited(number, payload):
    return tagged(number, 2, varint(len(payload)) + payload)


def save(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("seed-" + name)).write_bytes(data)


# frame: a byte that says how to cut, then frames.


def frame(body=b"", method=3, flags=0, descriptors=0, request_id=1, length=None):
    size = len(body) if length is None else length
    return struct.pack("<IHBBQ", size, method, flags, descriptors, request_id) + body


def frame_seeds():
    hello = frame(bytes([8, 1, 16, 1]), method=1, request_id=1)
    chain = b"".join(frame(bytes(range(i)), method=16 + i, request_id=i + 2) for i in range(12))
    yield "empty", b"\x00"
    yield "hello", b"\x00" + hello
    yield "chain", b"\x05" + hello + chain
    yield "flags", b"\x10" + b"".join(frame(b"x", flags=1 << bit, request_id=bit) for bit in range(4))
    yield "unknown-flag", b"\x03" + hello + frame(flags=0x10) + hello
    yield "header-cut", b"\x07" + hello + hello[:11]
    yield "body-cut", b"\x20" + hello + frame(b"abc", length=10)
    yield "largest", b"\x60" + frame(bytes(1000)) + hello
    yield "too-large", b"\x02" + hello + frame(length=1001)
    yield "huge", b"\x02" + frame(length=0xFFFFFFFF)
    yield "descriptors", b"\x0b" + frame(b"fd", descriptors=255, request_id=(1 << 64) - 1)


# literal: a packed heapd.v1.Literal.

KIND = dict(none=1, false=2, true=3, int=4, big_int=5, float=6, str=7, bytes=8, list=9, tuple=10, dict=11, set=12,
            handle=13, shared=14, instance=15)


def literal(*nodes):
    columns = {name: b"" for name in ("kinds", "integers", "reals", "sizes", "data", "counts", "handles", "shared")}
    for name, *content in nodes:
        columns["kinds"] += bytes([KIND.get(name, 99)])
        value = content[0] if content else None
        if name == "int":
            columns["integers"] += zigzag(value)
        elif name == "float":
            columns["reals"] += struct.pack("<d", value)
        elif name in ("str", "bytes", "big_int"):
            columns["sizes"] += varint(len(value))
            columns["data"] += value
        elif name in ("list", "tuple", "dict", "set", "instance"):
            columns["counts"] += varint(value)
        elif name in ("handle", "shared"):
            columns[{"handle": "handles"}.get(name, name)] += varint(value)
    return b"".join(delimited(number, column) for number, column in enumerate(columns.values(), 1) if column)


def literal_seeds():
    yield "empty", b""
    yield "scalars", literal(("none",), ("false",), ("true",), ("int", -5), ("float", 1.5), ("str", b"text"),
                             ("bytes", b"\0\xff"), ("big_int", b"\1" * 9))
    yield "document", literal(("dict", 2), ("str", b"name"), ("str", "Österreich".encode()), ("str", b"codes"),
                              ("list", 3), ("int", 40), ("int", 1 << 40), ("none",))
    yield "instance", literal(("instance", 1), ("handle", 1 << 32 | 7), ("str", b"x"), ("tuple", 1), ("int", 1))
    yield "shared", literal(("list", 3), ("set", 0), ("shared", 1), ("shared", 0))
    yield "nested", literal(*[("list", 1)] * 60, ("none",))
    yield "promises", literal(*[("list", 59 - i) for i in range(60)])
    yield "too-many", literal(("list", 3), ("none",))
    yield "huge-count", literal(("dict", (1 << 63) + 1), ("none",), ("none",))
    yield "unknown-kind", literal(("what",), ("int", 1))
    yield "left-over", literal(("none",)) + delimited(2, zigzag(7))
    yield "size-beyond", delimited(1, bytes([7])) + delimited(4, varint(1 << 62)) + delimited(5, b"abc")
    yield "column-twice", literal(("int", 1)) + literal(("int", 2), ("str", b"x"))
    yield "ints-unpacked", delimited(1, bytes([4, 4])) + tagged(2, 0, zigzag(1)) + tagged(2, 0, zigzag(-1))
    yield "integers", literal(*[("int", value) for value in (0, 1, -1, 63, -64, 64, (1 << 63) - 1, -1 << 63)])


# messages: one example of each message of the schema, every field set, plus what a decoder may stumble over.

FIELD = re.compile(r"(repeated\s+)?([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*;")


def parse_schema():
    messages, enums = {}, set()
    for path in sorted(PROTO.glob("*.proto")):
        text = re.sub(r"//.*", "", path.read_text())
        enums.update(re.findall(r"\benum\s+(\w+)", text))
        for match in re.finditer(r"\bmessage\s+(\w+)\s*\{", text):
            depth, end = 1, match.end()
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            body = text[match.end():end - 1]
            messages[match.group(1)] = [(bool(repeated), kind, int(number))
                                        for repeated, kind, _, number in FIELD.findall(body)]
    return messages, enums


def example(schema, name, depth):
    messages, enums = schema
    out = b""
    for repeated, kind, number in messages[name]:
        if kind in messages:
            if depth:
                out += delimited(number, example(schema, kind, depth - 1)) * (2 if repeated else 1)
        elif kind in ("bytes", "string"):
            out += delimited(number, b"ab") * (2 if repeated else 1)
        elif kind == "double":
            out += delimited(number, struct.pack("<d", 2.5)) if repeated else tagged(number, 1, struct.pack("<d", 2.5))
        elif kind.startswith("sint"):
            out += delimited(number, zigzag(-3) + zigzag(300)) if repeated else tagged(number, 0, zigzag(-3))
        elif kind in enums or kind == "bool" or kind.startswith("uint") or kind.startswith("int"):
            out += delimited(number, varint(1) + varint(300)) if repeated else tagged(number, 0, varint(1))
        else:
            raise SystemExit(f"{name}: a field of the unknown type {kind}")
    return out


def message_seeds():
    schema = parse_schema()
    for name in schema[0]:
        yield name, example(schema, name, 2)
    nested = b""
    for _ in range(200):
        nested = delimited(1, nested)
    yield "many-messages", delimited(4, b"") * 400 + delimited(1, b"") * 400
    yield "many-deep-messages", (delimited(4, delimited(1, delimited(9, b""))) + delimited(2, delimited(9, b""))) * 100
    yield "merged", delimited(1, delimited(2, b"\2" * 300)) + delimited(1, delimited(2, b"\2")) * 80
    yield "merged-empty", delimited(1, b"") * 300
    yield "many-unknown", tagged(99, 0, b"\1") * 400
    yield "many-unpacked", tagged(1, 0, b"\1") * 400 + tagged(2, 0, b"\1") * 400 + tagged(6, 0, b"\1") * 400
    yield "nested", nested
    yield "length-beyond", tagged(1, 2, varint(1 << 40))
    yield "length-wraps", tagged(1, 2, b"\xff" * 9 + b"\x01")
    yield "varint-too-long", b"\x08" + b"\xff" * 11
    yield "field-zero", tagged(0, 0, b"\1")
    yield "groups", tagged(1, 3, b"") + tagged(1, 4, b"")
    yield "tag-only", b"\x0a"


# hot: a byte for the method, then its body.


def hot_seeds():
    handle = tagged(1, 0, varint(7 << 32 | 300))
    values = {
        "none": tagged(1, 0, b"\1"), "true": tagged(2, 0, b"\1"), "int": tagged(3, 0, zigzag(-(1 << 63))),
        "small": tagged(3, 0, zigzag(3)), "real": tagged(5, 1, struct.pack("<d", 2.5)), "str": delimited(6, b"key:1234"),
        "bytes": delimited(7, b"\0\1"), "handle": tagged(8, 0, varint(1 << 32 | 2)), "empty": b"",
        "typed": tagged(8, 0, b"\2") + tagged(10, 0, b"\7"), "twice": tagged(3, 0, b"\2") * 2,
        "literal": delimited(9, delimited(1, b"\x04")),
    }
    into = tagged(3, 0, varint(1 << 32 | 9))
    for method in range(17):
        yield f"{method}-plain", bytes([method]) + handle
    for name, value in values.items():
        yield f"get-{name}", bytes([4]) + handle + delimited(2, value) + into + tagged(4, 0, b"\1")
        yield f"set-{name}", bytes([5]) + handle + delimited(2, values["str"]) + delimited(3, value)
        yield f"add-{name}", bytes([15]) + handle + delimited(2, value) + delimited(5, value) + tagged(6, 0, b"\3")
    yield "release", bytes([1]) + delimited(1, varint(1 << 32 | 5) + varint(7))
    yield "release-unpacked", bytes([1]) + tagged(1, 0, b"\5") * 2
    yield "insert", bytes([9]) + handle + tagged(2, 0, zigzag(-2)) + delimited(3, values["int"])
    yield "attribute", bytes([13]) + handle + delimited(2, b"name") + into
    yield "lookup", bytes([16]) + delimited(2, b"name") + into
    yield "lookup-waits", bytes([16]) + delimited(2, b"name") + into + tagged(5, 0, varint(1000))
    yield "object-twice", bytes([4]) + handle * 2
    yield "unknown-field", bytes([4]) + handle + tagged(9, 0, b"\1")
    yield "long-tag", bytes([4]) + b"\x88\x00\x05"
    yield "varint-too-long", bytes([4]) + b"\x08" + b"\xff" * 10 + b"\x01"
    yield "varint-ten", bytes([4]) + b"\x08" + b"\xff" * 9 + b"\x01"


def ring_seeds():
    def read(count, shift=0):
        return bytes([0, count, shift, 0])

    def write(count, shift, byte):
        return bytes([1, count, shift, 0, byte])

    def put(line, value, shift=0, minus=0, added=1):
        return bytes([2, line, value, shift, minus, added])

    want, hear, bell = bytes([3, 0, 1]), bytes([3, 1]), bytes([3, 2])
    daemon, client_large = b"\1", b"\2"
    yield "honest-reads", daemon + put(0, 100) + read(64) * 2 + put(0, 200, 3) + read(255, 5) * 2
    yield "runs-backwards", daemon + put(0, 100) + read(100) + put(0, 1, minus=1) + read(64)
    yield "promises-too-much", daemon + put(0, 1, 12) + read(255, 5) + put(0, 1) + read(1) + read(255, 5)
    yield "reader-lies", (daemon + write(255, 4, 7) * 2 + put(3, 1, minus=1, added=0) + write(255, 4, 9) +
                          put(3, 1, 63, added=0) + write(255, 4, 9))
    yield "bells", (b"\0" + want + bell + put(4, 3, added=0) + bell + put(4, 1, 63, added=0) + bell + hear +
                    put(5, 255, 8, added=0) + hear)
    yield "client-large", client_large + put(2, 255, 4) + read(255, 4) + write(255, 5, 1) + put(1, 255, 5) + write(255, 5, 1)


# rpc: a program. Requests of every method, with arguments by chance, among objects that are made first.


def rpc_seeds():
    text = (PROTO / "method.proto").read_text()
    methods = [int(n) for n in re.findall(r"^\s+\w+ = (\d+);", text, re.M) if 3 < int(n) < 256]
    for number in range(8):
        chosen = random.Random(number)
        out = bytearray()
        for client in (0, 1):
            for slot, kind in enumerate((9, 10, 11, 12), 1):  # Create: a list, a tuple, a dict, a set
                out += bytes([client, 0, 7, 0, 0, 0, 1, 0, kind - 1, 0, slot + 12, 0])
            for slot, kind in enumerate(range(18, 24), 5):    # CreateSync
                out += bytes([client, 0, 15, 192, 1, kind, 1, 2, slot, 1, 2, 1, 1, 0])
        for method in chosen.choices(methods, k=300):
            out += bytes([chosen.randrange(2), 0, 15, method]) + chosen.randbytes(chosen.randrange(4, 24))
        yield f"methods-{number}", bytes(out)
    # Analyses, tags and interned strs beside each other, among objects that come and go meanwhile.
    inspect = [106, 107, 108, 109, *range(110, 123), 133]
    assert set(inspect) <= set(methods)
    for number in range(4):
        chosen = random.Random(100 + number)
        out = bytearray()
        for client in (0, 1):
            for slot, kind in enumerate((9, 10, 11, 12), 1):
                out += bytes([client, 0, 7, 0, 0, 0, 1, 0, kind - 1, 0, slot + 12, 0])
        for method in chosen.choices(inspect + [16, 18, 19, 27, 28, 31, 44], k=250):
            out += bytes([chosen.randrange(2), 0, 15, method]) + chosen.randbytes(chosen.randrange(4, 24))
        yield f"inspect-{number}", bytes(out)


def main():
    for target, seeds in (("hot", hot_seeds), ("rpc", rpc_seeds), ("frame", frame_seeds), ("literal", literal_seeds), ("messages", message_seeds),
                          ("ring", ring_seeds)):
        for old in (HERE / "corpus" / target).glob("seed-*"):
            old.unlink()
        for name, data in seeds():
            save(target, name, data)


if __name__ == "__main__":
    main()
