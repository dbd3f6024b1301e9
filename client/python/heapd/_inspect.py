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
