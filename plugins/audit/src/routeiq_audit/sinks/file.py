"""Keeps sealed objects in a directory: what is there is never replaced.

Deleting old ones is `retention`'s business.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from routeiq_audit.durable import create_once, make_folders, write_whole
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_sdk import Gateway


class FileSink:
    """One directory, which several workers may share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """Kind and place."""
        return f"file:{self.folder}"

    @property
    def origins(self) -> tuple[str, ...]:
        """It calls nobody."""
        return ()

    async def open(self, gateway: Gateway) -> None:
        """Nothing: a disk that comes later is as good."""

    async def close(self) -> None:
        """Nothing is held."""

    async def ship(self, sealed: Sealed) -> None:
        """Write object, manifest, head and public key."""
        try:
            await asyncio.to_thread(self._keep, sealed)
        except OSError as error:
            raise SinkUnavailable(f"{self.folder}: {error.strerror or error}") from error

    def _keep(self, sealed: Sealed) -> None:
        self._once(sealed.key_name, sealed.key)
        self._once(sealed.name, sealed.body)
        self._once(sealed.manifest_name, sealed.manifest)
        self._advance(sealed)

    def _once(self, name: str, data: bytes) -> None:
        path = self.folder / name
        make_folders(path.parent)
        if not create_once(path, data, mode=0o640) and path.read_bytes() != data:
            raise SinkRefused(f"{path} exists and is something else; look at who wrote it, and move it away")

    def _advance(self, sealed: Sealed) -> None:
        """The signed word of where the chain stands: without it, a missing tail could not be seen."""
        path = self.folder / sealed.head_name
        make_folders(path.parent)
        if not path.exists() or orjson.loads(path.read_bytes())["seq"] < sealed.last_seq:
            write_whole(path, sealed.head, mode=0o640)
