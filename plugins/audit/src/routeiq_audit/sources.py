"""Where lines are read from: folders of file sinks, and outboxes whose objects are not shipped yet.

Lines are told as they lie there; whether they hold is found by `verifying`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from routeiq_audit.outbox import Outbox
from routeiq_audit.packing import Unreadable
from routeiq_audit.trail import Piece, Trail

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One object that can be read. `day` is when it was sealed, `YYYY-MM-DD`: its events are not newer."""

    name: str
    stream: str
    tenant: str
    first: int
    last: int
    day: str
    read: Callable[[], Iterable[Line]]

    @property
    def chain(self) -> tuple[str, str]:
        """Stream and tenant."""
        return self.stream, self.tenant


def parts(folders: Sequence[Path], since_day: str = "") -> list[Part]:
    """The objects in some folders, each once, by chain and number. A folder is a copy of the trail, or the `spool`
    folder of the configuration, in which outboxes lie."""
    found: dict[str, Part] = {}
    for folder in folders:
        for part in (*_of_trail(Trail(folder), since_day), *_of_outboxes(folder)):
            found.setdefault(part.name, part)
    return sorted(found.values(), key=lambda part: (part.chain, part.first))


def folders_of(document: Mapping[str, Any]) -> list[Path]:
    """The folders that a configuration names: those of its file sinks, and the spool. Raises `ValueError` when there
    are none."""
    plugins = (document.get("routeiq") or {}).get("plugins") or {}
    config = plugins.get("audit") or {}
    found = [Path(sink["path"]) for sink in config.get("sinks") or () if sink.get("kind") == "file" and "path" in sink]
    if config.get("spool"):
        found.append(Path(config["spool"]))
    if not found:
        raise ValueError("it has no plugin audit with a file sink or a spool; name a folder instead")
    return found


def _of_trail(trail: Trail, since_day: str) -> Iterator[Part]:
    def reader(piece: Piece) -> Callable[[], Iterable[Line]]:
        return lambda: trail.lines(piece)

    for pieces in trail.chains(since_day).values():
        for piece in pieces:
            if piece.has_object:
                first, last = piece.first, piece.last
                yield Part(piece.name, piece.stream, piece.tenant, first, last, piece.day, reader(piece))


def _of_outboxes(folder: Path) -> Iterator[Part]:
    for place in sorted(folder.glob("outbox-*/*/facts.json")):
        if not place.parent.name.isdigit():
            continue
        try:
            facts = orjson.loads(place.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            continue  # shipped this very moment
        day = facts["name"].partition("/dt=")[2][:10]
        read = _outbox_reader(place.parent)
        yield Part(facts["name"], facts["stream"], facts["tenant"], facts["first_seq"], facts["last_seq"], day, read)


def _outbox_reader(place: Path) -> Callable[[], Iterable[Line]]:
    def read() -> Iterable[Line]:
        sealed = Outbox(place.parent).load(int(place.name))
        if sealed is None:
            return []
        try:
            return [orjson.loads(line) for line in sealed.lines()]
        except (Unreadable, orjson.JSONDecodeError):
            return []

    return read
