"""Corrections to predicted qualities that feedback teaches: what a trained router got wrong lately, model by model.

They follow change; they do not replace training. Where feedback comes from is `feedback`'s business.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from routeiq_routing_ml.artifact import canonical
from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.serving.heads import Heads

BOUND = 1.0
"""No correction adds or takes more than this."""
PRIOR = 0.1
"""How far the offline model is trusted, as a share of its training prompts: 0.1 lets a tenth as many answers speak
as loudly as the whole training set."""
_LONGEST = 1.01


class Corrections:
    """One Bayesian linear head a model, on the directions of `model.doubt`, that predicts score - predicted quality.

    Without feedback all corrections are 0. The prior precision is `prior` x the artifact's own (k, k), so a direction
    in which many prompts were trained on needs many answers to move. `noise` (m,) is the spread of a single error, from
    the artifact too. Of the past, `forgetting` is left with each answer, of all models alike: a model that is called no
    more because it was bad gets its offline prediction back in time, and with it another try.
    """

    def __init__(
        self,
        models: tuple[str, ...],
        precision: Floats,
        noise: Floats,
        *,
        forgetting: float = 0.999,
        prior: float = PRIOR,
        artifact: str = "",
    ) -> None:
        """`artifact` is the digest of the whole artifact: what another one taught is not taken over.

        Raises `ValueError` when the shapes or numbers do not fit together.
        """
        noise = np.asarray(noise, np.float64)
        if noise.shape != (len(models),) or not ((noise >= 0) & np.isfinite(noise)).all():
            raise ValueError(f"{len(models)} models, but noise of shape {noise.shape}, or below 0, or not finite")
        if not 0 < prior < math.inf:
            raise ValueError(f"prior is {prior}: give a number above 0")
        precision = np.asarray(precision, np.float64)
        self._heads = Heads(models, prior * precision, forgetting)
        self._noise = noise
        digest = hashlib.sha256(canonical.encode([artifact, list(models), list(precision.shape)]))
        digest.update(precision.tobytes() + noise.tobytes())
        self._fingerprint = digest.digest()

    @property
    def models(self) -> tuple[str, ...]:
        """The training names, in the order of all columns."""
        return self._heads.models

    @property
    def outcomes(self) -> int:
        """How many answers they have learned from."""
        return self._heads.outcomes

    def correct(self, directions: Floats) -> Floats:
        """What to add to the qualities (n, m) predicted for prompts with these directions (n, k); within -1..1."""
        return np.clip(self._heads.mean(directions), -BOUND, BOUND)

    def uncertainty(self, directions: Floats) -> Floats:
        """One standard deviation (n, m) of the corrections."""
        return self._heads.spread(directions) * self._noise

    def precision(self, model_index: int) -> Floats:
        """The precision (k, k) of one model's head, in answers; never below the prior's."""
        return self._heads.precision(model_index)

    def learn(self, directions: Sequence[float] | Floats, model_index: int, residual: float) -> None:
        """One answer of a model to a prompt with these directions (k,): its score less the quality that the artifact
        predicted, before any correction. Raises `ValueError`, and learns nothing, for what cannot be.
        """
        z = np.asarray(directions, np.float64)
        if z.shape != self._heads.precision(0).shape[:1] or not float(np.linalg.norm(z)) <= _LONGEST:
            raise ValueError(f"directions of shape {z.shape}, or longer than a unit vector, or not finite")
        if not 0 <= model_index < len(self._noise):
            raise ValueError(f"there is no model {model_index}")
        if not -1 <= residual <= 1:
            raise ValueError(f"a residual of {residual}, not within -1..1")
        self._heads.learn(z, model_index, float(residual))

    def state(self) -> bytes:
        """Everything learned, for `restore` after a restart."""
        return self._heads.state(self._fingerprint)

    def restore(self, state: bytes) -> bool:
        """Go on from `state`; `False`, with nothing changed, when it was learned about another artifact.

        Raises `ValueError`, with nothing changed, for bytes that are no state.
        """
        return self._heads.restore(state, self._fingerprint)
