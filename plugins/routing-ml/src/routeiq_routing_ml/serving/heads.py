"""Bayesian linear heads, one a model, that learn one outcome at a time, forget slowly, and survive a restart.

What the heads' inputs and targets mean is the business of `online` and `bandit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.artifact import arrays, canonical
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.scorers.base import Floats

_FINGERPRINT_BYTES: Final = 32
_KINDS: Final[Mapping[str, str]] = {
    "fingerprint": "u1",
    "models": "u1",
    "clock": "<i8",
    "seen": "<i8",
    "gram": "<f8",
    "sums": "<f8",
}
_PROBABLE: Final = 1e-6


class Heads:
    """`m` linear models of `k` inputs: weights ~ N(0, prior^-1), in units of observations, so noise is not needed.

    The posterior of a head is precision = prior + G, mean = precision^-1 s (Bishop 2006, section 3.3), where G and s
    are sums over its outcomes in which the one that came t outcomes ago, of any head, counts forgetting^t. Hence the
    precision sinks towards the prior and never below it, and a head that nobody feeds returns to its prior.
    """

    def __init__(self, models: Sequence[str], prior: Floats, forgetting: float) -> None:
        """`prior` is a symmetric positive definite (k, k). Raises `ValueError` for what is not."""
        prior = np.array(prior, dtype=np.float64)
        if prior.ndim != 2 or prior.shape[0] != prior.shape[1] or not prior.size or not np.isfinite(prior).all():
            raise ValueError(f"a prior precision of shape {prior.shape}, or one that is not finite")
        if not np.allclose(prior, prior.T, rtol=1e-6) or np.linalg.eigvalsh(prior)[0] <= 0:
            raise ValueError("a prior precision that is not symmetric and positive definite")
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting is {forgetting}: give a number above 0 and at most 1")
        if not models or len(set(models)) != len(models):
            raise ValueError("no models, or one that is named twice")
        self.models = tuple(models)
        self._prior: Floats = (prior + prior.T) / 2
        self._forgetting = forgetting
        self._fill(*self._empty())

    @property
    def outcomes(self) -> int:
        """How many outcomes all heads together have learned from."""
        return self._clock

    def precision(self, model: int) -> Floats:
        """The posterior precision (k, k) of one head."""
        found: Floats = self._prior + self._decay(model) * self._gram[model]
        return found

    def mean(self, inputs: Floats) -> Floats:
        """Expected outcomes (n, m) for inputs (n, k)."""
        means: Floats = inputs @ self._weights
        return means

    def spread(self, inputs: Floats) -> Floats:
        """One standard deviation (n, m) of the means, as a multiple of the noise of a single outcome."""
        variance: Floats = np.einsum("mni,ni->nm", inputs @ self._covariance, inputs)
        return np.sqrt(np.maximum(variance, 0))

    def learn(self, inputs: Floats, model: int, outcome: float) -> None:
        """One outcome of one head at inputs (k,), all finite. Takes O(k^3): 0.2 ms at k = 32."""
        self._clock += 1
        decay = self._decay(model)
        self._gram[model] = decay * self._gram[model] + np.outer(inputs, inputs)
        self._sums[model] = decay * self._sums[model] + outcome * inputs
        self._seen[model] = self._clock
        # Others only fade; a turn each keeps their means at most m outcomes old.
        self._solve(sorted({model, self._clock % len(self.models)}))

    def state(self, fingerprint: bytes) -> bytes:
        """Everything learned, as safetensors. `fingerprint` (32 bytes) names what the inputs mean."""
        return arrays.encode(
            {
                "fingerprint": np.frombuffer(fingerprint, np.uint8),
                "models": np.frombuffer(canonical.encode(list(self.models)), np.uint8),
                "clock": np.array([self._clock]),
                "seen": self._seen,
                "gram": self._gram,
                "sums": self._sums,
            }
        )

    def restore(self, state: bytes, fingerprint: bytes) -> bool:
        """Take over what `state` told, for the models it knows; `False`, unchanged, when its fingerprint is another.

        Raises `ValueError`, unchanged, for bytes that `state` did not write.
        """
        told = _decoded(state)
        if told["fingerprint"].tobytes() != fingerprint:
            return False
        names = _names(told["models"])
        found = self._checked(told, len(names))
        _, seen, gram, sums = self._empty()
        for place, name in enumerate(names):
            if name in self.models:
                model = self.models.index(name)
                seen[model], gram[model], sums[model] = (part[place] for part in found)
        before = self._clock, self._seen, self._gram, self._sums
        try:
            self._fill(int(told["clock"][0]), seen, gram, sums)
        except (np.linalg.LinAlgError, FloatingPointError):
            self._fill(*before)
            raise ValueError("sums that no outcomes add up to") from None
        return True

    def _empty(self) -> tuple[int, NDArray[np.int64], Floats, Floats]:
        m, k = len(self.models), len(self._prior)
        return 0, np.zeros(m, np.int64), np.zeros((m, k, k)), np.zeros((m, k))

    def _fill(self, clock: int, seen: NDArray[np.int64], gram: Floats, sums: Floats) -> None:
        self._clock, self._seen, self._gram, self._sums = clock, seen, gram, sums
        self._covariance = np.zeros_like(gram)
        self._weights = np.zeros(sums.shape[::-1])
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            self._solve(range(len(self.models)))

    def _decay(self, model: int) -> float:
        return float(self._forgetting ** (self._clock - int(self._seen[model])))

    def _solve(self, models: Sequence[int]) -> None:
        """Covariance and weights of some heads. Replaced whole, since other threads may be reading them."""
        covariance, weights = self._covariance.copy(), self._weights.copy()
        for model in models:
            inverse = np.linalg.inv(self.precision(model))
            covariance[model] = (inverse + inverse.T) / 2
            weights[:, model] = covariance[model] @ (self._decay(model) * self._sums[model])
        self._covariance, self._weights = covariance, weights

    def _checked(
        self, told: Mapping[str, NDArray[Any]], m: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        k = len(self._prior)
        seen, gram, sums, clock = told["seen"], told["gram"], told["sums"], told["clock"]
        if clock.shape != (1,) or (seen.shape, gram.shape, sums.shape) != ((m,), (m, k, k), (m, k)):
            raise ValueError(
                f"arrays of shapes {seen.shape}, {gram.shape} and {sums.shape} for {m} models of {k} inputs"
            )
        if not 0 <= seen.min() <= seen.max() <= clock[0]:
            raise ValueError("heads that learned before the first or after the last outcome")
        if (gram != gram.transpose(0, 2, 1)).any():
            raise ValueError("sums of squares that are not symmetric")
        smallest = np.linalg.eigvalsh(gram)[:, 0]
        if (smallest < -_PROBABLE * (1 + np.abs(gram).max(axis=(1, 2)))).any():
            raise ValueError("sums of squares that are negative")
        return seen, gram, sums


def _decoded(state: bytes) -> Mapping[str, NDArray[Any]]:
    try:
        told = arrays.decode(state, "state")
    except ArtifactError as error:
        raise ValueError(error.reason) from None
    if told.keys() != _KINDS.keys():
        raise ValueError("other arrays than those of a state")
    for name, kind in _KINDS.items():
        if told[name].dtype != np.dtype(kind):
            raise ValueError(f"array {name!r} holds numbers of the kind {told[name].dtype}")
    if told["fingerprint"].shape != (_FINGERPRINT_BYTES,) or told["models"].ndim != 1:
        raise ValueError("a fingerprint or a list of models of the wrong shape")
    return told


def _names(told: NDArray[Any]) -> list[str]:
    names = canonical.decode_canonical(told.tobytes())
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError("no list of models")
    if len(set(names)) != len(names):
        raise ValueError("a model that is named twice")
    return names
