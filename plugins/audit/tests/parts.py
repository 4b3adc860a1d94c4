"""The parts of a trail on their own: entries, a real spool, a disk that fails where a test says so."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from routeiq.state.spool import Spool
from routeiq_audit.entry import Entry, packed
from routeiq_audit.outbox import Outbox
from routeiq_audit.sealing import Sealer
from routeiq_audit.signing import Signer
from routeiq_sdk.testing.services import FakeClock

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(b"7" * 32))
STREAM = "gtest-0"


def entry(number: int, tenant: str = "ALL", kind: str = "request") -> Entry:
    event = orjson.dumps({"request_id": f"req-{number}"})
    return Entry(kind, "routeiq.test.v1", "2026-01-02T03:04:05.000Z", f"event-{number}", tenant, event)


class PowerCut(Exception):
    """The machine went away."""


@dataclass
class Disk:
    """Counts calls of fsync; the one with number `cut` never comes back."""

    cut: int = 0
    calls: int = 0
    full: bool = False
    seen: list[str] = field(default_factory=list)

    def fsync(self, descriptor: int) -> None:
        self.calls += 1
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.calls == self.cut:
            raise PowerCut
        os.fsync(descriptor)


@dataclass
class Bed:
    spool: Spool
    outbox: Outbox
    sealer: Sealer
    sealed: list[int]


@asynccontextmanager
async def opened(folder: Path, disk: Disk | None = None, *, most: int = 1 << 20) -> AsyncIterator[Bed]:
    """Spool, outbox and sealer as a start finds them."""
    spool = await Spool.open(folder / "events-0")
    try:
        outbox = Outbox(folder / "outbox-0", fsync=(disk or Disk()).fsync)
        progress = outbox.open()
        batches: list[int] = []
        sealer = Sealer(
            STREAM,
            spool,
            outbox,
            progress,
            SIGNER,
            FakeClock(),
            bytes=4096,
            seconds=1.0,
            outbox_bytes=most,
            sealed=lambda: batches.append(1),
        )
        yield Bed(spool, outbox, sealer, batches)
    finally:
        await spool.close()


async def append(bed: Bed, numbers: range, tenant: str = "ALL") -> None:
    for number in numbers:
        await bed.spool.append(packed([entry(number, tenant)]))


def ids(outbox: Outbox) -> list[str]:
    """The ids of all events that wait in the outbox, in order."""
    found = []
    for number in outbox.waiting():
        sealed = outbox.load(number)
        assert sealed is not None
        found += [orjson.loads(line)["id"] for line in sealed.lines()]
    return found
