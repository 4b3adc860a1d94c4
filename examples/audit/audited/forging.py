"""Changes one event in a sealed object on disk, as somebody might who has the folder and no key.

How the change is found is the business of `routeiq audit verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import zstandard

from audited.trail import STARTED, lines_of, numbered, objects


@dataclass(frozen=True, slots=True)
class Forgery:
    """The event with the number `seq` now names another model than it did."""

    object: str
    seq: int
    was: str
    now: str


def forge(trail: Path) -> Forgery:
    """The call of a dear model in the middle of the trail becomes one of a cheap model."""
    calls = [
        (path, line)
        for path in objects(trail)
        for line in lines_of(path)
        if line["name"] == STARTED and line["event"]["model"] == "sim-sage"
    ]
    path, wanted = calls[len(calls) // 2]
    changed = [
        line.replace(b'"model":"sim-sage"', b'"model":"sim-scribe"') if number == wanted["seq"] else line
        for number, line in numbered(path)
    ]
    packed = zstandard.ZstdCompressor(write_checksum=True, write_content_size=True).compress(
        b"".join(line + b"\n" for line in changed)
    )
    path.chmod(0o600)
    path.write_bytes(packed)
    return Forgery(path.name, wanted["seq"], "sim-sage", "sim-scribe")
