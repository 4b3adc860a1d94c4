"""What a strategy is: it picks, and may limit beforehand and observe afterwards.

Which strategy is in charge of a model is decided by the plugin.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from routeiq_sdk import Attempt, Context, Deployment, Gateway, ModelGroup, Outcome, Reject

Key = tuple[str, str]
"""Id and model of a deployment: a wildcard's row has one id and many models."""


def key_of(deployment: Deployment) -> Key:
    """Under which a deployment is remembered."""
    return deployment.id, deployment.model


class Strategy(ABC):
    """Base of the strategies. They are made before the gateway is there; `bind` gives it to them."""

    gateway: Gateway

    def __init__(self, rng: random.Random | None = None) -> None:
        self.rng = rng or random.Random()  # noqa: S311 (load balancing, not a secret)

    def bind(self, gateway: Gateway) -> None:
        """The gateway is there."""
        self.gateway = gateway

    @abstractmethod
    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """One of `deployments`, of which there is at least one."""

    async def limit(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Sequence[Deployment] | Reject:
        """Those that have room for one more request, or the refusal when none has."""
        return deployments

    async def before(self, ctx: Context, attempt: Attempt) -> Reject | None:
        """A call is about to be made; a `Reject` keeps it from this deployment."""
        return None

    async def after(self, ctx: Context, outcome: Outcome) -> None:
        """A call ended."""

    def lowest(self, deployments: Sequence[Deployment], cost: Callable[[Deployment], float]) -> Deployment:
        """The deployment of the lowest cost; among equals a random one."""
        costs = [cost(deployment) for deployment in deployments]
        least = min(costs)
        return self.rng.choice([d for d, c in zip(deployments, costs, strict=True) if c == least])
