"""Training names of models and the gateway's own: which column of a router speaks of which model group or deployment.

Also what a call would cost at today's prices. Choosing is `decide`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from routeiq_routing_ml.scorers.base import Floats
from routeiq_sdk import Deployment, ModelGroup, Price, Usage

_NANO = 1e-9


class Names:
    """Finds columns. `models` is the operator's map from training names to names of the gateway."""

    def __init__(self, models: Mapping[str, str]) -> None:
        self._models = models

    def gateway_name(self, training: str) -> str:
        """What a model of the training data is called here."""
        return self._models.get(training, training)

    def columns_of_groups(self, pool: Sequence[str], groups: Sequence[ModelGroup]) -> list[int | None]:
        """For each group its column in the pool, `None` when the router does not know it."""
        known = {self.gateway_name(model): column for column, model in enumerate(pool)}
        return [known.get(group.name) for group in groups]

    def columns_of_deployments(self, pool: Sequence[str], deployments: Sequence[Deployment]) -> list[int | None]:
        """The same for deployments, by id, by `provider/model`, by the provider's own name, or by base model."""
        known = {self.gateway_name(model): column for column, model in enumerate(pool)}
        return [next((known[name] for name in _names(d) if name in known), None) for d in deployments]


def _names(deployment: Deployment) -> tuple[str, ...]:
    base = deployment.info.get("base_model")
    qualified = f"{deployment.provider}/{deployment.model}"
    return (deployment.id, qualified, deployment.model, *([base] if isinstance(base, str) else []))


def live_costs(prices: Sequence[Price | None], tokens_in: float, tokens_out: Floats) -> Floats | None:
    """US dollars (k,) at today's prices for expected answer lengths (k,); `None` unless all models can be priced.

    Dollars of the training data and dollars of today are not comparable, so it is all or none.
    """
    if any(price is None for price in prices):
        return None
    asked = round(tokens_in)
    return np.array(
        [
            price.cost(Usage(asked, round(float(out)))) * _NANO
            for price, out in zip(prices, tokens_out, strict=True)
            if price is not None
        ]
    )
