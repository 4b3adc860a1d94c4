"""What a test server remembers of a request it received.
Nothing here answers, and nothing here touches a socket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


class Headers(Mapping[str, str]):
    """Request headers, looked up in any case; a repeated header reads as one, joined by commas."""

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        self.raw = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)
        self._joined: dict[str, str] = {}
        for name, value in self.raw:
            known = self._joined.get(name.lower())
            self._joined[name.lower()] = value if known is None else f"{known}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._joined

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def __repr__(self) -> str:
        return f"Headers({self._joined!r})"


@dataclass(frozen=True, eq=False)
class RecordedRequest:
    """One request as it arrived, and what became of it.

    `answered` is set once the whole reply is written, `disconnected` if the client goes away before that.
    """

    number: int
    connection: int
    method: str
    target: str
    headers: Headers
    body: bytes
    received_at: float
    answered: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    disconnected: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @cached_property
    def json(self) -> Any:
        """The decoded body; raises ValueError if the body is not JSON."""
        return json.loads(self.body)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is anything else."""
        try:
            decoded = self.json
        except ValueError:
            return {}
        return decoded if isinstance(decoded, dict) else {}

    @property
    def model(self) -> str | None:
        model = self.fields.get("model")
        return model if isinstance(model, str) else None
