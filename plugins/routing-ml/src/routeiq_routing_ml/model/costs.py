"""What a prompt will cost on each model: its own tokens, and the answer length usual for such prompts.

Kept by cluster of prompts, since answers differ by kind of task more than by anything else. At serving, live prices are
laid over the expected tokens; without them the dollars of the training data are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.scorers.base import Arrays, Floats, half, single
from routeiq_routing_ml.scorers.clusters import find_centers, table, vote

CHARACTERS_A_TOKEN = 4.0
_LEAST = 0.05
"""No estimate falls below this share of its cluster's mean."""


@dataclass(frozen=True, slots=True)
class Costs:
    """`dollars` (c, m) and `tokens_in` (c,) are means by cluster, `slope` (m,) dollars a prompt token.

    `tokens_out` (c, m) are mean answer tokens; of no rows when the training data had none.
    """

    centers: NDArray[np.float32]
    dollars: NDArray[np.float32]
    tokens_in: NDArray[np.float32]
    slope: NDArray[np.float32]
    tokens_out: NDArray[np.float32]

    def votes(self, points: Points) -> Floats:
        """Weights (n, c) of the clusters for each prompt."""
        return vote(points, self.centers)

    def expected(self, votes: Floats, tokens: Floats) -> Floats:
        """US dollars (n, m) of prompts with these cluster weights (n, c) and lengths (n,) in tokens."""
        usual = votes @ self.dollars.astype(np.float64)
        longer = tokens - votes @ self.tokens_in.astype(np.float64)
        dollars: Floats = np.maximum(usual + longer[:, None] * self.slope, _LEAST * usual)
        return dollars

    @property
    def knows_answers(self) -> bool:
        """Whether the training data had the length of answers."""
        return len(self.tokens_out) > 0

    def answer_tokens(self, votes: Floats) -> Floats:
        """Expected answer tokens (n, m). Ask only where answers are known."""
        return votes @ self.tokens_out.astype(np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Centers in half precision, and the tables."""
        return {
            "costs.centers": half(self.centers),
            "costs.dollars": self.dollars,
            "costs.tokens_in": self.tokens_in,
            "costs.slope": self.slope,
            "costs.tokens_out": self.tokens_out,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The costs of `arrays()`. Raises `ValueError`."""
        found = [single(arrays[f"costs.{name}"]) for name in ("centers", "dollars", "tokens_in", "slope", "tokens_out")]
        centers, dollars, tokens_in, slope, tokens_out = found
        fits = dollars.ndim == centers.ndim == 2 and len(centers) == len(dollars) and slope.shape == dollars.shape[1:]
        if not fits or tokens_in.shape != dollars.shape[:1] or (len(tokens_out) and tokens_out.shape != dollars.shape):
            raise ValueError(f"cost arrays of shapes {[array.shape for array in found]}")
        if not len(centers) or any((array < 0).any() for array in (dollars, tokens_in, slope, tokens_out)):
            raise ValueError("cost arrays without a cluster, or with costs or tokens below 0")
        return cls(centers, dollars, tokens_in, slope, tokens_out)

    @classmethod
    def fit(
        cls,
        points: Points,
        cost: Floats,
        tokens: Floats,
        tokens_out: Floats | None,
        seed: int,
        centers: NDArray[np.float32] | None = None,
    ) -> Self:
        """Learn from US dollars (n, m), prompt tokens (n,) and, where known, answer tokens (n, m).

        `centers` (c, d) are clusters that are known already; they are found in the prompts alone, without any cost.
        """
        if centers is None:
            centers = find_centers(points, seed)
        votes = vote(points, centers)
        dollars, usual = table(votes, cost), table(votes, tokens[:, None])[:, 0]
        extra = tokens - votes @ usual
        above = cost - votes @ dollars
        slope = np.maximum(0, (extra[:, None] * above).sum(axis=0) / max(1e-9, float((extra**2).sum())))
        outs = table(votes, tokens_out) if tokens_out is not None else np.zeros((0, cost.shape[1]))
        return cls(centers, dollars, single(usual), single(slope), single(outs))


def estimated_tokens(characters: int) -> float:
    """Tokens of a prompt of so many characters; English prose takes about four a token."""
    return characters / CHARACTERS_A_TOKEN
