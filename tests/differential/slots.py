"""Reading and changing an item of a list or dict in one step."""
import wire
from registry import operation
from scalars import BINARY, number

COMPUTE, SWAP, COMPARE_AND_SET, GET_OR_CREATE, ADD_IF_ABSENT = range(1, 6)


def a_slot(world):
    value = world.pick(list, dict)
    random = world.random
    if isinstance(value, list):
        key = random.randrange(-len(value) - 1, len(value) + 1)
    else:
        key = random.choice(list(value)) if value and random.random() < 0.6 else world.hashable()
    return value, key, wire.number(1, world.handle_of(value)) + world.field(2, key)


@operation(4)
def compute(world):
    value, key, body = a_slot(world)
    operand = number(world)
    function, code = world.random.choice([pair for pair in BINARY if pair[1] not in (7, 8)])

    def python():
        old = value[key]
        # Heapd computes with numbers here; what is no number has no such update.
        if not isinstance(old, (int, float)):
            raise TypeError
        value[key] = function(old, operand)
        return value[key]
    world.run((function.__name__, operand), python, wire.UPDATE,
              body + wire.number(5, COMPUTE) + wire.number(6, code) + world.field(7, operand), into=9)


@operation(3)
def swap(world):
    value, key, body = a_slot(world)
    operand = world.element()

    def python():
        old = value[key]
        value[key] = operand
        return old
    world.run("swap", python, wire.UPDATE, body + wire.number(5, SWAP) + world.field(7, operand), into=9)


@operation(3)
def compare_and_set(world):
    value, key, body = a_slot(world)
    operand = world.element()
    there = isinstance(value, dict) and key in value or isinstance(value, list) and -len(value) <= key < len(value)
    expected = value[key] if there and world.random.random() < 0.6 else world.element()
    none = isinstance(value, dict) and world.random.random() < 0.3
    if there and not world.is_small(value[key], expected):
        return

    def python():
        if none:
            if key in value:
                return False
        else:
            if isinstance(value, dict) and key not in value:
                return False
            if not value[key] == expected:
                return False
        value[key] = operand
        return True
    body += wire.number(5, COMPARE_AND_SET) + world.field(7, operand)
    world.run("compare and set", python, wire.UPDATE, body if none else body + world.field(8, expected))


@operation(3)
def get_or_create(world):
    value, key, body = a_slot(world)
    operand = world.element()

    def python():
        return value.setdefault(key, operand) if isinstance(value, dict) else value[key]
    world.run("setdefault", python, wire.UPDATE, body + wire.number(5, GET_OR_CREATE) + world.field(7, operand), into=9)


@operation(2)
def add_if_absent(world):
    value = world.pick(list)
    what = world.random.choice(value) if value and world.random.random() < 0.5 else world.element()
    if not world.is_small(*value, what) or len(value) > 60:
        return

    def python():
        if what in value:
            return False
        value.append(what)
        return True
    world.run("add if absent", python, wire.UPDATE,
              wire.number(1, world.handle_of(value)) + wire.number(5, ADD_IF_ABSENT) + world.field(7, what))
