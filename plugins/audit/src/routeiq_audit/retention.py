"""Deletes old objects of file sinks. Their manifests stay, and a signed tombstone says that the gateway did it.

Retention in a bucket is the bucket's own business (Object Lock, lifecycle rules).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import structlog

from routeiq_audit.durable import create_once, sync_folder
from routeiq_audit.sealed import MANIFEST_SUFFIX, OBJECT_SUFFIX, tombstone_of
from routeiq_audit.signing import Signer, Trusted
from routeiq_sdk.events.contract import moment

if TYPE_CHECKING:
    from routeiq_sdk.gateway import Clock

log = structlog.get_logger("routeiq.audit")

_EVERY_SECONDS = 3600.0
_COPIED = ("stream", "tenant", "object", "sha256", "first_seq", "last_seq", "last_hash")


class Retention:
    """Looks once an hour. Several workers may do so at once."""

    def __init__(self, folders: Sequence[Path], days: int, signer: Signer, clock: Clock) -> None:
        self._folders = tuple(folders)
        self._days = days
        self._signer = signer
        self._trusted = Trusted([signer.public_pem])
        self._clock = clock

    async def run(self) -> None:
        """Delete for ever."""
        while True:
            try:
                deleted = await asyncio.to_thread(self.delete_old)
                if deleted:
                    log.info("old audit objects were deleted", objects=deleted, days=self._days)
            except OSError as error:
                log.warning("old audit objects could not be deleted", reason=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    def delete_old(self) -> int:
        """Delete what is older than the retention; how many objects."""
        now = self._clock.now_ns()
        oldest = (datetime.fromtimestamp(now / 1e9, UTC) - timedelta(days=self._days)).date().isoformat()
        deleted = 0
        for folder in self._folders:
            for day in folder.glob("v1/tenant=*/dt=*"):
                if day.name.removeprefix("dt=") < oldest:
                    for manifest in day.rglob(f"*{MANIFEST_SUFFIX}"):
                        deleted += self._delete(folder, manifest, now)
        return deleted

    def _delete(self, folder: Path, manifest: Path, now: int) -> bool:
        name = manifest.relative_to(folder).as_posix().removesuffix(MANIFEST_SUFFIX) + OBJECT_SUFFIX
        path = folder / name
        if not path.exists():
            return False
        told = manifest.read_bytes()
        try:
            facts = orjson.loads(told)
        except orjson.JSONDecodeError:
            facts = None
        if not isinstance(facts, dict) or facts.get("object") != name or self._trusted.problem(facts) is not None:
            # Whoever may write in the folder must not make the gateway delete, and sign for, what they like.
            log.warning("an old audit object is kept: its manifest is not signed with this gateway's key", object=name)
            return False
        tombstone = {name: facts[name] for name in _COPIED}
        tombstone |= {"manifest": hashlib.sha256(told).hexdigest(), "deleted": moment(now), "days": self._days}
        create_once(folder / tombstone_of(facts["object"]), self._signer.signed(tombstone), mode=0o640)
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
        return True
