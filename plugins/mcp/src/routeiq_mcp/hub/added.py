"""Servers that were added at run time: their rows in the shared state, sealed, and a copy on disk.

What a row may say is checked by whoever adds it; a program is never started for one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from pydantic import ValidationError

from routeiq_mcp.hub.kept import Kept
from routeiq_mcp.hub.sealing import Sealer, Unsealable
from routeiq_mcp.rows import ServerRow
from routeiq_sdk import Gateway


@dataclass(frozen=True, slots=True)
class Added:
    """A row. `fields` are those of a row of the YAML, secrets in clear. Times are Unix nanoseconds."""

    id: str
    name: str
    fields: Mapping[str, Any]
    created_at: int = 0
    updated_at: int = 0
    created_by: str | None = None
    updated_by: str | None = None

    @property
    def row(self) -> ServerRow:
        """The row. Raises pydantic's `ValidationError`."""
        return ServerRow.model_validate(dict(self.fields))

    def changed(self, fields: Mapping[str, Any], at: int, by: str | None) -> Added:
        """The row with other fields."""
        return replace(self, fields=fields, updated_at=at, updated_by=by)


class Shelf:
    """The rows by id."""

    def __init__(self, gateway: Gateway, sealer: Sealer) -> None:
        self.kept = Kept(gateway, "servers")
        self._sealer = sealer
        self.faults: Mapping[str, str] = {}
        self._opened: tuple[int, Mapping[str, tuple[bytes, Added]]] = (-2, {})

    def rows(self) -> Mapping[str, Added]:
        """All rows that can be opened; `faults` tells of the others."""
        version, known = self._opened
        if version != self.kept.version:
            opened, faults = {}, {}
            for id, value in self.kept.records.items():
                try:
                    old = known.get(id)
                    opened[id] = old if old is not None and old[0] == value else (value, self._open(id, value))
                except (Unsealable, ValueError, TypeError) as error:
                    faults[id] = str(error) if isinstance(error, Unsealable) else "its record cannot be read"
            self._opened, self.faults = (self.kept.version, opened), faults
            known = opened
        return {id: added for id, (_, added) in known.items()}

    async def add(self, added: Added) -> bool:
        """Write a new one; `False` when its id is taken."""
        return await self.kept.put(added.id, self._seal(added), expected=None)

    async def replace(self, new: Added) -> bool:
        """Write one that exists; `False` when somebody else changed it meanwhile."""
        return await self.kept.put(new.id, self._seal(new), expected=self.kept.records.get(new.id))

    async def remove(self, id: str) -> bool:
        """Delete one; says whether there was one."""
        return await self.kept.remove(id)

    def _seal(self, added: Added) -> bytes:
        told = {
            "name": added.name,
            "fields": added.fields,
            "created_at": added.created_at,
            "updated_at": added.updated_at,
            "created_by": added.created_by,
            "updated_by": added.updated_by,
        }
        return self._sealer.seal(orjson.dumps(told), f"mcp server {added.id}")

    def _open(self, id: str, value: bytes) -> Added:
        return Added(id=id, **orjson.loads(self._sealer.open(value, f"mcp server {id}")))


def said(error: ValidationError) -> str:
    """What is wrong with a row, without its values."""
    told = error.errors(include_input=False, include_url=False, include_context=False)
    first = told[0]
    place = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
