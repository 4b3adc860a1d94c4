"""Policies that the API added: records of the shared state, a copy of them on disk, and the watch for changes.

The shared state may be memory that a restart empties; policies that forbid must not vanish with it. So each gateway
keeps a copy and puts it back when the state has lost its own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from routeiq_sdk import Gateway, PluginError

TABLE = "policy-cedar"
CHANNEL = "policy-cedar"
_VERSION = "#version"  # no id of a policy begins so
_FILE = "policies.json"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Added:
    """A text of policies that the API added. Times are Unix nanoseconds."""

    id: str
    policy: str
    description: str = ""
    enabled: bool = True
    created_at: int = 0
    updated_at: int = 0
    created_by: str | None = None
    updated_by: str | None = None


class Shelf:
    """Reads and writes what was added. All methods raise `StoreUnavailable` while the state is away."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._state = gateway.state

    async def version(self) -> int | None:
        """The number of the last change; `None` when the state knows of none (or lost it)."""
        found = await self._state.get(TABLE, _VERSION)
        return int(found) if found is not None else None

    async def load(self) -> tuple[int, dict[str, Added]]:
        """All of them and their version. Puts the copy on disk back where the state has nothing."""
        version = await self.version()
        if version is None:
            version = await self._put_back()
        while True:
            found = {}
            async for key, value in self._state.scan(TABLE):
                if key != _VERSION:
                    found[key] = Added(**json.loads(value))
            after = await self.version() or 0
            if after == version:
                self._copy(version, found)
                return version, found
            version = after

    async def add(self, added: Added) -> bool:
        """Write a new one; `False` when its id is taken."""
        if not await self._state.put_if(TABLE, added.id, _written(added), expected=None):
            return False
        await self._changed()
        return True

    async def replace(self, old: Added, new: Added) -> bool:
        """Write another text; `False` when somebody else changed it meanwhile."""
        if not await self._state.put_if(TABLE, old.id, _written(new), expected=_written(old)):
            return False
        await self._changed()
        return True

    async def remove(self, id: str) -> bool:
        """Delete one; says whether there was one."""
        if not await self._state.delete(TABLE, id):
            return False
        await self._changed()
        return True

    async def _changed(self) -> None:
        while True:
            found = await self._state.get(TABLE, _VERSION)
            number = str(int(found or 0) + 1).encode()
            if await self._state.put_if(TABLE, _VERSION, number, expected=found):
                break
        await self._state.publish(CHANNEL, number)

    async def _put_back(self) -> int:
        version, kept = self._read_copy()
        for added in kept.values():
            await self._state.put_if(TABLE, added.id, _written(added), expected=None)
        await self._state.put_if(TABLE, _VERSION, str(version).encode(), expected=None)
        return await self.version() or 0

    def _read_copy(self) -> tuple[int, Mapping[str, Added]]:
        path = self._gateway.data_dir / _FILE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return int(document["version"]), {row["id"]: Added(**row) for row in document["policies"]}
        except FileNotFoundError:
            return 0, {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PluginError(
                "policy-cedar",
                f"{path} cannot be read: {type(error).__name__}",
                mend="restore the file, or delete it together with the policies that were added by the API",
            ) from None

    def _copy(self, version: int, found: Mapping[str, Added]) -> None:
        path: Path = self._gateway.data_dir / _FILE
        text = json.dumps({"version": version, "policies": [asdict(added) for added in found.values()]}, indent=1)
        try:
            if path.read_text(encoding="utf-8") == text:
                return
        except (OSError, UnicodeDecodeError):
            pass
        other = path.with_name(f"{_FILE}.{self._gateway.worker}.{os.getpid()}")
        with open(other, "w", encoding="utf-8", opener=_private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        other.replace(path)


def _written(added: Added) -> bytes:
    return json.dumps(asdict(added), sort_keys=True).encode()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
