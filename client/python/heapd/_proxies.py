"""Proxies that act as Python's own containers.

What is one request is a method of ``_heapd.Proxy``, in C, and is only given its name here. What takes several is written
in Python. Reading a container gives plain Python containers of what it holds, in which nested containers are proxies.
"""
from __future__ import annotations

import collections.abc
import contextlib
import operator
from typing import Any, Callable, Iterable, Iterator

from . import _heapd
from ._heapd import Proxy
from .errors import Changed, PickleRefused

# The numbers of enum heapd_type.
LIST, TUPLE, DICT, SET, CLASS, INSTANCE = 7, 8, 9, 10, 11, 12

# The numbers of enum heapd_search_mode.
_INDEX, _COUNT, _REMOVE = 1, 4, 8
# The number of enum heapd_view.
_KEYS = 1

# How often what others change meanwhile is tried again.
_TRIES = 20

# How many elements an iterator fetches at a time.
_CHUNK = 512


def _plain(value: Any) -> Any:
    """The other side of a comparison or an operation: a proxy's contents, anything else itself."""
    return value._values() if isinstance(value, Container) else value


def _copied(proxy: Proxy) -> Any:
    """A shallow copy on the daemon, which takes several slices if it is long."""
    for _ in range(_TRIES):
        with contextlib.suppress(Changed):
            return proxy._copy(False)
    return proxy._copy(False)


class Container(Proxy):
    """What all proxies have in common."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def _values(self) -> Any:
        raise NotImplementedError

    def _read(self) -> tuple[Any, Any]:
        """Its contents; or None, if there are containers among them, and a copy on the daemon, which stands still."""
        with contextlib.suppress(Changed):
            found = self._read_shallow()
            return found, self if found is not None else _copied(self)
        # Long, and others change it all the time.
        still = _copied(self)
        return still._read_shallow(), still

    def __reduce__(self) -> Any:
        return self._heap._reduce(self)

    def plain(self) -> Any:
        """A deep copy as plain Python objects; what is shared inside stays shared."""
        return self._heap._plain(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._copy(True)

    def __repr__(self) -> str:
        try:
            return repr(self._heap._plain(self))
        except (ConnectionError, ValueError, RuntimeError, PickleRefused) as error:
            return f"<heapd.{type(self).__name__}: {error}>"

    def same(self, other: Any) -> bool:
        """Is it the same object in the heap?"""
        return (isinstance(other, Proxy) and other._heap is self._heap
                and self._inspect()["identity"] == other._inspect()["identity"])


class Sequence(Container):
    """What lists and tuples have in common."""

    __slots__ = ()

    def _read(self) -> tuple[Any, Any]:
        with contextlib.suppress(Changed):
            found = self._read_shallow()
            if found is not None:
                return found, self
        # A slice of all of it is a copy that nobody changes, made in one step unless it is very long.
        found = self._read_part(slice(None))
        return (None, found) if isinstance(found, Proxy) else (found, self)

    def _read_part(self, index: slice) -> Any:
        for _ in range(_TRIES):
            with contextlib.suppress(Changed):
                return self._read_slice(index)
        return self._read_slice(index)

    def _values(self) -> list[Any]:
        found, still = self._read()
        if found is None:
            return _read_items(still)
        return found if type(found) is list else list(found)

    def _get_slice(self, index: slice) -> Any:
        if index.start is None and index.stop is None and index.step is None:
            return self._values()
        found = self._read_part(index)
        return _read_items(found) if isinstance(found, Proxy) else found if type(found) is list else list(found)

    def __iter__(self) -> Iterator[Any]:
        return self._steps()

    def _steps(self) -> Iterator[Any]:
        position = 0
        while True:
            chunk = self._get_slice(slice(position, position + _CHUNK))
            yield from chunk
            position += len(chunk)
            if len(chunk) < _CHUNK and position >= len(self):
                return

    def __reversed__(self) -> Iterator[Any]:
        for position in range(len(self) - 1, -1, -1):
            try:
                yield self[position]
            except IndexError:
                return

    def index(self, value: Any, start: int = 0, stop: int = 2**63 - 1, /) -> int:
        try:
            return int(self._search(_INDEX, value, slice(start, stop)))
        except PickleRefused:
            raise ValueError(f"{value!r} is not in list") from None

    def count(self, value: Any, /) -> int:
        try:
            return int(self._search(_COUNT, value, slice(None)))
        except PickleRefused:
            return 0


def _read_items(proxy: Proxy, keys: Iterable[Any] | None = None) -> list[Any]:
    """Many items, in one write."""
    heap = proxy._heap
    if heap._in_pipeline:
        raise RuntimeError("a pipeline cannot read a container; read it outside")
    if keys is None:
        keys = range(len(proxy))
    values: list[Any] = []
    with heap.pipeline():
        results = [proxy[key] for key in keys]
    for result in results:
        try:
            values.append(result.result())
        except IndexError:
            break  # it became shorter meanwhile
    return values


def _comparison(compare: Callable[[Any, Any], Any], kind: type) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, (kind, _PROXY_OF[kind])):
            return NotImplemented
        if compare in (operator.eq, operator.ne) and isinstance(other, Proxy) and len(self) != len(other):
            return compare is operator.ne
        return compare(self._values(), _plain(other))

    method.__name__ = f"__{compare.__name__}__"
    return method


class List(Sequence):
    """A list in the heap."""

    __slots__ = ()

    append = Proxy._append
    clear = Proxy._clear
    pop = Proxy._pop_last

    def insert(self, index: int, value: Any, /) -> None:
        self._insert(operator.index(index), value)

    def extend(self, values: Iterable[Any], /) -> None:
        if isinstance(values, Proxy) and values._heap is self._heap:
            self._extend_from(values)
        else:
            self._extend(values)

    def remove(self, value: Any, /) -> None:
        try:
            self._search(_REMOVE, value, slice(None))
        except PickleRefused:
            raise ValueError("list.remove(x): x not in list") from None

    reverse = Proxy._reverse

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """By value on the daemon, in one step; with a key the values come here and go back."""
        if key is None:
            self._sort(reverse)
        else:
            self[:] = sorted(self._values(), key=key, reverse=reverse)

    def copy(self) -> Any:
        return self._copy(False)

    __copy__ = copy

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, (list, List)):
            return NotImplemented
        return self._values() + _plain(other)

    def __radd__(self, other: Any) -> Any:
        return other + self._values() if isinstance(other, list) else NotImplemented

    def __iadd__(self, other: Any) -> Any:
        self.extend(other)
        return self

    def __mul__(self, count: Any) -> Any:
        return self._values() * count

    __rmul__ = __mul__

    def __imul__(self, count: Any) -> Any:
        self._repeat(operator.index(count))
        return self


class Tuple(Sequence):
    """A tuple in the heap."""

    __slots__ = ()

    def _values(self) -> Any:
        found, still = self._read()
        return tuple(found if found is not None else _read_items(still))

    def _get_slice(self, index: slice) -> Any:
        return tuple(super()._get_slice(index))

    def _steps(self) -> Iterator[Any]:
        return iter(self._values())

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self._heap._plain(self))

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, (tuple, Tuple)):
            return NotImplemented
        return self._values() + _plain(other)

    def __radd__(self, other: Any) -> Any:
        return other + self._values() if isinstance(other, tuple) else NotImplemented

    def __mul__(self, count: Any) -> Any:
        return self._values() * count

    __rmul__ = __mul__


def _watched(container: Any, keys: list[Any]) -> Iterator[Any]:
    """Goes through what was read at once; notices now and then that the container's size has changed."""
    def steps() -> Iterator[Any]:
        for position, key in enumerate(keys):
            if position % _CHUNK == 0 and len(container) != len(keys):
                raise RuntimeError("dictionary changed size during iteration")
            yield key

    return steps()


class Dict(Container):
    """A dict in the heap."""

    __slots__ = ()

    get = Proxy._get
    pop = Proxy._pop_key
    clear = Proxy._clear

    def _keys(self) -> list[Any]:
        """Keys are values, tuples too, so they come as plain copies."""
        return list(self._heap._plain(self._gather(_KEYS, False)))

    def _values(self) -> dict[Any, Any]:
        found, still = self._read()
        if found is not None:
            return found  # type: ignore[no-any-return]
        keys = still._keys()
        return dict(zip(keys, _read_items(still, keys)))

    def __iter__(self) -> Iterator[Any]:
        return _watched(self, self._keys())

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self._keys())

    def keys(self) -> Any:
        return Keys(self)  # type: ignore[arg-type]

    def values(self) -> Any:
        return Values(self)  # type: ignore[arg-type]

    def items(self) -> Any:
        return Items(self)  # type: ignore[arg-type]

    def update(self, *args: Any, **named: Any) -> None:
        if len(args) > 1:
            raise TypeError(f"update expected at most 1 argument, got {len(args)}")
        for mapping in args:
            self._update(_plain(mapping))
        if named:
            self._update(named)

    setdefault = Proxy._set_default

    def popitem(self) -> tuple[Any, Any]:
        try:
            return self._pop_item()
        except KeyError:
            raise KeyError("popitem(): dictionary is empty") from None

    def copy(self) -> Any:
        return self._copy(False)

    __copy__ = copy

    def increase(self, key: Any, delta: Any = 1) -> Any:
        """Adds to the number of a key, atomically, and gives the new number."""
        return self._increase_item(key, delta)

    def __or__(self, other: Any) -> Any:
        return self._values() | _plain(other) if isinstance(other, (dict, Dict)) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return other | self._values() if isinstance(other, dict) else NotImplemented

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def fromkeys(self, keys: Iterable[Any], value: Any = None) -> Any:
        """A new dict of the same heap."""
        return self._heap.dict(dict.fromkeys(keys, value))


class Keys(collections.abc.KeysView[Any]):
    """The keys of a dict in the heap, as they are now."""

    __slots__ = ()

    _mapping: Any

    def __repr__(self) -> str:
        return f"dict_keys({list(self)!r})"

    def __contains__(self, key: object) -> bool:
        return key in self._mapping

    def __iter__(self) -> Iterator[Any]:
        return iter(self._mapping)

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self._mapping)


class Values(collections.abc.ValuesView[Any]):
    """The values of a dict in the heap, as they are now."""

    __slots__ = ()

    _mapping: Any

    def __repr__(self) -> str:
        return f"dict_values({list(self)!r})"

    def __contains__(self, value: object) -> bool:
        return value in list(self)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._mapping._values().values())

    def __reversed__(self) -> Iterator[Any]:
        return reversed(list(self))


class Items(collections.abc.ItemsView[Any, Any]):
    """The items of a dict in the heap, as they are now."""

    __slots__ = ()

    _mapping: Any

    def __repr__(self) -> str:
        return f"dict_items({list(self)!r})"

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, tuple) or len(item) != 2:
            return False
        try:
            return bool(self._mapping[item[0]] == item[1])
        except KeyError:
            return False

    def __iter__(self) -> Iterator[Any]:
        return iter(self._mapping._values().items())

    def __reversed__(self) -> Iterator[Any]:
        return reversed(list(self))


# The numbers of enum heapd_set_operation and heapd_set_relation, by what Python calls them.
_OPERATIONS = {"union": 1, "intersection": 2, "difference": 3, "symmetric_difference": 4,
               "or_": 1, "and_": 2, "sub": 3, "xor": 4}
_RELATIONS = {"eq": 1, "ne": 2, "le": 3, "issubset": 3, "lt": 4, "ge": 5, "issuperset": 5, "gt": 6, "isdisjoint": 7}


class _SetOperations(Container):
    """What sets and frozensets have in common."""

    __slots__ = ()

    def _values(self) -> Any:
        found = self._heap._plain(self)
        return found if type(found) is set else set(found)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values())

    def _on_daemon(self, others: Iterable[Any]) -> bool:
        """Are they all sets of the same heap? Then the daemon does it, and only what comes out travels."""
        return all(isinstance(other, _SetOperations) and other._heap is self._heap for other in others)

    def _combine(self, name: str, others: tuple[Any, ...]) -> Any:
        if others and self._on_daemon(others):
            return self._set_combine(_OPERATIONS[name], others, self._heap._make_plain)
        return getattr(self._values(), name)(*map(_plain, others))

    def _compare(self, name: str, other: Any) -> bool:
        if self._on_daemon((other,)):
            return self._set_compare(_RELATIONS[name], other)
        return bool(getattr(self._values(), name)(_plain(other)))

    def isdisjoint(self, other: Iterable[Any]) -> bool:
        return self._compare("isdisjoint", other)

    def issubset(self, other: Iterable[Any]) -> bool:
        return self._compare("issubset", other)

    def issuperset(self, other: Iterable[Any]) -> bool:
        return self._compare("issuperset", other)

    def union(self, *others: Iterable[Any]) -> Any:
        return self._combine("union", others)

    def intersection(self, *others: Iterable[Any]) -> Any:
        return self._combine("intersection", others)

    def difference(self, *others: Iterable[Any]) -> Any:
        return self._combine("difference", others)

    def symmetric_difference(self, other: Iterable[Any]) -> Any:
        return self._combine("symmetric_difference", (other,))

    def copy(self) -> Any:
        return self._copy(False)

    __copy__ = copy


def _elements(values: Any) -> Any:
    """What is gone through for its elements, as something that can be sent."""
    plain = _plain(values)
    return plain if type(plain) in (set, frozenset, list, tuple) else list(plain)


def _set_operator(name: str, reflected: bool = False) -> Callable[[Any, Any], Any]:
    operate = getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, (set, frozenset, _SetOperations, collections.abc.Set)):
            return NotImplemented
        if self._on_daemon((other,)) and not reflected:
            if name in _RELATIONS:
                return self._set_compare(_RELATIONS[name], other)
            return self._set_combine(_OPERATIONS[name], (other,), self._heap._make_plain)
        if isinstance(other, collections.abc.Set) and not isinstance(other, (set, frozenset)):
            other = set(other)
        return operate(_plain(other), self._values()) if reflected else operate(self._values(), _plain(other))

    method.__name__ = f"__{'r' if reflected else ''}{name.strip('_')}__"
    return method


for _name in ("and_", "or_", "sub", "xor", "le", "lt", "ge", "gt", "eq", "ne"):
    setattr(_SetOperations, f"__{_name.strip('_')}__", _set_operator(_name))
for _name in ("and_", "or_", "sub", "xor"):
    setattr(_SetOperations, f"__r{_name.strip('_')}__", _set_operator(_name, True))


class Set(_SetOperations):
    """A set in the heap."""

    __slots__ = ()

    add = Proxy._add
    clear = Proxy._clear

    def __contains__(self, value: Any) -> bool:
        return Proxy.__contains__(self, frozenset(value) if isinstance(value, (set, Set)) else value)

    def remove(self, value: Any, /) -> None:
        self._discard_known(frozenset(value) if isinstance(value, (set, Set)) else value)

    def discard(self, value: Any, /) -> None:
        self._discard(frozenset(value) if isinstance(value, (set, Set)) else value)

    def pop(self) -> Any:
        try:
            return self._pop_last()
        except (IndexError, KeyError):
            raise KeyError("pop from an empty set") from None

    def _change(self, name: str, others: Iterable[Any]) -> None:
        """In one step on the daemon, whatever the others are."""
        sent = tuple(other if self._on_daemon((other,)) else _elements(other) for other in others)
        self._set_update(_OPERATIONS[name], sent)

    def update(self, *others: Iterable[Any]) -> None:
        if others:
            self._change("union", others)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        if others:
            self._change("intersection", others)

    def difference_update(self, *others: Iterable[Any]) -> None:
        if others:
            self._change("difference", others)

    def symmetric_difference_update(self, other: Iterable[Any]) -> None:
        self._change("symmetric_difference", (other,))

    def __ior__(self, other: Any) -> Any:
        if not isinstance(other, (set, frozenset, _SetOperations)):
            return NotImplemented
        self.update(other)
        return self

    def __iand__(self, other: Any) -> Any:
        if not isinstance(other, (set, frozenset, _SetOperations)):
            return NotImplemented
        self.intersection_update(other)
        return self

    def __isub__(self, other: Any) -> Any:
        if not isinstance(other, (set, frozenset, _SetOperations)):
            return NotImplemented
        self.difference_update(other)
        return self

    def __ixor__(self, other: Any) -> Any:
        if not isinstance(other, (set, frozenset, _SetOperations)):
            return NotImplemented
        self.symmetric_difference_update(other)
        return self


class Frozenset(_SetOperations):
    """A frozenset in the heap."""

    __slots__ = ()

    def _values(self) -> Any:
        return frozenset(self._heap._plain(self))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self._values())


_PROXY_OF: dict[type, type] = {list: List, tuple: Tuple, dict: Dict}

for _kind, _proxy in _PROXY_OF.items():
    for _compare in (operator.eq, operator.ne):
        setattr(_proxy, f"__{_compare.__name__}__", _comparison(_compare, _kind))
    if _kind is not dict:
        for _compare in (operator.lt, operator.le, operator.gt, operator.ge):  # type: ignore[assignment]
            setattr(_proxy, f"__{_compare.__name__}__", _comparison(_compare, _kind))


class Object(Proxy):
    """An instance in the heap: its attributes are shared. Methods are those of the class that was registered for it."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._get_attribute(name)
        except AttributeError:
            found = self._heap._class_attribute(self, name)
            if found is None:
                raise AttributeError(f"the object has no attribute {name!r}") from None
            return found

    def __setattr__(self, name: str, value: Any) -> None:
        self._set_attribute(name, value)

    def __delattr__(self, name: str) -> None:
        self._del_attribute(name)

    def __reduce__(self) -> Any:
        return self._heap._reduce(self)

    def plain(self) -> Any:
        """A copy as an instance of the class that is registered for it."""
        return self._heap._plain(self)

    def increase(self, name: str, delta: Any = 1) -> Any:
        """Adds to the number in an attribute, atomically, and gives the new number."""
        return self._increase_attribute(name, delta)

    def __repr__(self) -> str:
        return f"<heapd.Object of {self._inspect()['class_name'] or 'no class'}>"

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if not isinstance(other, Object):
            return NotImplemented
        return other._heap is self._heap and self._inspect()["identity"] == other._inspect()["identity"]

    def __hash__(self) -> int:
        return hash(self._inspect()["identity"])


class Class(Proxy):
    """A class in the heap: the layout of instances."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return self._heap._reduce(self)


collections.abc.MutableSequence.register(List)
collections.abc.Sequence.register(Tuple)
collections.abc.MutableMapping.register(Dict)
collections.abc.MutableSet.register(Set)
collections.abc.Set.register(Frozenset)

TYPES: dict[int, type[Proxy]] = {LIST: List, TUPLE: Tuple, DICT: Dict, SET: Set, CLASS: Class, INSTANCE: Object,
                                 14: Frozenset}
__all__ = ["Container", "Sequence", "List", "Tuple", "Dict", "Set", "Frozenset", "Object", "Class", "Keys", "Values",
           "Items", "TYPES", "_heapd"]
