"""Routers trained once a run, on questions of three kinds with one good model each: small, medium and large."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from routeiq_routing_ml.artifact.manifest import Manifest
from routeiq_routing_ml.model.packing import Packed, pack
from routeiq_routing_ml.training.table import Table
from routeiq_routing_ml.training.trainer import Settings, Trained, train

from ..gateway.gateway_cases import embed
from ..gateway.gateway_cases import table as gateway_table
from ..scorers.lessons import few_trees

MODELS = ("small", "medium", "large")
GOOD_AT = {"chat": "small", "code": "medium", "math": "large"}
FINGERPRINT = "embedder-1"


@cache
def table() -> Table:
    """The first model is good at chat, the second at code, the third at maths; with answer lengths."""
    found = replace(gateway_table(440), models=MODELS)
    return replace(found, tokens_out=np.tile([40.0, 80.0, 160.0], (len(found), 1)))


@cache
def trained(strategy: str) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        few_trees(patch)
        return train(table(), Settings(strategy))


@cache
def embedded() -> Trained:
    return train(table(), Settings("knn"), embed(list(table().texts)))


def packed(strategy: str) -> tuple[Packed, Manifest, dict[str, Any]]:
    """A router on hashing alone, with its manifest and arrays."""
    made = trained(strategy)
    whole = Packed(made.router, made.router, None, None, made.settings.policy, made.weights)
    return whole, *pack(whole, strategy=strategy, trainer="test 1", metrics={"gap": 0.5})


@cache
def packed_pair() -> tuple[Packed, Manifest, dict[str, Any]]:
    """A router that needs an embedder, and its stand-in that does not."""
    main, plain = embedded(), trained("knn")
    whole = Packed(main.router, plain.router, "fixture", FINGERPRINT, main.settings.policy, main.weights)
    return whole, *pack(whole, strategy="knn", trainer="test 1", metrics={})
