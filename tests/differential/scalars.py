"""Arithmetic on ints, floats and bools, and hashes."""
import operator

import wire
from registry import operation

BINARY = ((operator.add, 1), (operator.sub, 2), (operator.mul, 3), (operator.truediv, 4), (operator.floordiv, 5),
          (operator.mod, 6), (operator.pow, 7), (operator.lshift, 8), (operator.rshift, 9), (operator.and_, 10),
          (operator.or_, 11), (operator.xor, 12))
UNARY = ((operator.neg, 13), (operator.abs, 14), (operator.invert, 15))


def number(world):
    random = world.random
    choice = random.randrange(12)
    if choice < 3:
        return random.randrange(-10, 11)
    if choice < 5:
        return random.getrandbits(random.choice((30, 59, 60, 61, 62, 63, 64, 65))) * random.choice((1, -1))
    if choice < 7:
        return random.getrandbits(random.choice((127, 128, 500, 1024, 1100, 4000, 20000))) * random.choice((1, -1))
    if choice == 7:
        return (1 << random.choice((59, 60, 61, 63, 64, 128, 1023, 1024, 1074))) * random.choice((1, -1)) + \
            random.choice((-1, 0, 0, 1))
    if choice == 8:
        return random.choice((True, False))
    if choice == 9:
        return random.choice((0.0, -0.0, 1.0, -1.0, 0.5, float("inf"), float("-inf"), world.nan(), 5e-324, 1.8e308 / 10,
                              2.0 ** 53, 1e16))
    if choice == 10:
        return random.uniform(-100, 100)
    return random.choice((1, -1)) * 2.0 ** random.randrange(-1074, 1024) * random.random()


@operation(30)
def arithmetic(world):
    left, right = number(world), number(world)
    function, code = world.random.choice(BINARY)
    if world.random.random() < 0.02:
        right = world.random.choice((None, "" if code == 3 else b"x", {}))
        if right == {}:
            right = world.pick(dict)
    if code == 7 and isinstance(left, int) and isinstance(right, int):
        right = world.random.choice((0, 1, 2, 3, 5, 17, -1, -3, True)) if abs(left) > 1 else right % (1 << 62)
    if code == 8 and isinstance(right, int):
        right = right % 3000 * world.random.choice((1, 1, 1, -1))

    def python():
        if code == 7 and isinstance(right, float) and left < 0 and float(left) not in (float("-inf"),) \
                and right - right == 0 and right != int(right):
            raise ValueError  # a complex number, which heapd has not
        return function(left, right)
    world.run((function.__name__, left, right), python, wire.OPERATE,
              wire.number(1, code) + world.field(2, left) + world.field(3, right))


@operation(4)
def unary(world):
    value = number(world)
    function, code = world.random.choice(UNARY)
    world.run((function.__name__, value), lambda: function(value), wire.OPERATE,
              wire.number(1, code) + world.field(2, value))


RELATIONS = ((operator.eq, 1), (operator.ne, 2), (operator.lt, 3), (operator.le, 4), (operator.gt, 5), (operator.ge, 6))


@operation(8)
def order_of_numbers(world):
    left, right = number(world), number(world)
    if world.random.random() < 0.4 and abs(left) < 1e300 and left == left:
        right = world.random.choice((float, int))(left) + world.random.choice((0, 0, 0, 1, -1))
    function, code = world.random.choice(RELATIONS)
    world.run((function.__name__, left, right), lambda: function(left, right), wire.COMPARE,
              world.field(1, left) + wire.number(2, code) + world.field(3, right))


@operation(2)
def hashes(world):
    """What is equal hashes equal; what cannot change has a hash."""
    value = world.element()
    known = world.__dict__.setdefault("hashes", {})

    def python():
        hash(value)
        return value if world.is_small(value) and value == value else None

    def check(result, answer):
        return result is None or known.setdefault(result, answer) == answer
    world.run(("hash", value), python, wire.HASH, world.field(1, value), check=check)
    if len(known) > 5000:
        known.clear()
