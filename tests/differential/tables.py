"""Operations on dicts, sets and frozensets; containers out of others; cursors; weak references."""
import operator

import wire
from registry import operation
from sequences import a_source, ordered_source

(SET_COMBINE, SET_UPDATE, SET_COMPARE, SET_REMOVE, DICT_GET, DICT_SET_DEFAULT, DICT_POP, DICT_POP_ITEM, DICT_UPDATE,
 DICT_MERGE, DICT_FROM_KEYS, GATHER, OPEN_CURSOR, READ_CURSOR, MAKE_WEAK, MAKE_SOFT, GET_REFERENT) = range(160, 177)

T_LIST, T_TUPLE, T_DICT, T_SET, T_FROZENSET = 7, 8, 9, 10, 14


def body_of(world, value):
    return wire.number(1, world.handle_of(value))


def a_dict(world):
    value = world.pick(dict)
    if len(value) > 40:
        clear(world, value)
    return value, body_of(world, value)


def a_set(world):
    value = world.pick(set)
    if len(value) > 40:
        clear(world, value)
    return value, body_of(world, value)


def any_set(world):
    return world.pick(set, frozenset)


def clear(world, value):
    world.run("clear", value.clear, wire.CLEAR, body_of(world, value))


def a_key(world, value):
    """One that is there, about as often as not."""
    if value and world.random.random() < 0.6:
        return world.random.choice(list(value))
    return world.element() if world.random.random() < 0.1 else world.hashable()


def is_sendable(world, value):
    """Equal is not enough for a container that is to be the same one: heapd must hold it."""
    return not isinstance(value, (list, dict, set)) or world.handle_of(value)


# ---- dicts ------------------------------------------------------------------------------------------------------------

@operation(8)
def dict_set(world):
    value, body = a_dict(world)
    key, element = a_key(world, value), world.element()
    world.run("d[]=", lambda: operator.setitem(value, key, element), wire.SET_ITEM,
              body + world.field(2, key) + world.field(3, element))


@operation(4)
def dict_index(world):
    value, body = a_dict(world)
    key = a_key(world, value)
    world.run("d[]", lambda: value[key], wire.GET_ITEM, body + world.field(2, key), into=3)


@operation(3)
def dict_delete(world):
    value, body = a_dict(world)
    key = a_key(world, value)
    world.run("del d[]", lambda: operator.delitem(value, key), wire.DEL_ITEM, body + world.field(2, key))


@operation(4)
def dict_contains(world):
    value, body = a_dict(world)
    key = a_key(world, value)
    world.run("in d", lambda: key in value, wire.CONTAINS, body + world.field(2, key))


@operation(4)
def dict_get(world):
    value, body = a_dict(world)
    key, otherwise = a_key(world, value), world.scalar()
    world.run("get", lambda: value.get(key, otherwise), DICT_GET,
              body + world.field(2, key) + world.field(3, otherwise), into=4)


@operation(5)
def dict_set_default(world):
    value, body = a_dict(world)
    key, element = a_key(world, value), world.element()
    world.run("setdefault", lambda: value.setdefault(key, element), DICT_SET_DEFAULT,
              body + world.field(2, key) + world.field(3, element), into=4)


@operation(4)
def dict_pop(world):
    value, body = a_dict(world)
    key = a_key(world, value)
    if world.random.random() < 0.5:
        world.run("d.pop()", lambda: value.pop(key), DICT_POP, body + world.field(2, key), into=4)
    else:
        otherwise = world.scalar()
        world.run("d.pop(,)", lambda: value.pop(key, otherwise), DICT_POP,
                  body + world.field(2, key) + world.field(3, otherwise), into=4)


@operation(3)
def dict_pop_item(world):
    value, body = a_dict(world)
    if value:
        key, item = next(reversed(value.items()))
        if not is_plain(key) or not is_plain(item):
            return

    def check(pair, answer):
        return True
    world.run("popitem", lambda: (value.popitem(), None)[1], DICT_POP_ITEM, body, check=check)


def is_plain(value):
    return not isinstance(value, (list, dict, set, tuple, frozenset))


@operation(1)
def dict_clear(world):
    clear(world, a_dict(world)[0])


def pairs(world):
    choice = world.random.randrange(4)
    if choice == 0:
        return tuple((world.hashable(), world.scalar()) for _ in range(world.random.randrange(4)))
    source = ordered_source(world) if choice == 1 else world.pick(dict)
    # A set of two is a pair, too, in an order of its own.
    if isinstance(source, (list, tuple)) and any(isinstance(pair, (set, frozenset)) for pair in source):
        return ()
    return source


@operation(4)
def dict_update(world):
    value, body = a_dict(world)
    source = pairs(world)
    if isinstance(source, dict) or is_sendable(world, source):
        def python():
            merged = dict(value)
            merged.update(source)  # whatever is wrong with the source, nothing has changed
            value.clear()
            value.update(merged)
        world.run("update", python, DICT_UPDATE, body + world.field(2, source))


@operation(2)
def dict_or(world):
    value, body = a_dict(world)
    other = world.pick(dict) if world.random.random() < 0.9 else world.pick(list)
    if len(value) + len(other) > 60:
        return
    world.run("d |", lambda: value | other, DICT_MERGE, body + world.field(2, other) + wire.number(3, 1), into=4)
    if isinstance(other, dict):
        world.run("d |=", lambda: (operator.ior(value, other), None)[1], DICT_UPDATE,
                  body + world.field(2, other) + wire.number(3, 1))


@operation(2)
def dict_from_keys(world):
    source, element = ordered_source(world), world.element()
    world.run("fromkeys", lambda: dict.fromkeys(source, element), DICT_FROM_KEYS,
              world.field(1, source) + world.field(2, element), into=3)


# ---- containers out of others -------------------------------------------------------------------------------------------

@operation(5)
def gather(world):
    kind, number = world.random.choice(((list, T_LIST), (tuple, T_TUPLE), (set, T_SET), (frozenset, T_FROZENSET)))
    source = a_source(world) if kind in (set, frozenset) else ordered_source(world)
    # An empty tuple and a frozenset of itself are what CPython has already.
    if kind in (tuple, frozenset) and type(source) is kind:
        return
    world.run("%s()" % kind.__name__, lambda: kind(source), GATHER, world.field(1, source) + wire.number(4, number), into=5)


@operation(4)
def dict_views(world):
    value = a_dict(world)[0]
    view = world.random.randrange(1, 4)
    backwards = world.random.random() < 0.4
    shown = (value.keys, value.values, value.items)[view - 1]
    if view == 3:  # each pair is a new tuple, that is in no one's hand
        world.run("dict(items)", lambda: dict(shown()), GATHER,
                  world.field(1, value) + wire.number(2, 3) + wire.number(4, T_DICT), into=5)
        return
    world.run("list(view)", lambda: list(reversed(shown()) if backwards else shown()), GATHER,
              world.field(1, value) + wire.number(2, view) + wire.number(3, backwards) + wire.number(4, T_LIST), into=5)


# ---- sets ---------------------------------------------------------------------------------------------------------------

@operation(6)
def set_add(world):
    value, body = a_set(world)
    element = a_key(world, value)
    was_new = []

    def python():
        before = len(value)
        value.add(element)
        was_new.append(len(value) > before)
        return was_new[0]
    world.run("add", python, wire.SET_ADD, body + world.field(2, element))


@operation(3)
def set_discard(world):
    value, body = a_set(world)
    element = a_key(world, value)

    def python():
        before = len(value)
        value.discard(element)
        return len(value) < before
    world.run("discard", python, wire.SET_DISCARD, body + world.field(2, element))


@operation(3)
def set_remove(world):
    value, body = a_set(world)
    element = a_key(world, value)
    world.run("remove", lambda: value.remove(element), SET_REMOVE, body + world.field(2, element))


@operation(4)
def set_contains(world):
    value = any_set(world)
    element = a_key(world, value)
    world.run("in s", lambda: element in value, wire.CONTAINS, body_of(world, value) + world.field(2, element))


@operation(1)
def set_clear(world):
    clear(world, a_set(world)[0])


METHODS = ("union", "intersection", "difference", "symmetric_difference")
IN_PLACE = ("update", "intersection_update", "difference_update", "symmetric_difference_update")
OPERATORS = (operator.or_, operator.and_, operator.sub, operator.xor)


def others_of(world, which):
    count = 1 if which == 3 else world.random.choice((1, 1, 1, 0, 2))
    return [a_source(world) for _ in range(count)]


@operation(8)
def set_combine(world):
    value, which = any_set(world), world.random.randrange(4)
    others = others_of(world, which)
    if not others and type(value) is frozenset:
        return  # CPython gives the very same one
    body = body_of(world, value) + wire.number(2, which + 1) + b"".join(world.field(3, other) for other in others)
    world.run(METHODS[which], lambda: getattr(value, METHODS[which])(*others), SET_COMBINE, body, into=5)


@operation(5)
def set_operator(world):
    value, which, other = any_set(world), world.random.randrange(4), a_source(world)
    body = body_of(world, value) + wire.number(2, which + 1) + world.field(3, other) + wire.number(4, 1)
    world.run("s %d o" % which, lambda: OPERATORS[which](value, other), SET_COMBINE, body, into=5)


@operation(8)
def set_update(world):
    value, body = a_set(world)
    which = world.random.randrange(4)
    others = others_of(world, which)
    body += wire.number(2, which + 1) + b"".join(world.field(3, other) for other in others)

    def python():
        changed = set(value)
        getattr(changed, IN_PLACE[which])(*others)  # what fails half way changes nothing in heapd
        value.clear()
        value.update(changed)
    world.run("%s %r" % (IN_PLACE[which], others), python, SET_UPDATE, body)


@operation(6)
def set_compare(world):
    value, other = any_set(world), a_source(world)
    methods = ((3, "issubset"), (5, "issuperset"), (7, "isdisjoint"))
    operators = ((1, operator.eq), (2, operator.ne), (3, operator.le), (4, operator.lt), (5, operator.ge), (6, operator.gt))
    if world.random.random() < 0.5:
        number, name = world.random.choice(methods)
        world.run(name, lambda: getattr(value, name)(other), SET_COMPARE,
                  body_of(world, value) + wire.number(2, number) + world.field(3, other))
    else:
        other = any_set(world)
        number, compare = world.random.choice(operators)
        world.run("set relation %d" % number, lambda: compare(value, other), SET_COMPARE,
                  body_of(world, value) + wire.number(2, number) + world.field(3, other) + wire.number(4, 1))


# ---- weak references --------------------------------------------------------------------------------------------------------

@operation(2)
def weak_reference(world):
    value = world.pick(list, dict, set)
    handle = world.new_handle()
    world.connection.send(MAKE_WEAK, body_of(world, value) + wire.number(2, handle))
    world.connection_forget()
    found = world.new_handle()

    def check(_, answer):
        return isinstance(answer, wire.Handle)
    world.run("weak()", lambda: True, GET_REFERENT, wire.number(1, handle) + wire.number(2, found), check=check)
    world.release(found)
    if world.random.random() < 0.5:
        world.watch(value, handle)  # until it dies: World.check_deaths
    else:
        world.release(handle)
