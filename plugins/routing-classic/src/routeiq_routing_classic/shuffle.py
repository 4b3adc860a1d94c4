"""Random choice by weight: for models of a routing group, and beside provider budgets.

The core has its own for the default strategy.
"""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_routing_classic.strategy import Strategy
from routeiq_sdk import Context, Deployment, ModelGroup


class SimpleShuffle(Strategy):
    """Weighted by `weight`, else by `rpm`, else by `tpm`, else evenly."""

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """A random one of `deployments`."""
        for weights in (
            [d.weight or 0 for d in deployments],
            [d.rpm or 0 for d in deployments],
            [d.tpm or 0 for d in deployments],
        ):
            if any(weights):
                return self.rng.choices(deployments, weights)[0]
        return self.rng.choice(deployments)
