"""Trails to verify: made by the parts that make them in the gateway, in a folder of a file sink."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from routeiq_audit.canonical import canonical
from routeiq_audit.chain import Head, chained
from routeiq_audit.entry import Entry
from routeiq_audit.making import make_sealed
from routeiq_audit.packing import pack, unpack
from routeiq_audit.sealed import MANIFEST_SUFFIX, OBJECT_SUFFIX, Sealed
from routeiq_audit.signing import Signer
from routeiq_audit.sinks.file import FileSink

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(b"7" * 32))
FORGER = Signer(Ed25519PrivateKey.from_private_bytes(b"8" * 32))
STREAM = "gtest-0"


def entry(number: int, tenant: str = "ALL") -> Entry:
    """One event, with texts that look like the fields of a line."""
    told = {"request_id": f"req-{number}", "principal": f"key-{number % 3}", "note": '","hash":"0","id":'}
    return Entry(
        "request", "routeiq.test.v1", f"2026-01-02T03:04:{number % 60:02d}.000Z", f"e-{number}", tenant, canonical(told)
    )


def sealed_objects(
    sizes: Sequence[int], *, tenant: str = "ALL", stream: str = STREAM, signer: Signer = SIGNER, day: int = 2
) -> list[Sealed]:
    """The objects of one chain, with so many events each, sealed an hour apart."""
    head, made, number = Head(), list[Sealed](), 0
    for hour, size in enumerate(sizes):
        entries = [entry(number + each, tenant) for each in range(1, size + 1)]
        number += size
        created = f"2026-01-{day + hour // 24:02d}T{hour % 24:02d}:30:00.000Z"
        one, head = make_sealed(stream, tenant, chained(stream, head, entries), created, signer)
        made.append(one)
    return made


def keep(folder: Path, objects: Sequence[Sealed]) -> None:
    """Let a file sink keep them."""

    async def ship() -> None:
        sink = FileSink(folder)
        for one in objects:
            await sink.ship(one)

    asyncio.run(ship())


def trail(folder: Path, *sizes: int, tenant: str = "ALL", stream: str = STREAM) -> list[Sealed]:
    """A trail of one chain."""
    objects = sealed_objects(sizes, tenant=tenant, stream=stream)
    keep(folder, objects)
    return objects


def lines(folder: Path, one: Sealed) -> list[bytes]:
    """The lines of an object as it lies there."""
    return unpack((folder / one.name).read_bytes()).splitlines()


def rewrite(folder: Path, one: Sealed, changed: Sequence[bytes]) -> None:
    """Other lines under the object's name."""
    (folder / one.name).write_bytes(pack(b"".join(line + b"\n" for line in changed)))


def rename(folder: Path, one: Sealed, sha256: str) -> None:
    """The object and its manifest, which says so too (unsigned), under the name of another digest."""
    old = one.name.removesuffix(OBJECT_SUFFIX)
    new = old[:-64] + sha256
    (folder / one.name).rename(folder / (new + OBJECT_SUFFIX))
    path = folder / one.manifest_name
    told = orjson.loads(path.read_bytes()) | {"object": new + OBJECT_SUFFIX, "sha256": sha256}
    path.unlink()
    (folder / (new + MANIFEST_SUFFIX)).write_bytes(canonical(told))
