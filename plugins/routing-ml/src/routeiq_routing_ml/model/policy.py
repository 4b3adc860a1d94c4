"""From predictions to a choice: quality - lambda x cost, abstention, and the floor.

The plug-in rule of CARROT (arXiv 2502.03261) with a margin: a choice that is not clearly better than the default
model is left to the default model, and on prompts of a new kind it must be better still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routeiq_routing_ml.scorers.base import Floats

MARGIN = 0.05
NEW_MARGIN = 0.05
TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected of each model for each prompt: `quality` 0..1, `cost` in US dollars, `uncertainty` one standard
    deviation of the quality, all (n, m); `new` (n,) marks prompts of a new kind."""

    quality: Floats
    cost: Floats
    uncertainty: Floats
    new: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Policy:
    """`weight` is lambda, in quality a US dollar. `margin` and `new_margin` are in quality (utility, with a weight).

    Without a weight of cost, a choice must beat the default model by `margin`; on prompts of a new kind by `new_margin`
    more. With a weight, trading a little quality for cost is the point, so only prompts of a new kind are held to both,
    unless the policy is `cautious`: then all are, as with the profiles.

    With `floor`, the cheapest model is chosen whose quality less one standard deviation of doubt is within `tolerance`
    of the best quality, as AWS's IPR (arXiv 2509.06274) does.
    """

    weight: float = 0.0
    margin: float = MARGIN
    new_margin: float = NEW_MARGIN
    cautious: bool = False
    floor: bool = False
    tolerance: float = TOLERANCE

    def utility(self, prediction: Prediction, default: int | None) -> Floats:
        """What is ranked (n, m): quality less weighted cost, the default model raised by the margins that apply.

        `default` is the column to abstain to, `None` where it is no candidate: then nothing is raised.
        """
        if self.floor:
            return self._floor(prediction)
        utility = prediction.quality - self.weight * prediction.cost
        if default is not None:
            held = True if self.cautious or self.weight == 0 else prediction.new
            utility[:, default] += np.where(held, self.margin, 0.0) + self.new_margin * prediction.new
        return utility

    def choose(self, prediction: Prediction, default: int | None) -> NDArray[np.intp]:
        """The column (n,) with the highest utility; ties go to the cheaper model."""
        return cheapest_best(self.utility(prediction, default), prediction.cost)

    def _floor(self, prediction: Prediction) -> Floats:
        best = prediction.quality.max(axis=1, keepdims=True)
        good = prediction.quality - prediction.uncertainty >= best - self.tolerance
        good |= prediction.quality >= best  # the best itself is always good enough
        scale = max(1e-12, float(prediction.cost.max()))
        # Good enough: between 1 and 2, cheapest first. Others: their quality, below 1.
        return np.where(good, 2 - prediction.cost / scale, prediction.quality - 1)


def cheapest_best(utility: Floats, cost: Floats) -> NDArray[np.intp]:
    """The column (n,) of the highest utility (n, m), the cheapest of equals."""
    best = utility >= utility.max(axis=1, keepdims=True) - 1e-12
    chosen: NDArray[np.intp] = np.where(best, cost, np.inf).argmin(axis=1)
    return chosen
