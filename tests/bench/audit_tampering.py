"""The parts of the audit bench that need no load: tampering with a trail, two shippers at once, torn writes, OCSF.
Every tampering is undone before the next one."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard
from rich.console import Console
from rich.progress import Progress

Lines = list[bytes]
CREATED = "2026-01-02T03:04:05.000Z"


class Trail:
    """A file sink's folder, and how it looked before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = sorted(folder.rglob("*.jsonl.zst"))
        self.first = {path: _first_seq(path) for path in self.objects}

    def lines(self, path: Path) -> Lines:
        return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()).splitlines(keepends=True)

    def write(self, path: Path, lines: Lines) -> None:
        path.write_bytes(zstandard.ZstdCompressor().compress(b"".join(lines)))


def _first_seq(path: Path) -> int:
    return int(path.name.removesuffix(".jsonl.zst").rsplit("-", 3)[1])


Tampering = Callable[[Trail, Path, random.Random], int]
"""Does it to one object; returns the first sequence number that is wrong now."""


def flip_a_byte(trail: Trail, path: Path, rng: random.Random) -> int:
    """One bit of the stored object: what is inside cannot be trusted from its beginning."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return trail.first[path]


def edit_an_event(trail: Trail, path: Path, rng: random.Random) -> int:
    lines = trail.lines(path)
    number = rng.randrange(len(lines))
    event = json.loads(lines[number])
    event["event"]["http_status"] = 418
    lines[number] = json.dumps(event, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    trail.write(path, lines)
    return trail.first[path] + number


def delete_an_event(trail: Trail, path: Path, rng: random.Random) -> int:
    lines = trail.lines(path)
    number = rng.randrange(len(lines))
    del lines[number]
    trail.write(path, lines)
    return trail.first[path] + number


def insert_an_event(trail: Trail, path: Path, rng: random.Random) -> int:
    lines = trail.lines(path)
    number = rng.randrange(len(lines))
    lines.insert(number, lines[number])
    trail.write(path, lines)
    return trail.first[path] + number + 1


def swap_two_events(trail: Trail, path: Path, rng: random.Random) -> int:
    lines = trail.lines(path)
    if len(lines) < 2:
        return delete_an_event(trail, path, rng)
    number = rng.randrange(len(lines) - 1)
    lines[number], lines[number + 1] = lines[number + 1], lines[number]
    trail.write(path, lines)
    return trail.first[path] + number


def truncate_events(trail: Trail, path: Path, rng: random.Random) -> int:
    lines = trail.lines(path)
    keep = rng.randrange(len(lines))
    trail.write(path, lines[:keep])
    return trail.first[path] + keep


def truncate_the_file(trail: Trail, path: Path, rng: random.Random) -> int:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data))])
    return trail.first[path]


def delete_an_object(trail: Trail, path: Path, rng: random.Random) -> int:
    path.unlink()
    return trail.first[path]


def delete_object_and_manifest(trail: Trail, path: Path, rng: random.Random) -> int:
    path.unlink()
    manifest_of(path).unlink()
    return trail.first[path]


def delete_a_manifest(trail: Trail, path: Path, rng: random.Random) -> int:
    manifest_of(path).unlink()
    return trail.first[path]


def edit_a_manifest(trail: Trail, path: Path, rng: random.Random) -> int:
    manifest = manifest_of(path)
    told = json.loads(manifest.read_bytes())
    told["count"] = int(told["count"]) + 1
    manifest.write_text(json.dumps(told))
    return trail.first[path]


TAMPERINGS: tuple[Tampering, ...] = (
    flip_a_byte,
    edit_an_event,
    delete_an_event,
    insert_an_event,
    swap_two_events,
    truncate_events,
    truncate_the_file,
    delete_an_object,
    delete_object_and_manifest,
    delete_a_manifest,
    edit_a_manifest,
)


def manifest_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".jsonl.zst") + ".manifest.json")


def tamper(folder: Path, times: int, console: Console) -> dict[str, Any]:
    """So many tamperings, each verified from the objects alone, then undone."""
    verdict = _verifier()
    intact = verdict(folder)
    if intact is not None:
        raise RuntimeError(f"the trail is not sound before anybody touched it: {intact}")
    trail, rng = Trail(folder), random.Random(20)
    found = named = 0
    missed: list[str] = []
    with Progress(console=console, transient=True) as progress:
        for _ in progress.track(range(times), description="L4: tamperings"):
            path = rng.choice(trail.objects)
            touched = (path, manifest_of(path))
            before = {one: one.read_bytes() for one in touched}
            how = rng.choice(TAMPERINGS)
            wrong = how(trail, path, rng)
            told = verdict(folder)
            found += told is not None
            named += told == wrong
            if told != wrong:
                missed.append(f"{how.__name__}: {wrong} expected, {told} told")
            for one, content in before.items():
                one.write_bytes(content)
    return {
        "tamperings": times,
        "found": 100.0 * found / times,
        "named": 100.0 * named / times,
        "not as expected": missed[:10],
    }


def _verifier() -> Callable[[Path], int | None]:
    """The first bad sequence number of a folder, `None` when all holds; -1 when something else is wrong."""
    from routeiq_audit.verifying import verify

    def verdict(folder: Path) -> int | None:
        report = verify(folder)
        if report.ok:
            return None
        first = report.first_bad
        return -1 if first is None else int(first)

    return verdict


async def split_brain(folder: Path, console: Console, objects: int = 200) -> dict[str, Any]:
    """Two shippers at once on one outbox and one directory: no object twice, none missing."""
    from routeiq_audit.chain import Head, chained
    from routeiq_audit.entry import Entry
    from routeiq_audit.making import make_sealed
    from routeiq_audit.outbox import Outbox, Progress
    from routeiq_audit.shipping import Shipper
    from routeiq_audit.signing import Signer
    from routeiq_audit.sinks.file import FileSink

    signer, head, batch = Signer.open(None, folder / "keys"), Head(), []
    for number in range(objects):
        entry = Entry("request", "routeiq.bench.v1", CREATED, f"event-{number}", "ALL", b"{}")
        sealed, head = make_sealed("gbench-0", "ALL", chained("gbench-0", head, [entry] * 5), CREATED, signer)
        batch.append(sealed)
    outbox = Outbox(folder / "outbox")
    outbox.open()
    outbox.add(batch, Progress(objects, {"ALL": head}))
    others = [Outbox(folder / "outbox") for _ in range(2)]
    sinks = [FileSink(folder / "audit") for _ in others]
    for other in others:
        other.open()
    shippers = [Shipper(sink, other, [sink.name]) for sink, other in zip(sinks, others, strict=True)]
    with console.status("L5: two shippers at once"):
        done = await asyncio.gather(*(shipper.ship_all() for shipper in shippers))
    found = {str(path.relative_to(folder / "audit")) for path in (folder / "audit").rglob("*.jsonl.zst")}
    wrong = len(found ^ {sealed.name for sealed in batch}) + len(outbox.waiting())
    verdict = _verifier()(folder / "audit")
    return {
        "objects": objects,
        "handed over, by shipper": [shipper.shipped for shipper in shippers],
        "both came to an end": all(done),
        "verify": "holds" if verdict is None else f"bad at {verdict}",
        "wrong": wrong + (verdict is not None),
    }


async def torn(folder: Path) -> dict[str, Any]:
    """The spool's file cut at every byte of its last entry: all entries before it are there at the next start."""
    from routeiq.state.spool import Spool

    spool = await Spool.open(folder / "spool")
    for number in range(20):
        await spool.append(b"entry %d" % number)
    await spool.close()
    (segment,) = (folder / "spool").glob("*.seg")
    whole = segment.read_bytes()
    size = len(whole.rstrip(b"\0"))
    last = whole.rindex(b"entry 19")
    cuts, lost = range(last - 12, size), 0
    for cut in cuts:
        place = folder / "cut"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / segment.name).write_bytes(whole[:cut])
        again = await Spool.open(place)
        found = [payload async for _, payload in again.read()]
        await again.close()
        lost += found[:19] != [b"entry %d" % number for number in range(19)]
    return {"cuts": len(cuts), "lost": lost}
