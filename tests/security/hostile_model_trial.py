"""Run as a program: a gateway's routers, with a good one in place, are given hostile files in every place that is read.

Finds `keys` and a `good` artifact in the folder that it is told, and prints what came of it as JSON. It runs under an
audit hook whose file of events is its second argument.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import structlog
from hostile_models import corpus

from routeiq_routing_ml.artifact import arrays, canonical, estimators, signature
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.keys import SigningKey, signing_key
from routeiq_routing_ml.artifact.manifest import Manifest
from routeiq_routing_ml.serving.loading import Routers

ARRAYS, ESTIMATORS = "arrays.safetensors", "estimators.skops"


def main(folder: Path, events: Path, one_in: int) -> dict[str, Any]:
    """One in so many files of the corpus in every place. What the good artifact imported is forgotten in `events`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    key = signing_key(folder / "keys")
    good = folder / "good"
    contents = {path.name: path.read_bytes() for path in good.iterdir()}
    place = folder / "router"
    restore(good, place)
    routers = Routers(
        {"main": place}, keys_dir=folder / "keys", trusted_keys=(), memory=folder / "memory", allowed_estimators=()
    )
    asyncio.run(routers.refresh())
    serving = routers.current["main"]
    os.truncate(events, 0)
    told: dict[str, Any] = {"files": 0, "tries": 0, "wrong": []}
    for number, (name, data) in islice(enumerate(corpus(folder / "canary")), 0, None, one_in):
        told["files"] += 1
        for slot, put in slots(place, folder, contents, key, name, number):
            restore(good, place)
            undo = put(data)
            routers._stamps.clear()  # take a look, whatever the clock of the file system says
            try:
                asyncio.run(routers.refresh())
            except Exception as error:
                told["wrong"].append(f"{name} as {slot}: {type(error).__name__}: {error}"[:300])
            problem = routers.problems.get("main", "")
            if not problem or "\n" in problem or routers.current["main"] is not serving:
                told["wrong"].append(f"{name} as {slot}: {problem or 'taken'}"[:300])
            told["tries"] += 1
            undo()
        told["wrong"] += decoded(name, data)
    restore(good, place)
    routers._stamps.clear()
    asyncio.run(routers.refresh())
    told["good again"] = routers.problems == {} and routers.current["main"].digest == serving.digest
    return told


def restore(good: Path, place: Path) -> None:
    """The good artifact, by links: who puts something there puts a new file."""
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    shutil.copytree(good, place, copy_function=os.link)


def decoded(name: str, data: bytes) -> list[str]:
    """What the decoders themselves make of it, since not each file is signed and sent through the whole way."""
    wrong = []
    for read in (lambda: arrays.decode(data, name), lambda: estimators.load(data, ())):
        try:
            read()
            wrong.append(f"{name}: taken")
        except ArtifactError as error:
            if "\n" in str(error):
                wrong.append(f"{name}: {error}")
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}"[:300])
    return wrong


def put_file(path: Path, data: bytes) -> None:
    """A new file, also where a link to a good one is."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


Put = Callable[[bytes], Callable[[], None]]


def slots(
    place: Path, folder: Path, contents: dict[str, bytes], key: SigningKey, name: str, number: int
) -> Iterator[tuple[str, Put]]:
    """Where a file is put: as the artifact, signed by whoever has the key, and in turn in one of the other places."""

    def nothing() -> None:
        """Nothing is left outside of the artifact."""

    def instead(data: bytes) -> Callable[[], None]:
        shutil.rmtree(place)
        place.write_bytes(data)
        return nothing

    def signed(member: str) -> Put:
        def put(data: bytes) -> Callable[[], None]:
            sign(place, contents, {member: data}, key)
            return nothing

        return put

    def beside(name: str) -> Put:
        def put(data: bytes) -> Callable[[], None]:
            put_file(place / name, data)
            return nothing

        return put

    def outside(path: Path) -> Put:
        def put(data: bytes) -> Callable[[], None]:
            kept = path.read_bytes() if path.exists() else None
            path.write_bytes(data)

            def undo() -> None:
                path.unlink() if kept is None else path.write_bytes(kept)

            return undo

        return put

    yield "the artifact", instead
    yield "signed arrays", signed(ARRAYS)
    if number % 4 == 0 or name.startswith("skops/"):
        yield "signed estimators", signed(ESTIMATORS)
    others = [("a file beside", beside(one)) for one in ("model.pkl", "x.npz")]
    others += [(one, beside(one)) for one in ("manifest.json", "manifest.sig", ARRAYS, ESTIMATORS)]
    others += [
        ("a trusted key", outside(folder / "keys" / "other.pub")),
        ("the memory", outside(folder / "memory" / "versions.json")),
    ]
    if number % 4 == 1:
        yield others[number // 4 % len(others)]


def sign(folder: Path, contents: dict[str, bytes], changes: dict[str, bytes], key: SigningKey) -> None:
    """Whoever holds the key signs what they like."""
    raw = json.loads(contents["manifest.json"])
    for name, data in changes.items():
        raw["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        put_file(folder / name, data)
    raw["version"] += 1
    signed = canonical.encode(raw)
    Manifest.parse(signed, folder)
    put_file(folder / "manifest.json", signed)
    put_file(folder / "manifest.sig", signature.sign(key, signed))


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
