"""Operations on lists, tuples, str and bytes, and those that any object has."""
import copy
import operator

import wire
from registry import operation

HUGE = (1 << 63, -(1 << 63) - 1, 1 << 70, (1 << 63) - 1, -(1 << 63), 10 ** 12)


def index(world, length):
    random = world.random
    if random.random() < 0.04:
        return random.choice(HUGE)
    return random.randrange(-length - 3, length + 4)


def bounds(world, length):
    """A slice, as an object of Python and as a Range."""
    random = world.random
    parts = []
    for which in range(3):
        if random.random() < 0.35:
            parts.append(None)
        elif which == 2:
            parts.append(random.choice((1, 1, 1, 2, 3, -1, -2, -3, 0, 7, random.choice(HUGE), True)))
        else:
            parts.append(index(world, length))
    if random.random() < 0.01:
        parts[random.randrange(3)] = "x"
    body = b"".join(world.field(i + 1, part) for i, part in enumerate(parts) if part is not None)
    return slice(*parts), body


def is_too_long(world, value):
    return len(value) > 60


def shorten(world, value):
    """Keeps objects small enough to be looked at often."""
    keep = world.random.randrange(10)

    def python():
        del value[keep:]
    world.run("del [%d:]" % keep, python, wire.DEL_SLICE,
              wire.number(1, world.handle_of(value)) + wire.blob(2, world.field(1, keep)))


def a_list(world):
    value = world.pick(list)
    if is_too_long(world, value):
        shorten(world, value)
    return value, wire.number(1, world.handle_of(value))


def a_sequence(world):
    """A list, tuple, str or bytes; the last two are sent by value, and so have no handle."""
    return world.pick(list, tuple)


def a_source(world):
    random = world.random
    choice = random.randrange(10)
    if choice < 5:
        value = world.pick(list, tuple, dict, set)
        return value
    if choice < 7:
        return world.text()
    if choice == 7:
        return world.text().encode()
    if choice == 8:
        return tuple(world.scalar() for _ in range(random.randrange(5)))
    return world.scalar()


# Sets have an order of their own in either; as a source of a list they are not compared.
def ordered_source(world):
    value = a_source(world)
    return value if not isinstance(value, (set, frozenset)) else ()


@operation(10)
def append(world):
    value, body = a_list(world)
    element = world.element()
    world.run("append", lambda: value.append(element), wire.APPEND, body + world.field(2, element))


@operation(5)
def insert(world):
    value, body = a_list(world)
    element, at = world.element(), index(world, len(value))
    if not -(1 << 63) <= at < 1 << 63:
        return
    world.run("insert", lambda: value.insert(at, element), wire.INSERT,
              body + wire.signed(2, at) + world.field(3, element))


@operation(5)
def pop(world):
    value, body = a_list(world)
    if world.random.random() < 0.5:
        world.run("pop", value.pop, wire.POP, body, into=3)
    else:
        at = index(world, len(value))
        world.run("pop(%d)" % at, lambda: value.pop(at), wire.POP, body + world.field(2, at), into=3)


@operation(6)
def get_item(world):
    value = a_sequence(world)
    at = index(world, len(value)) if world.random.random() < 0.97 else "x"
    world.run("[%r]" % (at,), lambda: value[at], wire.GET_ITEM,
              wire.number(1, world.handle_of(value)) + world.field(2, at), into=3)


@operation(6)
def set_item(world):
    value = a_sequence(world)
    at, element = index(world, len(value)), world.element()
    if isinstance(value, tuple) and at in HUGE:
        return  # CPython looks at the index before it says that a tuple has no such thing
    world.run("[%r]=" % at, lambda: operator.setitem(value, at, element), wire.SET_ITEM,
              wire.number(1, world.handle_of(value)) + world.field(2, at) + world.field(3, element))


@operation(3)
def del_item(world):
    value = a_sequence(world)
    at = index(world, len(value))
    if isinstance(value, tuple) and at in HUGE:
        return
    world.run("del [%r]" % at, lambda: operator.delitem(value, at), wire.DEL_ITEM,
              wire.number(1, world.handle_of(value)) + world.field(2, at))


@operation(8)
def get_slice(world):
    value = a_sequence(world)
    part, body = bounds(world, len(value))
    world.run("[%r]" % (part,), lambda: value[part], wire.GET_SLICE,
              wire.number(1, world.handle_of(value)) + wire.blob(2, body), into=3)


@operation(8)
def set_slice(world):
    value, body = a_list(world)
    part, range_body = bounds(world, len(value))
    source = ordered_source(world)
    # An extended slice of just the right size is rare by chance.
    if world.random.random() < 0.3:
        try:
            source = [world.scalar() for _ in range(len(value[part]))]
        except (TypeError, ValueError):
            return
        world.hold_new(source)
        body = wire.number(1, world.handle_of(value)) if world.handle_of(value) else None
        if body is None:
            return
    world.run("[%r]=" % (part,), lambda: operator.setitem(value, part, source), wire.SET_SLICE,
              body + wire.blob(2, range_body) + world.field(3, source))


@operation(4)
def del_slice(world):
    value, body = a_list(world)
    part, range_body = bounds(world, len(value))
    world.run("del [%r]" % (part,), lambda: operator.delitem(value, part), wire.DEL_SLICE,
              body + wire.blob(2, range_body))


@operation(5)
def extend(world):
    value, body = a_list(world)
    source = ordered_source(world)
    world.run("extend", lambda: value.extend(source), wire.EXTEND_FROM, body + world.field(2, source))


@operation(2)
def reverse(world):
    value, body = a_list(world)
    world.run("reverse", value.reverse, wire.REVERSE, body)


@operation(1)
def clear(world):
    value, body = a_list(world)
    world.run("clear", value.clear, wire.CLEAR, body)


def has_no_total_order(value):
    """NaN and sets are ordered in part only: where they end up depends on how one sorts."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, (set, frozenset)) or item != item:
            return True
        if isinstance(item, (list, tuple)):
            stack += item
    return False


@operation(4)
def sort(world):
    random = world.random
    if random.random() < 0.7:
        kind = random.randrange(5)
        make = (lambda: random.randrange(50), world.text, lambda: random.choice((1, 1.0, True, 2, 0, 0.5, 1 << 70)),
                lambda: (random.randrange(3), world.text()), world.scalar)[kind]
        value = world.hold_new([make() for _ in range(random.choice((2, 5, 20, 33, 70, 130)))])
        body = wire.number(1, world.handle_of(value))
    else:
        value, body = a_list(world)
    if not world.is_small(*value) or has_no_total_order(value):
        return
    backwards = random.random() < 0.4

    def python():
        before = value[:]
        try:
            value.sort(reverse=backwards)
        except TypeError:
            value[:] = before  # heapd changes nothing then
            raise
    world.run("sort", python, wire.SORT, body + wire.number(2, backwards))


SEARCH_INDEX, SEARCH_FIND, SEARCH_LAST, SEARCH_COUNT, SEARCH_CONTAINS, SEARCH_STARTS, SEARCH_ENDS, SEARCH_REMOVE, \
    SEARCH_ADD = range(1, 10)


def needle(world, value):
    if value and world.random.random() < 0.6:
        found = world.random.choice(value)
        # Equal and not the same, now and then.
        if type(found) is int and world.random.random() < 0.3 and abs(found) < 1 << 50:
            return float(found)
        return found
    return world.element()


@operation(8)
def search_elements(world):
    value = a_sequence(world)
    what = needle(world, value)
    if not world.is_small(*value, what):
        return
    start, stop = index(world, len(value)), index(world, len(value))
    mode = world.random.randrange(4)
    body = wire.number(1, world.handle_of(value))
    limits = wire.blob(4, world.field(1, start) + world.field(2, stop))
    if mode == 0:
        world.run(("index", what), lambda: value.index(what, start, stop), wire.SEARCH,
                  body + wire.number(2, SEARCH_INDEX) + world.field(3, what) + limits)
    elif mode == 1:
        world.run(("count", what), lambda: value.count(what), wire.SEARCH,
                  body + wire.number(2, SEARCH_COUNT) + world.field(3, what))
    elif mode == 2:
        world.run(("in", what), lambda: what in value, wire.CONTAINS, body + world.field(2, what))
    elif type(value) is list:
        def python():
            at = value.index(what)
            value.remove(what)
            return at
        world.run(("remove", what), python, wire.SEARCH, body + wire.number(2, SEARCH_REMOVE) + world.field(3, what))


@operation(8)
def search_text(world):
    random = world.random
    value, what = world.text() + world.text(), world.text()[:random.choice((0, 1, 1, 2, 3))]
    if random.random() < 0.4 and value:
        at = random.randrange(len(value))
        what = value[at:at + random.randrange(1, 5)]
    if random.random() < 0.4:
        value, what = value.encode(), what.encode()
        if random.random() < 0.2:
            what = random.choice((0, 97, 98, 255, 256, -1, 1 << 70))
    if random.random() < 0.05:
        what = world.scalar()
    limits, range_body = (), b""
    if random.random() < 0.5:
        limits = (index(world, len(value)), index(world, len(value)))
        range_body = wire.blob(4, world.field(1, limits[0]) + world.field(2, limits[1]))
    name, mode = random.choice((("find", SEARCH_FIND), ("rfind", SEARCH_LAST), ("index", SEARCH_INDEX),
                                ("count", SEARCH_COUNT), ("startswith", SEARCH_STARTS), ("endswith", SEARCH_ENDS)))
    if name in ("startswith", "endswith") and not isinstance(what, type(value)):
        return  # Python takes tuples there, and no int for bytes
    handle = hold_text(world, value)
    world.run((name, value, what, limits), lambda: getattr(value, name)(what, *limits), wire.SEARCH,
              wire.number(1, handle) + wire.number(2, mode) + world.field(3, what) + range_body)
    world.release(handle)


def hold_text(world, value):
    """A str or bytes in a slot of its own; inline ones too."""
    handle = world.new_handle()
    world.connection.send(wire.CREATE, wire.blob(1, wire.Literal().add(value, world.handle_of).pack()) +
                          wire.number(2, handle))
    world.waiting.append((world.connection.next_id - 1, ("held", handle), None, "create"))
    return handle


@operation(6)
def slice_text(world):
    value = world.text() + world.text()
    if world.random.random() < 0.4:
        value = value.encode()
    part, body = bounds(world, len(value))
    handle = hold_text(world, value)
    world.run((value, part), lambda: value[part], wire.GET_SLICE, wire.number(1, handle) + wire.blob(2, body))
    world.run("len", lambda: len(value), wire.LENGTH, wire.number(1, handle))
    world.release(handle)


@operation(1)
def length(world):
    value = world.pick(list, tuple, dict, set)
    world.run("len", lambda: len(value), wire.LENGTH, wire.number(1, world.handle_of(value)))


@operation(4)
def copies(world):
    value = world.pick(list, tuple, dict, set)
    deep = world.random.random() < 0.5
    if world.handle_of(value) is None:
        return

    def python():
        made = copy.deepcopy(value) if deep else copy.copy(value)
        if deep and sum(1 for _ in reach(made)) > 400:
            raise MemoryError
        return made
    if deep and sum(1 for _ in reach(value)) > 400:
        return
    world.run("deepcopy" if deep else "copy", python, wire.COPY,
              wire.number(1, world.handle_of(value)) + wire.number(2, deep), into=3)


def reach(value):
    """All containers that it reaches."""
    seen, stack = set(), [value]
    while stack:
        item = stack.pop()
        if id(item) in seen or not isinstance(item, (list, dict, set, tuple)):
            continue
        seen.add(id(item))
        yield item
        stack += [part for pair in item.items() for part in pair] if isinstance(item, dict) else list(item)


ADD_TO, MULTIPLY = 1, 3


@operation(5)
def concatenate(world):
    random = world.random
    left = a_sequence(world) if random.random() < 0.6 else world.text() if random.random() < 0.5 else world.text().encode()
    right = a_sequence(world) if random.random() < 0.6 else world.text() if random.random() < 0.5 else world.text().encode()
    world.run("+", lambda: left + right, wire.OPERATE,
              wire.number(1, ADD_TO) + world.field(2, left) + world.field(3, right), into=4)


@operation(4)
def repeat(world):
    random = world.random
    value = a_sequence(world) if random.random() < 0.6 else world.text() if random.random() < 0.5 else world.text().encode()
    times = random.choice((0, 1, 2, 3, -1, True, 1 << 63, 2.0, "x", None)) if random.random() < 0.3 else random.randrange(4)
    if random.random() < 0.05 and len(value):
        times = 10 ** 12
    left, right = (value, times) if random.random() < 0.7 else (times, value)

    def python():
        # So much memory there may be; heapd has a bound.
        if times == 10 ** 12:
            raise MemoryError
        return left * right
    if isinstance(times, str) and isinstance(value, (str, bytes)) or isinstance(value, (list, tuple)) and len(value) > 40:
        return
    world.run("*", python, wire.OPERATE, wire.number(1, MULTIPLY) + world.field(2, left) + world.field(3, right), into=4)


@operation(2)
def repeat_in_place(world):
    value, body = a_list(world)
    times = world.random.choice((0, 1, 2, 2, 3, -1, True, 1 << 63, 2.0, "x"))
    if len(value) > 30 and times in (2, 3):
        return

    def python():
        operator.imul(value, times)
    world.run("*=", python, wire.REPEAT, body + world.field(2, times))


RELATIONS = ((operator.eq, 1), (operator.ne, 2), (operator.lt, 3), (operator.le, 4), (operator.gt, 5), (operator.ge, 6),
             (operator.is_, 7))


def related(world):
    """Two values that may be equal."""
    random = world.random
    choice = random.randrange(4)
    left = world.pick(list, tuple, dict, set) if choice < 2 else world.scalar()
    if choice == 0 and isinstance(left, (list, tuple)):
        right = type(left)(left)
        if right and random.random() < 0.5:
            at = random.randrange(len(right))
            right = right[:at] + type(left)((world.scalar(),)) + right[at + 1:]
        if world.handle_of(left) is None:
            return left, left
        if isinstance(right, list) and world.handle_of(right) is None:
            world.hold_new(right)
        return left, right
    if choice == 1:
        return left, world.pick(list, tuple, dict, set)
    return left, world.scalar()


@operation(12)
def compare(world):
    left, right = related(world)
    function, number = world.random.choice(RELATIONS)
    for value in (left, right):
        if isinstance(value, (list, dict, set)) and world.handle_of(value) is None:
            return
    if not world.is_small(left, right):
        return
    if function is operator.is_:
        # Of values that cannot change, who is whom is nobody's business.
        if not (isinstance(left, (list, dict, set)) and isinstance(right, (list, dict, set))):
            return
    world.run((function.__name__, left, right), lambda: function(left, right), wire.COMPARE,
              world.field(1, left) + wire.number(2, number) + world.field(3, right))


@operation(1)
def compare_circles(world):
    """Two lists that contain themselves, or each other."""
    left, right = world.hold_new([1]), world.hold_new([1])
    for value, element in ((left, world.random.choice((left, right))), (right, world.random.choice((left, right)))):
        world.run("append", lambda v=value, e=element: v.append(e), wire.APPEND,
                  wire.number(1, world.handle_of(value)) + world.field(2, element))
    function, number = world.random.choice(RELATIONS[:6])
    world.run("circle %s" % function.__name__, lambda: function(left, right), wire.COMPARE,
              world.field(1, left) + wire.number(2, number) + world.field(3, right))
