"""
Objects that exist twice: in this Python, and in heapd. An operation runs on both, and what came out is compared: the
value, the type of the error, and from time to time the whole graph, with who shares what with whom.
"""
import struct

import wire

# heapd's errors by number, as Python names them.
ERRORS = {
    1: ("MemoryError",), 22: ("MemoryError",), 5: ("TypeError",), 10: ("TypeError",), 6: ("IndexError",),
    7: ("KeyError",), 9: ("AttributeError",), 8: ("NameError",), 31: ("OverflowError",), 35: ("ValueError",),
    36: ("ZeroDivisionError",), 37: ("RecursionError",), 40: ("TypeError",), 41: ("RuntimeError",),
}

GC_COLLECT, WATCHED_MAX = 96, 16

CONTAINERS = (list, dict, set, tuple, frozenset)
MUTABLE = (list, dict, set)


class Difference(Exception):
    pass


def same(left, right):
    if type(left) is not type(right):
        return False
    if type(left) is float:
        return struct.pack("<d", left) == struct.pack("<d", right) or (left != left and right != right)
    return left == right


class World:
    def __init__(self, connection, random, objects_max=24):
        self.connection = connection
        self.random = random
        self.objects_max = objects_max
        self.held = []          # objects that heapd holds for us
        self.handles = {}       # by id, of those
        self.next_slot = 1
        self.free_slots = []    # (slot, generation)
        self.waiting = []       # requests on their way, with what Python had to say
        self.steps = 0
        self.log = []
        self.extra = []         # second handles of objects: (object, handle)
        self.reachable = set()  # ids, as of the last collection
        self.deaths = 0         # seen through weak references
        self.watched = []       # weak references: (object, handle of the reference)
        for nan in (float("nan"), float("nan")):
            self.hold_new(nan)

    # ---- handles ----

    def handle_of(self, value):
        return self.handles.get(id(value))

    def new_handle(self):
        if self.free_slots:
            slot, generation = self.free_slots.pop()
            return slot | generation << 32
        slot = self.next_slot
        self.next_slot += 1
        return slot | 1 << 32

    def give_back(self, handle):
        self.free_slots.append((handle & 0xffffffff, (handle >> 32) + 1))

    def release(self, handle):
        self.connection.send(wire.RELEASE, wire.blob(1, wire.varint(handle)))
        self.connection_forget()
        self.give_back(handle)

    def connection_forget(self):
        self.waiting.append((self.connection.next_id - 1, None, None, None))

    def hold(self, value, handle):
        """The object is in the slot now. One that was held already has a second handle: only its identity counts."""
        if id(value) in self.handles:
            self.extra.append((value, handle))
        else:
            self.held.append(value)
            self.handles[id(value)] = handle

    def hold_new(self, value):
        """Makes it in heapd: what is in it must be plain or held."""
        handle = self.new_handle()
        body = wire.blob(1, wire.Literal().add(value, self.handle_of).pack()) + wire.number(2, handle)
        self.connection.send(wire.CREATE, body)
        self.waiting.append((self.connection.next_id - 1, ("held", handle), None, "create"))
        self.held.append(value)
        self.handles[id(value)] = handle
        return value

    def drop(self, value):
        handle = self.handles.pop(id(value))
        self.held = [other for other in self.held if other is not value]
        self.release(handle)

    # ---- values ----

    def value(self, value):
        return wire.value_bytes(value, self.handle_of)

    def field(self, number, value):
        return wire.blob(number, wire.value_bytes(value, self.handle_of))

    # ---- an operation ----

    def run(self, name, python, method, body, into=0, check=None):
        """
        python() is what Python does; method and body what heapd does. `into`: the field of the message that names
        the slot for a result that may be an object; 0: there is none. check(result of Python, answer of heapd) instead
        of equality.
        """
        self.steps += 1
        try:
            result = python()
            expected = ("value", result)
        except (TypeError, ValueError, IndexError, KeyError, OverflowError, ZeroDivisionError, RecursionError,
                MemoryError, AttributeError) as error:
            expected = ("error", type(error).__name__)
        handle = 0
        if into:
            handle = self.new_handle()
            body += wire.number(into, handle)
        request = self.connection.send(method, body)
        self.log.append((request, name, expected))
        if expected[0] == "value" and isinstance(result, CONTAINERS) and into:
            self.hold(result, handle)
            expected = ("held", handle)
        elif handle:
            self.give_back(handle)
        self.waiting.append((request, expected, check, name))
        if len(self.waiting) > 200:
            self.settle()

    def settle(self):
        """Compares what heapd said to all that is on its way."""
        waiting, self.waiting = self.waiting, []
        for request, expected, check, name in waiting:
            flags, bodies = self.connection.wait(request)
            if expected is not None:
                self.compare_answer(request, name, expected, check, flags, bodies[-1])
            elif flags & wire.ERROR:
                raise Difference("request %d: a release failed: %r" % (request, bodies[-1]))
        del self.log[:-400]

    def compare_answer(self, request, name, expected, check, flags, body):
        if flags & wire.ERROR:
            parts = dict(wire.fields(body))
            names = ERRORS.get(parts.get(2, 0), ("code %d" % parts.get(2, 0),))
            if expected[0] != "error" or expected[1] not in names:
                raise Difference("%s: Python: %s, heapd: %s (%s)" % (name, expected, names, parts.get(3)))
            return
        if expected[0] == "error":
            raise Difference("%s: Python: %r, heapd: %r" % (name, expected, wire.value_of(body)))
        answer = wire.value_of(body)
        if expected[0] == "held":
            if not isinstance(answer, wire.Handle) or answer.number != expected[1]:
                raise Difference("%s: a handle was expected, heapd: %r" % (name, answer))
            return
        if answer is wire.NOTHING:
            answer = None
        if not (check(expected[1], answer) if check else same(expected[1], answer)):
            raise Difference("%s: Python: %r, heapd: %r" % (name, expected[1], answer))

    # ---- the whole graph ----

    def check(self):
        """All that is held, and what it reaches, is the same here and there."""
        everything = list(self.held) + [value for value, _ in self.extra]
        handles = [self.handles[id(value)] for value in self.held] + [handle for _, handle in self.extra]
        literal = wire.Literal()
        literal.kinds += bytes([wire.K_LIST]) + bytes([wire.K_HANDLE]) * len(handles)
        literal.counts.append(len(handles))
        literal.handles = handles
        root = self.new_handle()
        create = self.connection.send(wire.CREATE, wire.blob(1, literal.pack()) + wire.number(2, root))
        export = self.connection.send(wire.EXPORT, wire.number(1, root) + wire.number(2, 1 << 20))
        self.settle()
        self.connection.wait(create)
        flags, bodies = self.connection.wait(export)
        if flags & wire.ERROR:
            raise Difference("export: %r" % (bodies[-1],))
        graph = wire.Graph()
        for body in bodies:
            graph.add_part(body)
        self.compare_graphs(everything, graph.nodes())
        self.release(root)
        for _, handle in self.extra:
            self.release(handle)
        self.extra = []

    def watch(self, value, handle):
        """
        A weak reference of heapd's. Python has none of lists and dicts, and its own would see what a frame of this test still holds; so
        what can be reached says what is alive.
        """
        self.watched.append((value, handle))
        if len(self.watched) > WATCHED_MAX:
            self.release(self.watched.pop(0)[1])

    def find_reachable(self):
        stack = list(self.held)
        self.reachable = set()
        while stack:
            value = stack.pop()
            if isinstance(value, CONTAINERS) and id(value) not in self.reachable:
                self.reachable.add(id(value))
                stack += value
                if isinstance(value, dict):
                    stack += value.values()

    def check_deaths(self):
        """After a collection weak references lead to what can be reached, and to nothing else."""
        self.settle()
        self.log.clear()
        self.find_reachable()
        flags, bodies = self.connection.wait(self.connection.send(GC_COLLECT, wire.number(1, 2)))
        if flags & wire.ERROR:
            raise Difference("collect: %r" % (bodies[-1],))
        watched, self.watched = self.watched, []
        for value, handle in watched:
            found = self.new_handle()
            request = self.connection.send(wire.GET_REFERENT, wire.number(1, handle) + wire.number(2, found))
            flags, bodies = self.connection.wait(request)
            lives, answer = id(value) in self.reachable, wire.value_of(bodies[-1])
            if flags & wire.ERROR or isinstance(answer, wire.Handle) != lives:
                raise Difference("a weak reference: Python: %s %r, heapd: %r" % (lives, value, bodies[-1]))
            if lives:
                self.extra.append((value, found))  # is it the same one? the next check tells
                self.watched.append((value, handle))
            else:
                self.deaths += 1
                self.give_back(found)
                self.release(handle)

    def compare_graphs(self, here, there):
        """Equal, and of what can change the same object here exactly where there is the same object there."""
        to_there, to_here = {}, {}
        pairs = [(here, there)]
        seen = set()
        while pairs:
            left, right = pairs.pop()
            kind = type(left)
            if kind in MUTABLE:
                if to_there.setdefault(id(left), id(right)) != id(right) or \
                        to_here.setdefault(id(right), id(left)) != id(left):
                    raise Difference("two are one, or one is two: %r" % (left,))
            if kind in CONTAINERS:
                if (id(left), id(right)) in seen:
                    continue
                seen.add((id(left), id(right)))
            pairs += self.children(left, right, kind)

    def children(self, left, right, kind):
        node, content = right
        if kind is list or kind is tuple:
            if node != (wire.K_LIST if kind is list else wire.K_TUPLE) or len(left) != len(content):
                raise Difference("Python: %r, heapd: %r" % (left, right))
            return zip(left, content)
        if kind is dict:
            if node != wire.K_DICT or len(left) * 2 != len(content):
                raise Difference("Python: %r, heapd: %r" % (left, right))
            here = [part for item in left.items() for part in item]
            return zip(here, content)
        if kind is set or kind is frozenset:
            if node != (wire.K_SET if kind is set else wire.K_FROZENSET) or len(left) != len(content):
                raise Difference("Python: %r, heapd: %r" % (left, right))
            return self.pair_elements(left, content)
        there = {wire.K_NONE: None, wire.K_FALSE: False, wire.K_TRUE: True}.get(node, content)
        if not same(left, there):
            raise Difference("Python: %r, heapd: %r" % (left, there))
        return ()

    def pair_elements(self, left, content):
        """Sets have no order that both have: elements are told apart by what they are."""
        by_key = {self.key_of_node(child): child for child in content}
        out = []
        for element in left:
            if self.key_of(element) not in by_key:
                raise Difference("Python: %r, heapd: %r" % (left, content))
            out.append((element, by_key[self.key_of(element)]))
        return out

    def key_of(self, value):
        if isinstance(value, tuple):
            return ("tuple",) + tuple(map(self.key_of, value))
        if isinstance(value, frozenset):
            return ("frozenset", frozenset(map(self.key_of, value)))
        return (type(value).__name__, repr(value))

    def key_of_node(self, node):
        kind, content = node
        if kind == wire.K_TUPLE:
            return ("tuple",) + tuple(map(self.key_of_node, content))
        if kind == wire.K_FROZENSET:
            return ("frozenset", frozenset(map(self.key_of_node, content)))
        return self.key_of({wire.K_NONE: None, wire.K_FALSE: False, wire.K_TRUE: True}.get(kind, content))

    # ---- choosing ----

    def pick(self, *kinds):
        """Some held object of these types; a new one if there is none."""
        candidates = [value for value in self.held if type(value) in kinds]
        if not candidates or (len(candidates) < 4 and self.random.random() < 0.2):
            return self.hold_new(self.new_container(kinds[self.random.randrange(len(kinds))]))
        return self.random.choice(candidates)

    def make_room(self):
        """Before an operation: what it has chosen must not be dropped meanwhile."""
        while len(self.held) > self.objects_max:
            self.drop(self.random.choice([value for value in self.held if type(value) is not float]))

    def new_container(self, kind):
        random = self.random
        count = random.choice((0, 1, 2, 3, 5, 8, 13, 40))
        if kind in (set, frozenset):
            return kind([self.hashable() for _ in range(count)])
        if kind is dict:
            return {self.hashable(): self.element() for _ in range(count)}
        return kind([self.element() for _ in range(count)])

    def scalar(self):
        random = self.random
        choice = random.randrange(14)
        if choice < 4:
            return random.randrange(-4, 8)
        if choice == 4:
            return random.choice((1 << 60, (1 << 60) - 1, -(1 << 60), 1 << 63, (1 << 63) - 1, -(1 << 63), 1 << 64,
                                  -(1 << 64) - 1, 3 ** 100, -7 ** 90, 1 << 200))
        if choice == 5:
            return random.choice((0.0, -0.0, 1.0, 2.0, 1.5, -2.5, 1e300, 5e-324, float("inf"), float("-inf"),
                                  float(1 << 60), 2.0 ** 64, 0.1))
        if choice == 6:
            return random.choice((True, False, None))
        if choice == 7:
            return self.nan()
        if choice < 11:
            return self.text()
        return self.text().encode() if choice < 13 else random.randrange(1 << 62) * random.choice((1, -1))

    def nan(self):
        """One of two that heapd holds, since each is equal to nothing but, in a container, to itself."""
        return self.random.choice([value for value in self.held if type(value) is float])

    ALPHABET = "aab\u00e9\u4e2d\U0001f600 z\0"

    def text(self):
        random = self.random
        return "".join(random.choice(self.ALPHABET) for _ in range(random.choice((0, 1, 1, 2, 3, 7, 8, 12, 40))))

    def hashable(self):
        random = self.random
        if random.random() < 0.85:
            return self.scalar()
        return tuple(self.hashable() for _ in range(random.randrange(3)))

    def element(self):
        """Anything; now and then another container that is held, so that there are shared parts and circles."""
        random = self.random
        if self.held and random.random() < 0.12:
            return random.choice(self.held)
        if random.random() < 0.1:
            return tuple(self.scalar() for _ in range(random.randrange(4)))
        return self.scalar()

    def is_small(self, *values, budget=1500):
        """Can these be gone through, however often their parts are met? No circles then."""
        stack = [(value, 0) for value in values]
        while stack:
            value, depth = stack.pop()
            budget -= 1
            if budget < 0 or depth > 40:
                return False
            if isinstance(value, dict):
                stack += [(part, depth + 1) for item in value.items() for part in item]
            elif isinstance(value, CONTAINERS):
                stack += [(part, depth + 1) for part in value]
        return True

