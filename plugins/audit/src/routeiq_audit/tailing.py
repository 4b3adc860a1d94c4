"""The newest lines of some folders, and those that came since.

How they are shown is the business of the command.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from routeiq_audit.selecting import Selection
from routeiq_audit.sources import Line, Part, parts


@dataclass(slots=True)
class Seen:
    """How far each chain was read, and the day that the newest object was sealed."""

    last: dict[tuple[str, str], int] = field(default_factory=dict)
    day: str = ""


def newest(folders: Sequence[Path], selection: Selection, most: int) -> tuple[list[Line], Seen]:
    """The last `most` wanted lines of all chains, oldest first, and how far was read."""
    seen = Seen()
    chains: dict[tuple[str, str], list[Part]] = {}
    for part in parts(folders, selection.since[:10]):
        chains.setdefault(part.chain, []).append(part)
        _note(seen, part)
    found: list[Line] = []
    for own in chains.values():
        kept: deque[Line] = deque()
        for part in reversed(own):
            if len(kept) >= most:
                break
            kept.extendleft(reversed(list(selection.lines([part]))))
        found += list(kept)[max(0, len(kept) - most) :]
    found.sort(key=_when)
    return found[max(0, len(found) - most) :], seen


def since(folders: Sequence[Path], selection: Selection, seen: Seen) -> Iterator[Line]:
    """The wanted lines that came after `seen`, which moves on."""
    fresh = [part for part in parts(folders, seen.day) if part.last > seen.last.get(part.chain, 0)]
    lines = list(selection.lines(fresh))
    for part in fresh:
        _note(seen, part)
    yield from sorted(lines, key=_when)


def _note(seen: Seen, part: Part) -> None:
    seen.last[part.chain] = max(part.last, seen.last.get(part.chain, 0))
    seen.day = max(part.day, seen.day)


def _when(line: Line) -> str:
    return str(line.get("time", ""))
