"""The strategies by name: how each is fitted and read back, and LLMRouter's names for them.

Strategies that need no training (`smallest`, `largest`) and those that learn on the fly are in `serving`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from routeiq_routing_ml.scorers.base import Arrays, Lesson, Scorer
from routeiq_routing_ml.scorers.clusters import Clusters
from routeiq_routing_ml.scorers.elo import Elo
from routeiq_routing_ml.scorers.ensemble import Ensemble
from routeiq_routing_ml.scorers.factors import Factors
from routeiq_routing_ml.scorers.linear import Linear
from routeiq_routing_ml.scorers.neighbours import Neighbours
from routeiq_routing_ml.scorers.network import Network


@dataclass(frozen=True, slots=True)
class Kind:
    """One strategy: what it is in a few words, how it learns and how it is read back."""

    summary: str
    fit: Callable[[Lesson], Scorer]
    read: Callable[[Arrays], Scorer]


KINDS: Mapping[str, Kind] = {
    "ensemble": Kind("mean of neighbours, kernel ridge and trees", Ensemble.fit, Ensemble.from_arrays),
    "knn": Kind("the most similar training prompts", Neighbours.fit, Neighbours.from_arrays),
    "ridge": Kind("linear least squares", Linear.ridge, Linear.from_arrays),
    "logistic": Kind("logistic regression", Linear.logistic, Linear.from_arrays),
    "svm": Kind("linear support vector machine, calibrated", Linear.svm, Linear.from_arrays),
    "mlp": Kind("small neural networks", Network.fit, Network.from_arrays),
    "mf": Kind("matrix factorisation", Factors.fit, Factors.from_arrays),
    "kmeans": Kind("a table by cluster of prompts", Clusters.fit, Clusters.from_arrays),
    "elo": Kind("one rating a model", Elo.fit, Elo.from_arrays),
}
