"""Records that must outlive a restart: a table of the shared state, and a copy of it on disk.

The shared state may be memory that a restart empties. What was pinned or added must not vanish with it, so each gateway
keeps a copy and puts it back where the state has lost its own. What the records say is their owners' business.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Awaitable, Callable, Mapping

import orjson
import structlog

from routeiq_sdk import Gateway, PluginError, StoreUnavailable

log = structlog.get_logger("routeiq.mcp")

_VERSION = "#version"  # no key of a record begins so
_LOOK_SECONDS = 2.0
_RETRY_SECONDS = 1.0


class Kept:
    """The records of one table, `name`. Methods that read or write the state raise `StoreUnavailable` while it is
    away."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        self._gateway = gateway
        self._state = gateway.state
        self._table = f"mcp-{name}"
        self._file = f"{name}.json"
        self._name = name
        self._loading = asyncio.Lock()
        self.version = -1
        self.records: Mapping[str, bytes] = {}
        self.changed: Callable[[], Awaitable[None]] | None = None
        """Called after the records became others than they were."""

    async def open(self) -> None:
        """Read the records and begin to follow changes."""
        await self.refresh()
        self._gateway.spawn(f"{self._name}-listen", self._listen)
        self._gateway.spawn(f"{self._name}-look", self._look)

    async def refresh(self) -> None:
        """Take what the state has now; what follows from it is done when this returns."""
        async with self._loading:
            version, records = await self._load()
            if version == self.version:
                return
            news = records != self.records
            self.version, self.records = version, records
            if news and self.changed is not None:
                await self.changed()  # before anybody else may think that all is as it should be

    async def put(self, key: str, value: bytes, *, expected: bytes | None) -> bool:
        """Write a record if it still is `expected` (`None`: does not exist); says whether it wrote."""
        if not await self._state.put_if(self._table, key, value, expected=expected):
            return False
        await self._changed()
        return True

    async def remove(self, key: str) -> bool:
        """Delete a record; says whether there was one."""
        if not await self._state.delete(self._table, key):
            return False
        await self._changed()
        return True

    async def _changed(self) -> None:
        while True:
            found = await self._state.get(self._table, _VERSION)
            number = str(int(found or 0) + 1).encode()
            if await self._state.put_if(self._table, _VERSION, number, expected=found):
                break
        await self.refresh()
        await self._state.publish(self._table, number)

    async def _load(self) -> tuple[int, dict[str, bytes]]:
        version = await self._known_version()
        if version is None:
            version = await self._put_back()
        elif version == self.version:
            return version, dict(self.records)
        while True:
            found = {key: value async for key, value in self._state.scan(self._table) if key != _VERSION}
            after = await self._known_version() or 0
            if after == version:
                self._copy(version, found)
                return version, found
            version = after

    async def _known_version(self) -> int | None:
        found = await self._state.get(self._table, _VERSION)
        return int(found) if found is not None else None

    async def _put_back(self) -> int:
        version, records = self._read_copy()
        for key, value in records.items():
            await self._state.put_if(self._table, key, value, expected=None)
        await self._state.put_if(self._table, _VERSION, str(version).encode(), expected=None)
        return await self._known_version() or 0

    def _read_copy(self) -> tuple[int, Mapping[str, bytes]]:
        path = self._gateway.data_dir / self._file
        try:
            document = orjson.loads(path.read_bytes())
            records = {key: base64.b64decode(value, validate=True) for key, value in document["records"].items()}
            return int(document["version"]), records
        except FileNotFoundError:
            return 0, {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PluginError(
                "mcp",
                f"{path} cannot be read: {type(error).__name__}",
                mend="restore the file, or delete it together with what it kept",
            ) from None

    def _copy(self, version: int, records: Mapping[str, bytes]) -> None:
        path = self._gateway.data_dir / self._file
        told = {key: base64.b64encode(value).decode() for key, value in records.items()}
        text = orjson.dumps({"version": version, "records": told}, option=orjson.OPT_INDENT_2)
        try:
            if path.read_bytes() == text:
                return
        except OSError:
            pass
        draft = path.with_name(f"{self._file}.{self._gateway.worker}.{os.getpid()}")
        with open(draft, "wb", opener=_private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._state.subscribe(self._table) as messages:
                    async for _ in messages:
                        await self._follow()
            except StoreUnavailable:
                pass
            await asyncio.sleep(_RETRY_SECONDS)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._follow()

    async def _follow(self) -> None:
        try:
            if await self._known_version() != self.version:
                await self.refresh()
        except StoreUnavailable:
            log.warning("changes are not seen: the shared store is away", of=self._name)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
