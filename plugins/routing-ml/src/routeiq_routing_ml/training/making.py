"""From a table to a signed artifact on the disk: vectors, training, the refusal, packing, report, signature.

Each step is the business of its own module; the order of them is decided here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from routeiq_routing_ml.artifact import estimators, files, keys, writer
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.manifest import ESTIMATORS, MANIFEST, REPORT, Manifest
from routeiq_routing_ml.model.packing import CUSTOM, Packed, pack
from routeiq_routing_ml.model.policy import Policy
from routeiq_routing_ml.scorers.base import Scorer
from routeiq_routing_ml.scorers.estimator import Estimator, Regressor
from routeiq_routing_ml.training import embedding, metrics
from routeiq_routing_ml.training.reading import Reading
from routeiq_routing_ml.training.report import Facts, profile_points, render
from routeiq_routing_ml.training.table import TrainingError
from routeiq_routing_ml.training.trainer import Progress, Settings, Trained, silent, train
from routeiq_routing_ml.training.workers import workers
from routeiq_sdk import Embedder

DISTRIBUTION: Final = "routeiq-routing-ml"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted of a router.

    `features` is a .npy file of the embedder's vectors of all rows. `estimator` and `allowed` are of the strategy
    `custom`: a skops file, and the types in it beside those that skops trusts. `backend` is one of `workers.BACKENDS`.
    """

    strategy: str = "ensemble"
    embedder: str = embedding.HASHING
    features: Path | None = None
    seed: int = 0
    jobs: int = 1
    backend: str = "loky"
    scheduler: str | None = None
    margin: float | None = None
    expires_days: int | None = None
    estimator: Path | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact that lies in `folder`. `plain` is the stand-in without an embedder; `key` signed it."""

    folder: Path
    manifest: Manifest
    trained: Trained
    plain: Trained | None
    key: str


def make(reading: Reading, plan: Plan, out: Path, data_dir: Path, progress: Progress = silent) -> Made:
    """Train a router on what was read, and publish it in `out`, signed with the key in `data_dir/keys`.

    Raises `Refused` when no router is worth having, `TrainingError` for data or a plan without sense, `ArtifactError`
    when nothing can be written or no key be read; then nothing is written, and what was in `out` stays.
    """
    began = time.monotonic()
    _check(plan, out)
    key = keys.signing_key(data_dir / "keys")
    table, first = reading.table.unique()
    asked = embedding.embedder(plan.embedder)
    chosen = reading.chosen[first]
    vectors = _vectors(asked, plan, table.texts, chosen, reading.rows, progress)
    settings = _settings(plan)
    with workers(plan.backend, plan.jobs, plan.scheduler) as jobs:
        settings = replace(settings, jobs=jobs)
        trained = train(table, settings, vectors, progress)
        trained.refuse()
        plain = None if asked is None else train(table, settings, None, _named("stand-in: ", progress))
        manifest, arrays = _packed(trained, plain, plan, asked, time.monotonic() - began)
        facts = Facts(manifest, reading.summary(), plan.seed, plan.embedder, None if plain is None else plain.outcome)
        extra = {REPORT: render(trained, facts, vectors, asked, _named("report: ", progress))}
    if isinstance(trained.router.scorer, Estimator):
        extra[ESTIMATORS] = estimators.dump(trained.router.scorer.model)
    signed = writer.write(out, manifest, arrays, key, extra)
    return Made(out, signed, trained, plain, key.id)


def _packed(
    trained: Trained, plain: Trained | None, plan: Plan, asked: Embedder | None, seconds: float
) -> tuple[Manifest, dict[str, NDArray[Any]]]:
    return pack(
        Packed(
            main=trained.router,
            plain=trained.router if plain is None else plain.router,
            embedder=None if asked is None else plan.embedder,
            fingerprint=None if asked is None else asked.fingerprint,
            policy=trained.settings.policy,
            weights=trained.weights,
        ),
        strategy=plan.strategy,
        trainer=trainer_name(),
        metrics=figures(trained, seconds),
        expires=None if plan.expires_days is None else datetime.now(UTC) + timedelta(days=plan.expires_days),
        custom=_stored(trained.router.scorer),
    )


def trainer_name() -> str:
    """What a manifest calls the program that made it."""
    return f"{DISTRIBUTION} {version(DISTRIBUTION)}"


def figures(trained: Trained, seconds: float) -> dict[str, JsonValue]:
    """What a manifest says was measured; on prompts that the folds of the training had not seen."""
    outcome: dict[str, JsonValue] = {name: round(float(value), 9) for name, value in asdict(trained.outcome).items()}
    return {
        **outcome,
        "queries": len(trained.table),
        "calibration_error": round(trained.calibration_error, 6),
        "seconds": round(seconds, 1),
        "curve": [[float(f"{value:.6g}") for value in point] for point in metrics.hull(trained.curve)],
        "profiles": {
            name: {"cost": float(f"{cost:.6g}"), "quality": round(quality, 6)}
            for name, (cost, quality) in profile_points(trained).items()
        },
    }


def _check(plan: Plan, out: Path) -> None:
    """Refuse before the work what would be refused after it."""
    if plan.strategy == CUSTOM and plan.estimator is None:
        raise TrainingError("the strategy custom needs an estimator.", "give --estimator FILE.skops.")
    if plan.strategy != CUSTOM and plan.estimator is not None:
        raise TrainingError(f"the strategy {plan.strategy} takes no estimator.", "use --strategy custom.")
    if plan.strategy == CUSTOM and plan.embedder != embedding.HASHING:
        raise TrainingError(
            "the strategy custom works on hashing alone: its stand-in would be a second estimator.",
            f"use --embedder {embedding.HASHING}.",
        )
    if plan.features is not None and plan.embedder == embedding.HASHING:
        raise TrainingError("vectors from a file without the embedder that made them.", "give --embedder NAME, too.")
    if out.exists() and not (out / MANIFEST).exists() and (not out.is_dir() or any(out.iterdir())):
        raise ArtifactError(out, "something else is there.", "choose an empty folder or a new name.")


def _settings(plan: Plan) -> Settings:
    policy = Policy()
    if plan.margin is not None:
        policy = replace(policy, margin=plan.margin, new_margin=min(policy.new_margin, plan.margin))
    custom = None
    if plan.estimator is not None:
        custom = partial(Estimator.fit, _estimator(plan.estimator, plan.allowed))
    return Settings(plan.strategy, plan.seed, plan.jobs, policy, custom=custom)


def _estimator(path: Path, allowed: tuple[str, ...]) -> Regressor:
    mend = f"write it with skops.io.dump, or run: routeiq route convert {path} --out FILE.skops"
    if path.suffix != ".skops":
        raise TrainingError(f"{path}: not a .skops file; pickles are never loaded.", mend)
    try:
        data, _ = files.read(path, estimators.MOST_BYTES)
    except FileNotFoundError:
        raise TrainingError(f"{path}: no such file.", mend) from None
    loaded: Regressor = estimators.load(data, allowed)
    return loaded


def _vectors(
    asked: Embedder | None, plan: Plan, texts: Sequence[str], chosen: NDArray[np.intp], rows: int, progress: Progress
) -> NDArray[np.float32] | None:
    if asked is None:
        return None
    if plan.features is not None:
        return embedding.from_file(plan.features, asked, plan.embedder, texts, chosen, rows)
    return embedding.embed(asked, texts, progress)


def _stored(scorer: Scorer) -> Callable[[], Scorer] | None:
    return (lambda: scorer) if isinstance(scorer, Estimator) else None


def _named(prefix: str, progress: Progress) -> Progress:
    return lambda step, done, of: progress(prefix + step, done, of)
