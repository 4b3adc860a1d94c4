"""The deployment with the fewest tokens used in the current minute, among those within `rpm` and `tpm`.

`UsageBased` counts in this process and after a call; `UsageBasedV2` in the shared state, and requests before a call.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence

from routeiq_routing_classic.limits import Used, minute, reached, with_room
from routeiq_routing_classic.strategy import Key, Strategy, key_of
from routeiq_sdk import Attempt, Context, Deployment, ModelGroup, Outcome, Reject

log = logging.getLogger(__name__)

_KEPT_SECONDS = 120.0


class WithinLimits(Strategy):
    """Base of strategies that keep to `rpm` and `tpm` by what this process saw succeed in the current minute."""

    def __init__(self, rng: random.Random | None = None) -> None:
        super().__init__(rng)
        self._minute = -1
        self._used: dict[Key, Used] = {}

    def used(self, deployment: Deployment) -> Used:
        """What the deployment was used for in the current minute."""
        return self._current().get(key_of(deployment), Used())

    async def limit(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Sequence[Deployment] | Reject:
        return with_room(ctx, group, deployments, self.used, self.gateway)

    async def after(self, ctx: Context, outcome: Outcome) -> None:
        if outcome.ok:
            used = self._current()
            key = (outcome.deployment_id, outcome.model)
            requests, tokens = used.get(key, Used())
            used[key] = Used(requests + 1, tokens + (outcome.usage.total_tokens if outcome.usage is not None else 0))

    def _current(self) -> dict[Key, Used]:
        now = minute(self.gateway)
        if now != self._minute:
            self._minute, self._used = now, {}  # nothing is kept of a minute that is over
        return self._used


class UsageBased(WithinLimits):
    """LiteLLM's usage-based-routing."""

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """The least used one of `deployments`."""
        return self.lowest(deployments, lambda deployment: self.used(deployment).tokens)


class UsageBasedV2(Strategy):
    """LiteLLM's usage-based-routing-v2. A store that fails leaves a random choice without limits: balancing load is no
    reason to refuse it."""

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """The one of `deployments` that was least used when the request came."""
        seen = self._seen(ctx)
        return self.lowest(deployments, lambda deployment: seen.get(key_of(deployment), Used()).tokens)

    async def limit(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Sequence[Deployment] | Reject:
        now = minute(self.gateway)
        keys = [self._key(key_of(d), now, what) for what in ("requests", "tokens") for d in deployments]
        try:
            values = await self.gateway.state.counters(keys)
        except Exception as error:
            log.warning("usage is not known, the choice is a random one: %s", type(error).__name__)
            return deployments
        requests, tokens = values[: len(deployments)], values[len(deployments) :]
        seen = {key_of(d): Used(*counts) for d, *counts in zip(deployments, requests, tokens, strict=True)}
        ctx.keep(self, {**self._seen(ctx), **seen})
        return with_room(ctx, group, deployments, lambda deployment: seen[key_of(deployment)], self.gateway)

    async def before(self, ctx: Context, attempt: Attempt) -> Reject | None:
        deployment = attempt.deployment
        if deployment.rpm is None:
            return None
        key = self._key(key_of(deployment), minute(self.gateway), "requests")
        try:
            counted = await self.gateway.state.increment(key, 1, limit=deployment.rpm, ttl_seconds=_KEPT_SECONDS)
        except Exception as error:
            log.warning("a request is not counted: %s", type(error).__name__)
            return None
        return reached(deployment.group, self.gateway) if counted is None else None

    async def after(self, ctx: Context, outcome: Outcome) -> None:
        if outcome.usage is None or not outcome.usage.total_tokens:
            return
        key = self._key((outcome.deployment_id, outcome.model), minute(self.gateway), "tokens")
        await self.gateway.state.increment(key, outcome.usage.total_tokens, ttl_seconds=_KEPT_SECONDS)

    def _seen(self, ctx: Context) -> dict[Key, Used]:
        return ctx.kept(self, dict) or {}

    def _key(self, key: Key, now: int, what: str) -> str:
        return f"routing-classic:usage:{key[0]}:{key[1]}:{now}:{what}"
