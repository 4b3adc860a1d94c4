"""Keeps the routers of a gateway current: loads artifacts aside, verified and self-tested, and swaps them in whole.

A failure keeps the last good router and says why. Deciding with a router is `decide`'s business.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from routeiq_routing_ml.artifact.keys import trusted
from routeiq_routing_ml.artifact.loader import Artifact, load
from routeiq_routing_ml.artifact.manifest import MANIFEST
from routeiq_routing_ml.artifact.versions import Versions
from routeiq_routing_ml.model.packing import Packed, unpack
from routeiq_routing_ml.scorers.base import Scorer
from routeiq_routing_ml.scorers.estimator import Estimator
from routeiq_routing_ml.serving.threads import one_thread
from routeiq_sdk import RouteIQError

log = structlog.get_logger("routeiq.routing-ml")

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A router that may decide. `strategy` and `version` are its manifest's, `digest` names the whole artifact."""

    name: str
    strategy: str
    version: int
    digest: str
    packed: Packed


class Routers:
    """The routers by name. `current` is read by requests; only `refresh` writes it, one whole value at a time."""

    def __init__(
        self,
        folders: Mapping[str, Path],
        *,
        keys_dir: Path,
        trusted_keys: Sequence[Path],
        memory: Path,
        allowed_estimators: Sequence[str] = (),
    ) -> None:
        self._folders = dict(folders)
        self._keys_dir = keys_dir
        self._trusted_keys = tuple(trusted_keys)
        self._versions = Versions(memory)
        self._allowed = frozenset(allowed_estimators)
        self._stamps: dict[str, Stamp | None] = {}
        self.current: Mapping[str, Loaded] = {}
        self.problems: dict[str, str] = {}
        """Why the newest artifact of a name is not in use."""

    async def refresh(self) -> list[str]:
        """Load what changed on disk since the last look; the names of routers that were swapped in."""
        swapped = []
        for name, folder in self._folders.items():
            stamp = await asyncio.to_thread(_stamp, folder)
            if name in self._stamps and self._stamps[name] == stamp:
                continue
            self._stamps[name] = stamp
            try:
                loaded = await asyncio.to_thread(self._load, name, folder)
            except (RouteIQError, ValueError, OSError, MemoryError) as error:
                self._refused(name, folder, error)
                continue
            self.problems.pop(name, None)
            before = self.current.get(name)
            if before is not None and before.digest == loaded.digest:
                continue
            self.current = {**self.current, name: loaded}
            swapped.append(name)
            log.info("router loaded", router=name, strategy=loaded.strategy, version=loaded.version, path=str(folder))
        return swapped

    def of_strategy(self, strategy: str) -> Loaded | None:
        """The first router that was trained with this strategy."""
        return next((loaded for loaded in self.current.values() if loaded.strategy == strategy), None)

    def _load(self, name: str, folder: Path) -> Loaded:
        keys = trusted(self._keys_dir, self._trusted_keys)
        artifact = load(folder, keys, newer_than=self._versions.seen(name))
        packed = unpack(artifact.manifest, artifact.arrays, lambda: self._custom(artifact))
        self._versions.remember(name, artifact.manifest.version, artifact.digest)
        return Loaded(name, artifact.manifest.strategy, artifact.manifest.version, artifact.digest, packed)

    def _custom(self, artifact: Artifact) -> Scorer:
        from routeiq_routing_ml.artifact import estimators

        if artifact.estimators is None:
            raise ValueError("an artifact of the strategy custom without its estimator")
        loaded = estimators.load(artifact.estimators, self._allowed)
        one_thread()  # scikit-learn came with it
        return Estimator(loaded, len(artifact.manifest.pool))

    def _refused(self, name: str, folder: Path, error: Exception) -> None:
        self._stamps.pop(name, None)  # what is missing may be a key: look again
        kept = "the router loaded before stays" if name in self.current else "the default model serves"
        reason = str(error) if isinstance(error, RouteIQError) else f"{folder}: {type(error).__name__}: {error}"
        if self.problems.get(name) != reason:
            log.error("artifact refused", router=name, reason=reason, so=kept)
        self.problems[name] = reason


def _stamp(folder: Path) -> Stamp | None:
    """What changes when an artifact is replaced; `None` while there is none."""
    try:
        told = os.stat(folder / MANIFEST)
    except OSError:
        return None
    return told.st_ino, told.st_size, told.st_mtime_ns
