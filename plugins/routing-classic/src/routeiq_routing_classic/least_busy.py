"""The deployment with the fewest calls under way.

The core counts the calls, in each process for itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_routing_classic.strategy import Strategy
from routeiq_sdk import Context, Deployment, ModelGroup


class LeastBusy(Strategy):
    """Fewest calls under way; among equals a random one."""

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """The least busy one of `deployments`."""
        running = self.gateway.running
        return self.lowest(deployments, lambda deployment: running.get(deployment.id, 0))
