"""A trained router as an artifact's manifest and arrays, and back. An artifact holds one router or two.

With an outer embedder the second one is its stand-in: the same strategy on hashing alone, for when the embedder is late
or broken. Signing, digests and files are the business of `artifact`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from routeiq_routing_ml.artifact.manifest import Manifest
from routeiq_routing_ml.features.space import Points, Space
from routeiq_routing_ml.model.calibration import Calibration
from routeiq_routing_ml.model.costs import Costs
from routeiq_routing_ml.model.doubt import Doubt
from routeiq_routing_ml.model.policy import Policy
from routeiq_routing_ml.model.router import LearnedRouter, check_pool, read_arrays
from routeiq_routing_ml.scorers.base import Arrays, Scorer
from routeiq_routing_ml.scorers.registry import KINDS

MAIN, PLAIN = "main.", "plain."
CUSTOM = "custom"
_PROBES = (
    "What is the capital of France?",
    "Write a function that merges two sorted lists.\n\ndef merge(a, b):",
    "Prove that 1 + 2 + ... + n = n(n+1)/2.\nA. true\nB. false",
)
_TOLERANCE = 1e-3
"""Another processor may add up in another order."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The routers of one artifact. `plain` needs no embedder; `main` does when `embedder` names one.

    `weights` are lambdas by profile, in quality a US dollar.
    """

    main: LearnedRouter
    plain: LearnedRouter
    embedder: str | None
    fingerprint: str | None
    policy: Policy
    weights: Mapping[str, float]


def pack(
    packed: Packed,
    *,
    strategy: str,
    trainer: str,
    metrics: Mapping[str, JsonValue],
    expires: datetime | None = None,
    custom: Callable[[], Scorer] | None = None,
) -> tuple[Manifest, dict[str, NDArray[Any]]]:
    """The manifest (without files) and the arrays of an artifact. Its version is the time, in UTC milliseconds."""
    now = datetime.now(UTC)
    arrays = {MAIN + name: array for name, array in packed.main.arrays().items()}
    parts = [(MAIN, packed.main)]
    if packed.embedder is not None:
        arrays |= {PLAIN + name: array for name, array in packed.plain.arrays().items()}
        parts.append((PLAIN, packed.plain))
    policy = packed.policy
    blank = Manifest(
        strategy=strategy, version=1, created=now.isoformat(), trainer=trainer, features={}, pool=packed.main.models
    )
    # Arrays lose precision on disk: the self-test is about what will be read, not about what was trained.
    stored = [(prefix, _read(blank, read_arrays(arrays, prefix), router.default, custom)) for prefix, router in parts]
    manifest = Manifest(
        strategy=strategy,
        version=int(now.timestamp() * 1000),
        created=now.isoformat(timespec="seconds"),
        trainer=trainer,
        features={
            "kind": "hashing" if packed.embedder is None else "embedder",
            "embedder": packed.embedder,
            "embedder_fingerprint": packed.fingerprint,
            "fingerprint": stored[0][1].space.fingerprint(packed.fingerprint or ""),
            "dimensions": packed.main.space.dimensions,
        },
        pool=packed.main.models,
        metrics=dict(metrics),
        settings={
            "default": packed.main.models[packed.main.default],
            "margin": policy.margin,
            "new_margin": policy.new_margin,
            "tolerance": policy.tolerance,
            "weights": dict(packed.weights),
        },
        probes=tuple(probe for prefix, router in stored for probe in _probes(prefix, router)),
        expires=None if expires is None else expires.isoformat(timespec="seconds"),
    )
    return manifest, arrays


def unpack(manifest: Manifest, arrays: Arrays, custom: Callable[[], Scorer] | None = None) -> Packed:
    """The routers of a verified artifact, self-tested. `custom` gives the scorer of the strategy `custom`.

    Raises `ValueError` when the parts do not fit together or the self-test fails.
    """
    settings, features = manifest.settings, manifest.features
    embedder, fingerprint = features.get("embedder"), features.get("embedder_fingerprint")
    try:
        if settings["default"] not in manifest.pool:
            raise ValueError(f"settings.default is {settings['default']!r}, which is not in the pool")
        default = manifest.pool.index(str(settings["default"]))
        main = _read(manifest, read_arrays(arrays, MAIN), default, custom)
        plain = main if embedder is None else _read(manifest, read_arrays(arrays, PLAIN), default, None)
        weights = {name: _weight(name, value) for name, value in settings["weights"].items()}  # type: ignore[union-attr]
        policy = Policy(margin=_number(settings, "margin"), new_margin=_number(settings, "new_margin"))
        policy = Policy(margin=policy.margin, new_margin=policy.new_margin, tolerance=_number(settings, "tolerance"))
        _check_embedder(embedder, main, plain)
        _self_test(manifest, {MAIN: main} if embedder is None else {MAIN: main, PLAIN: plain})
    except KeyError as error:
        raise ValueError(f"the artifact lacks {error}") from None
    except (TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(f"the artifact's parts do not fit together: {error}") from None
    return Packed(
        main,
        plain,
        None if embedder is None else str(embedder),
        None if fingerprint is None else str(fingerprint),
        policy,
        weights,
    )


def _weight(name: str, value: JsonValue) -> float:
    weight = float(value)  # type: ignore[arg-type]
    if not 0 <= weight < math.inf:
        raise ValueError(f"settings.weights.{name} is {weight}, not a lambda of at least 0")
    return weight


def _check_embedder(embedder: JsonValue, main: LearnedRouter, plain: LearnedRouter) -> None:
    """Else each request would find out that a space wants vectors which nobody makes."""
    if (embedder is not None) != (main.space.embedded > 0):
        raise ValueError(f"the embedder is {embedder!r}, but the space reads {main.space.embedded} numbers of one")
    if plain.space.embedded:
        raise ValueError("the stand-in's space reads an embedder's vectors too")


def _number(settings: Mapping[str, JsonValue], name: str) -> float:
    value = float(settings[name])  # type: ignore[arg-type]
    if not 0 <= value <= 1:
        raise ValueError(f"settings.{name} is {value}, not a quality between 0 and 1")
    return value


def _read(manifest: Manifest, arrays: Arrays, default: int, custom: Callable[[], Scorer] | None) -> LearnedRouter:
    kind = KINDS.get(manifest.strategy)
    if kind is None and (manifest.strategy != CUSTOM or custom is None):
        raise ValueError(f"the strategy {manifest.strategy!r} is not known")
    router = LearnedRouter(
        models=manifest.pool,
        default=default,
        space=Space.from_arrays(arrays),
        scorer=kind.read(arrays) if kind is not None else custom(),  # type: ignore[misc]
        calibration=Calibration.from_arrays(arrays),
        costs=Costs.from_arrays(arrays),
        doubt=Doubt.from_arrays(arrays),
    )
    check_pool(router)
    return router


def _probes(prefix: str, router: LearnedRouter) -> list[dict[str, JsonValue]]:
    quality = router.predict(*_probe_points(router)).quality
    return [
        {"part": prefix, "text": text, "scores": [round(float(value), 6) for value in row]}
        for text, row in zip(_PROBES, quality, strict=True)
    ]


def _probe_points(router: LearnedRouter) -> tuple[Points, NDArray[np.float64]]:
    width = router.space.embedded
    vectors = np.random.default_rng(7).normal(size=(len(_PROBES), width)) if width else None
    tokens = np.array([len(text) / 4 for text in _PROBES])
    return router.points(_PROBES, vectors), tokens


def _self_test(manifest: Manifest, routers: Mapping[str, LearnedRouter]) -> None:
    """Predict the artifact's probes."""
    for part, router in routers.items():
        mine = [probe for probe in manifest.probes if probe.get("part") == part]
        if not mine:
            raise ValueError("the artifact has no self-test")
        got = router.predict(*_probe_points(router)).quality
        if not np.isfinite(got).all() or len(mine) != len(got):
            raise ValueError("the self-test yields no numbers")
        wanted = np.array([probe["scores"] for probe in mine], dtype=np.float64)
        if wanted.shape != got.shape or float(np.abs(wanted - got).max()) > _TOLERANCE:
            raise ValueError("the self-test yields other qualities than at training")
