"""What the daemon says about the whole heap: why an object lives, and what it keeps."""
from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Root:
    """What holds an object at the beginning of a path."""

    kind: str  # request, globals, session, waiter, frozen, token, garbage or interned
    session: int
    client_name: str
    pid: int

    def __str__(self) -> str:
        if self.kind == "session":
            return f"session {self.session} ({self.client_name or 'ended'}, pid {self.pid})"
        return "global names" if self.kind == "globals" else self.kind


@dataclasses.dataclass(frozen=True)
class Step:
    """An object on a path, and how the one before refers to it; of the first, edge says nothing."""

    identity: int
    type: str
    edge: str
    number: int
    text: str
    class_name: str
    shallow_bytes: int
    gone: bool

    def __str__(self) -> str:
        how = {"index": f"[{self.number}]", "key": f"[{self.text}]", "attribute": f".{self.text}",
               "name": f" name {self.text!r}", "is_key": " as a key", "member": " as a member"}
        kind = self.class_name or self.type
        return f"{how.get(self.edge, ' ' + self.edge)} -> {kind} {self.identity:#x}"


@dataclasses.dataclass(frozen=True)
class Path:
    """From a root to the object, which is the last step."""

    root: Root
    steps: tuple[Step, ...]
    elided: int  # steps left out in the middle
    elided_before: int

    def __str__(self) -> str:
        first = self.steps[0]
        text = f"{self.root} -> {first.class_name or first.type} {first.identity:#x}"
        for i, step in enumerate(self.steps[1:], 1):
            if self.elided and i == self.elided_before:
                text += f" -> ({self.elided} more)"
            text += str(step)
        return text


@dataclasses.dataclass(frozen=True)
class Reasons:
    """Why an object lives: one path for each holder, the shortest first. None: it waits for a collection."""

    identity: int
    type: str
    reference_count: int
    holders: int
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        if not self.paths:
            return f"{self.type} {self.identity:#x}: nothing holds it; it waits for a collection"
        return "\n".join(str(path) for path in self.paths)


@dataclasses.dataclass(frozen=True)
class Keeper:
    """An object, or all that a root holds, and what would go with it."""

    root: Root | None
    identity: int
    type: str
    class_name: str
    shallow_bytes: int
    retained_bytes: int
    retained_count: int


@dataclasses.dataclass(frozen=True)
class Keeping:
    """What an object keeps alive, by itself; without an object, the largest keepers of all."""

    object: Keeper | None
    reachable: bool
    above: tuple[Keeper, ...]  # what keeps it, the nearest first
    largest: tuple[Keeper, ...]  # of what it keeps directly
    reachable_count: int
    reachable_bytes: int

    @property
    def bytes(self) -> int:
        return self.object.retained_bytes if self.object else self.reachable_bytes

    @property
    def count(self) -> int:
        return self.object.retained_count if self.object else self.reachable_count


def reasons(answer: tuple[Any, ...]) -> Reasons:
    identity, kind, references, holders, paths = answer
    return Reasons(identity, kind, references, holders, tuple(
        Path(Root(*root), tuple(Step(*step) for step in steps), elided, before)
        for root, steps, elided, before in paths))


def _keeper(row: tuple[Any, ...]) -> Keeper:
    return Keeper(Root(*row[0]) if row[0] else None, *row[1:])


def keeping(answer: tuple[Any, ...]) -> Keeping:
    found, reachable, above, largest, count, size = answer
    return Keeping(_keeper(found) if found else None, reachable, tuple(map(_keeper, above)),
                   tuple(map(_keeper, largest)), count, size)


@dataclasses.dataclass(frozen=True)
class Statistic:
    """Objects of one type, class, tag, global name or session. Of the last two, size is what they keep."""

    name: str
    count: int
    size: int
    retained: int


@dataclasses.dataclass(frozen=True)
class StatisticDiff:
    """As tracemalloc.StatisticDiff: what there is now, and what there is more than before."""

    name: str
    count: int
    count_diff: int
    size: int
    size_diff: int
    retained: int
    retained_diff: int

    def __str__(self) -> str:
        return (f"{self.name}: size={self.size} ({self.size_diff:+}), count={self.count} ({self.count_diff:+}), "
                f"retained={self.retained} ({self.retained_diff:+})")


@dataclasses.dataclass(frozen=True)
class Census:
    """What there is at one moment: rows by "type", "class", "name", "tag" and "session", the largest of each."""

    heap: int  # which heap it is
    created: int  # objects made until then
    count: int
    size: int
    reachable_count: int
    reachable_size: int
    rows: dict[str, tuple[Statistic, ...]]

    def compare_to(self, older: Census, key: str = "type") -> list[StatisticDiff]:
        """What changed since, the largest change first. ValueError: the other is of another heap, or later."""
        if self.heap != older.heap:
            raise ValueError("the two are of different heaps: the daemon was started anew in between, or is another")
        if older.created > self.created:
            raise ValueError("the other is the later one; compare it to this")
        none = Statistic("", 0, 0, 0)
        now, then = ({row.name: row for row in census.rows[key]} for census in (self, older))
        changes = []
        for name in {**now, **then}:
            to, was = now.get(name, none), then.get(name, none)
            changes.append(StatisticDiff(name, to.count, to.count - was.count, to.size, to.size - was.size,
                                         to.retained, to.retained - was.retained))
        return sorted(changes, key=lambda row: (-abs(row.size_diff), -abs(row.retained_diff), -abs(row.count_diff),
                                                row.name))


def census(answer: tuple[Any, ...]) -> Census:
    heap, created, count, size, reachable, reachable_size, types, classes, names, tags, sessions = answer
    keep = [(f"{session} {client}", kept, kept_size, kept_size) for session, client, kept, kept_size in sessions]
    groups = {"type": types, "class": classes, "name": names, "tag": tags, "session": keep}
    return Census(heap, created, count, size, reachable, reachable_size,
                  {key: tuple(Statistic(*row) for row in rows) for key, rows in groups.items()})


class Tag:
    """What the heap's connection makes in the block has a tag."""

    def __init__(self, heap: Any, name: str) -> None:
        self._heap, self._name, self._before = heap, name, list[str]()

    def __enter__(self) -> Tag:
        self._before.append(self._heap._set_tag(self._name))
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        before = self._before.pop()
        if not self._heap.closed:
            self._heap._set_tag(before)
