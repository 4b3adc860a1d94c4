"""Which deployment of a group serves the next attempt: filters first, then a plugin's or the configured choice.

Benching and retrying are decided elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

import structlog

from routeiq.errors import Errors
from routeiq.plugins.compiled import Pipeline
from routeiq.request import gates
from routeiq.request.confinement import Confinement
from routeiq.request.cooldown import Cooldowns
from routeiq.request.needs import in_region, region_of
from routeiq_sdk import Context, Deployment, ModelGroup, Reject
from routeiq_sdk.gateway import DeploymentStrategy

log = structlog.get_logger("routeiq.routing")


class Choice:
    """Chooses deployments for one runtime."""

    def __init__(
        self,
        pipeline: Pipeline,
        strategy: DeploymentStrategy,
        cooldowns: Cooldowns,
        errors: Errors,
        accepts: Callable[[Deployment, str], bool],
        confinement: Confinement | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._strategy = strategy
        self._cooldowns = cooldowns
        self._errors = errors
        self._accepts = accepts
        self._confinement = confinement
        self.running: dict[str, int] = {}

    async def candidates(self, ctx: Context, group: ModelGroup) -> Sequence[Deployment]:
        """The deployments that may serve this request, healthy or not. Raises `RequestError` when none may."""
        wire = ctx.request.wire
        able: Sequence[Deployment] = [d for d in group.deployments if self._accepts(d, wire)]
        if not able:
            raise self._errors.not_served(group.name, ctx.surface)
        region = region_of(ctx)
        if region is not None:
            able = [d for d in able if in_region(d.region, region)]
            if not able:
                raise self._errors.no_target(group.name, f"none is in the region {region}")
        if self._confinement is not None:
            able = self._confinement.left(ctx, group, able)
        if self._pipeline.authorize_target:
            able = self._authorized(ctx, group, able)
        if self._pipeline.filter_deployments:
            able = await self._filtered(ctx, group, able)
        return able

    def pick(
        self, ctx: Context, group: ModelGroup, candidates: Sequence[Deployment], tried: Collection[str]
    ) -> Deployment:
        """One healthy candidate, one that was not tried yet if there is one. Raises `RequestError` when all are
        benched."""
        healthy = self._cooldowns.healthy(candidates)
        if not healthy:
            raise self._errors.cooling(group.name, self._cooldowns.wait(candidates))
        healthy = [d for d in healthy if not self._full(d)]
        if not healthy:
            raise self._errors.cooling(group.name, 1.0)
        if len(healthy) == 1:
            return healthy[0]
        fresh = [d for d in healthy if d.id not in tried] or healthy
        first = min((d.order for d in fresh if d.order is not None), default=None)
        if first is not None:
            fresh = [d for d in fresh if d.order == first]
        return self._choose(ctx, group, fresh)

    def others(self, candidates: Sequence[Deployment], tried: Collection[str]) -> bool:
        """Whether a healthy candidate is left that was not tried."""
        return any(d.id not in tried for d in self._cooldowns.healthy(candidates))

    def _choose(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment:
        if len(deployments) == 1:
            return deployments[0]
        for call in self._pipeline.select_deployment:
            try:
                chosen = gates.ask_now(call, ctx, group, deployments)
            except Exception as error:
                gates.failed(call, ctx, error)
                continue
            if chosen is not None and any(chosen is d for d in deployments):
                return chosen  # type: ignore[no-any-return]
        try:
            picked = self._strategy.pick(ctx, group, deployments)
        except Exception as error:
            log.error("strategy failed", request_id=ctx.request_id, error=type(error).__name__, detail=str(error))
            return deployments[0]
        return picked if picked is not None and any(picked is d for d in deployments) else deployments[0]

    async def _filtered(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Sequence[Deployment]:
        """What the plugins leave of `deployments`; one that adds some of its own is a broken one."""
        left = deployments
        async with gates.Stage(self._pipeline.filter_deployments, ctx, self._errors) as stage:
            for call in stage:
                answer = await gates.verdict(call, ctx, group, left)
                if answer is None:
                    continue
                if isinstance(answer, Reject):
                    raise gates.refusal(answer)
                if any(all(d is not known for known in left) for d in answer):
                    raise ValueError("it returned deployments that it was not given")
                if not answer:
                    raise self._errors.no_target(group.name, f"{call.plugin} leaves none")
                left = answer
        return left

    def _full(self, deployment: Deployment) -> bool:
        most = deployment.max_parallel_requests
        return most is not None and self.running.get(deployment.id, 0) >= most

    def _authorized(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> list[Deployment]:
        allowed: list[Deployment] = []
        last: Reject | None = None
        for deployment in deployments:
            verdict = self.authorized(ctx, deployment)
            if verdict is None:
                allowed.append(deployment)
            else:
                last = verdict
        if not allowed:
            raise gates.refusal(last) if last is not None else self._errors.no_target(group.name, "none is left")
        return allowed

    def authorized(self, ctx: Context, deployment: Deployment) -> Reject | None:
        """Whether all plugins agree to this target. A plugin's failure leaves the target out."""
        for call in self._pipeline.authorize_target:
            try:
                verdict = gates.understood(call, gates.ask_now(call, ctx, deployment))
            except Exception as error:
                gates.failed(call, ctx, error)
                return Reject(503, f"the plugin '{call.plugin}' failed at 'authorize_target'")
            if isinstance(verdict, Reject):
                return verdict
        return None


class SimpleShuffle:
    """LiteLLM's default: a random deployment, weighted by `weight`, else by `rpm`, else by `tpm`, else evenly."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311 (load balancing, not a secret)

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """One of `deployments`."""
        for name in ("weight", "rpm", "tpm"):
            weighted = [(d, weight) for d in deployments if (weight := getattr(d, name) or 0) > 0]
            if weighted:  # sums of tiny weights round, so one of weight nothing must not be among them
                return self._rng.choices([d for d, _ in weighted], [weight for _, weight in weighted])[0]
        return self._rng.choice(deployments)
