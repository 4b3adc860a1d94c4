"""Reads a trail without the product's code: objects are zstd, lines are JSON.

Whether it can be believed is the business of `routeiq audit verify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import zstandard

STARTED = "routeiq.attempt_started.v1"
FINISHED = "routeiq.router_decision.v2"

Line = dict[str, Any]


def objects(trail: Path) -> list[Path]:
    """The objects of the one stream, in the order of their numbers."""
    return sorted(trail.rglob("*.jsonl.zst"), key=lambda path: path.name)


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of an object; each holds a number (`seq`), a hash and an event."""
    for line in _unpacked(path):
        yield orjson.loads(line)


def numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of an object byte for byte, each after its number."""
    for line in _unpacked(path):
        yield orjson.loads(line)["seq"], line


def requests(lines: Iterable[Line], name: str) -> set[str]:
    """The ids of requests that events of this name tell of."""
    return {line["event"]["request_id"] for line in lines if line["name"] == name}


def _unpacked(path: Path) -> list[bytes]:
    lines: bytes = zstandard.ZstdDecompressor().decompress(path.read_bytes())
    return lines.splitlines()
