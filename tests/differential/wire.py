"""The wire as this test speaks it: frames, values, literals, by hand, so that nothing is shared with what is tested."""
import select
import socket
import struct

HELLO, PING = 1, 3
CREATE, EXTEND, CREATE_CLASS, RELEASE, DUPLICATE, READ, INSPECT, LENGTH = range(16, 16 + 2 + 6)
GET_ITEM, SET_ITEM, DEL_ITEM, CONTAINS, APPEND, INSERT, POP, CLEAR = range(24, 32)
SET_ADD, SET_DISCARD, GET_ATTR, SET_ATTR, DEL_ATTR, ADD, RESOLVE, EXPORT = range(32, 40)
GET_SLICE, SET_SLICE, DEL_SLICE, EXTEND_FROM, REPEAT, REVERSE, SORT = range(40, 47)
GET_REFERENT = 176
SEARCH, COPY, OPERATE, COMPARE, HASH, UPDATE = range(47, 53)

MORE, ERROR = 2, 8

(K_NONE, K_FALSE, K_TRUE, K_INT, K_BIG_INT, K_FLOAT, K_STR, K_BYTES, K_LIST, K_TUPLE, K_DICT, K_SET, K_HANDLE, K_SHARED,
 K_INSTANCE, K_FROZENSET) = range(1, 17)


def varint(n):
    if n < 128:
        return bytes((n,))
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return n << 1 if n >= 0 else (-n << 1) - 1


def number(field, n):
    return varint(field << 3) + varint(n) if n else b""


def signed(field, n):
    return varint(field << 3) + varint(zigzag(n)) if n else b""


def blob(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def int_bytes(n):
    return n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)


class Handle:
    """An object that heapd holds, in a value or a literal."""
    __slots__ = ("number",)

    def __init__(self, number_):
        self.number = number_


class Unheld(Exception):
    """A container or NaN that exists already, and that heapd would make another one of, since we have no handle of it."""


class Literal:
    """Columns of one graph, node by node."""

    def __init__(self):
        self.kinds = bytearray()
        self.integers, self.reals, self.sizes, self.counts, self.handles, self.data = [], [], [], [], [], []

    def add(self, value, handle_of, top=True):
        held = handle_of(value)
        kind = type(value)
        if held is None and not top and (kind in (list, dict, set) or value != value):
            raise Unheld
        if held is not None:
            self.kinds.append(K_HANDLE)
            self.handles.append(held)
        elif value is None:
            self.kinds.append(K_NONE)
        elif kind is bool:
            self.kinds.append(K_TRUE if value else K_FALSE)
        elif kind is int:
            if -(1 << 63) <= value < 1 << 63:
                self.kinds.append(K_INT)
                self.integers.append(value)
            else:
                self.text(K_BIG_INT, int_bytes(value))
        elif kind is float:
            self.kinds.append(K_FLOAT)
            self.reals.append(value)
        elif kind is str:
            self.text(K_STR, value.encode())
        elif kind is bytes:
            self.text(K_BYTES, value)
        elif kind is dict:
            self.kinds.append(K_DICT)
            self.counts.append(len(value))
            for key, item in value.items():
                self.add(key, handle_of, False)
                self.add(item, handle_of, False)
        else:
            self.kinds.append({list: K_LIST, tuple: K_TUPLE, set: K_SET, frozenset: K_FROZENSET}[kind])
            self.counts.append(len(value))
            for item in value:
                self.add(item, handle_of, False)
        return self

    def text(self, kind, data):
        self.kinds.append(kind)
        self.sizes.append(len(data))
        self.data.append(data)

    def pack(self):
        out = blob(1, bytes(self.kinds))
        if self.integers:
            out += blob(2, b"".join(varint(zigzag(n)) for n in self.integers))
        if self.reals:
            out += blob(3, struct.pack("<%dd" % len(self.reals), *self.reals))
        for field, column in ((4, self.sizes), (6, self.counts), (7, self.handles)):
            if column:
                out += blob(field, b"".join(map(varint, column)))
        if self.data:
            out += blob(5, b"".join(self.data))
        return out


def value_bytes(value, handle_of):
    """A Value message."""
    held = handle_of(value)
    kind = type(value)
    if held is not None:
        return b"\x40" + varint(held)
    if value is None:
        return b"\x08\x01"
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int:
        if -(1 << 63) <= value < 1 << 63:
            return b"\x18" + varint(zigzag(value))
        return blob(4, int_bytes(value))
    if kind is float:
        if value != value:
            raise Unheld
        return b"\x29" + struct.pack("<d", value)
    if kind is str:
        return blob(6, value.encode())
    if kind is bytes:
        return blob(7, value)
    return blob(9, Literal().add(value, handle_of, False).pack())


def read_varint(data, at):
    n = data[at]
    at += 1
    if n < 128:
        return n, at
    n &= 127
    shift = 7
    while True:
        byte = data[at]
        at += 1
        n |= (byte & 127) << shift
        if byte < 128:
            return n, at
        shift += 7


def fields(data):
    """(number, content) of each field of a message: an int, or bytes."""
    at = 0
    out = []
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            content, at = read_varint(data, at)
        elif kind == 2:
            size, at = read_varint(data, at)
            content = data[at:at + size]
            at += size
        else:
            size = 8 if kind == 1 else 4
            content = data[at:at + size]
            at += size
        out.append((tag >> 3, content))
    return out


def unzigzag(n):
    return n >> 1 ^ -(n & 1)


def packed(data):
    at = 0
    out = []
    while at < len(data):
        n, at = read_varint(data, at)
        out.append(n)
    return out


NOTHING = object()


def value_of(data):
    """What a Value message says: a plain value, a Handle, or NOTHING."""
    for field, content in fields(data):
        if field == 1:
            return None
        if field == 2:
            return bool(content)
        if field == 3:
            return unzigzag(content)
        if field == 4:
            return int.from_bytes(content, "little", signed=True)
        if field == 5:
            return struct.unpack("<d", content)[0]
        if field == 6:
            return content.decode()
        if field == 7:
            return bytes(content)
        if field == 8:
            return Handle(content)
    return NOTHING


class Graph:
    """The literals of an export, as Python objects again; shared parts and circles are what they were."""

    def __init__(self):
        self.kinds, self.data = bytearray(), bytearray()
        self.integers, self.reals, self.sizes, self.counts, self.shared = [], [], [], [], []

    def add_part(self, body):
        for field, content in fields(body):
            if field == 1:
                self.kinds += content
            elif field == 2:
                self.integers += map(unzigzag, packed(content))
            elif field == 3:
                self.reals += struct.unpack("<%dd" % (len(content) // 8), content)
            elif field == 4:
                self.sizes += packed(content)
            elif field == 5:
                self.data += content
            elif field == 6:
                self.counts += packed(content)
            elif field == 8:
                self.shared += packed(content)

    def nodes(self):
        """A tree of [kind, content]; a container is one object however often it is met, its children a list."""
        integers, reals, sizes, counts = iter(self.integers), iter(self.reals), iter(self.sizes), iter(self.counts)
        shared, at = iter(self.shared), 0
        containers, stack, root = [], [], None
        for kind in self.kinds:
            if kind == K_INT:
                node = [kind, next(integers)]
            elif kind == K_FLOAT:
                node = [kind, next(reals)]
            elif kind in (K_STR, K_BYTES, K_BIG_INT):
                size = next(sizes)
                content = bytes(self.data[at:at + size])
                at += size
                node = [kind, content.decode() if kind == K_STR else content]
                if kind == K_BIG_INT:
                    node = [K_INT, int.from_bytes(content, "little", signed=True)]
            elif kind == K_SHARED:
                node = containers[next(shared)]
            elif kind in (K_LIST, K_TUPLE, K_SET, K_FROZENSET, K_DICT):
                count = next(counts)
                node = [kind, []]
                containers.append(node)
            else:
                node = [kind, None]
            if stack:
                stack[-1][0][1].append(node)
                stack[-1][1] -= 1
            else:
                root = node
            if kind in (K_LIST, K_TUPLE, K_SET, K_FROZENSET, K_DICT) and count:
                stack.append([node, count * 2 if kind == K_DICT else count])
            while stack and stack[-1][1] == 0:
                stack.pop()
        return root


class Connection:
    """One session. Requests are gathered by send; replies come in the order of their ids, which is that of the requests."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.setblocking(False)
        self.output, self.input = bytearray(), bytearray()
        self.next_id = 1
        self.replies = {}
        hello = self.send(HELLO, number(1, 1) + number(2, 1) + blob(4, b"differential"))
        self.wait(hello)

    def send(self, method, body):
        request = self.next_id
        self.next_id += 1
        self.output += struct.pack("<IHBBQ", len(body), method, 0, 0, request)
        self.output += body
        return request

    def pump(self):
        readable, writable, _ = select.select([self.socket], [self.socket] if self.output else [], [], 60)
        if not readable and not writable:
            raise TimeoutError("the daemon did not answer within a minute")
        if writable:
            sent = self.socket.send(self.output)
            del self.output[:sent]
        if readable:
            data = self.socket.recv(1 << 18)
            if not data:
                raise EOFError("the daemon closed the connection")
            self.input += data
            self.take_frames()

    def take_frames(self):
        at = 0
        data = self.input
        while len(data) - at >= 16:
            size, method, flags, _, request = struct.unpack_from("<IHBBQ", data, at)
            if len(data) - at < 16 + size:
                break
            body = bytes(data[at + 16:at + 16 + size])
            self.replies.setdefault(request, []).append((flags, body))
            at += 16 + size
        del data[:at]

    def wait(self, request):
        """All frames of the reply: (flags of the last, bodies)."""
        while True:
            frames = self.replies.get(request)
            if frames and not frames[-1][0] & MORE:
                del self.replies[request]
                return frames[-1][0], [body for _, body in frames]
            self.pump()
