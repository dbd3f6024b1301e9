"""Operations, and how often each is done. A module of operations is imported by run.py; nothing else is needed."""
OPERATIONS = []


def operation(weight):
    """Decorates function(world), which does one random operation by world.run, or none if there is nothing to do."""

    def register(function):
        OPERATIONS.append((function, weight))
        return function

    return register
