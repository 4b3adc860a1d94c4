"""From the asked name to ranked model groups: a concrete name is honoured, a virtual one asks the strategies.

Load balancing inside a group is `choice`; learning is plugins' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from routeiq.errors import Errors
from routeiq.plugins.compiled import Pipeline
from routeiq.request import gates
from routeiq.request.auth import conceal
from routeiq.request.pool import Pools
from routeiq.wires.body import Body
from routeiq_sdk import Candidate, Context, Decision, ModelGroup
from routeiq_sdk.gateway import ModelStrategy

log = structlog.get_logger("routeiq.routing")


@dataclass(frozen=True, slots=True)
class VirtualModel:
    """A name behind which a strategy chooses. `strategy` names one; without it the plugins' `select_model` hooks
    decide."""

    name: str
    pool: tuple[ModelGroup, ...]
    default: ModelGroup
    strategy: str | None = None


class Router:
    """Resolves and ranks, for one runtime."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        strategies: Mapping[str, ModelStrategy],
        resolve: Callable[[str], ModelGroup | None],
        virtual: Mapping[str, VirtualModel],
        pools: Pools,
        errors: Errors,
    ) -> None:
        self._pipeline = pipeline
        self._strategies = strategies
        self._resolve = resolve
        self._virtual = virtual
        self._pools = pools
        self._errors = errors

    async def route(self, ctx: Context, body: Body) -> tuple[tuple[ModelGroup, ...], Decision | None]:
        """The groups to call, best first, and the decision when there was one to take. Raises `RequestError`."""
        virtual = self._virtual.get(body.model)
        if virtual is None:
            group = self._resolve(body.model)
            if group is None:
                raise self._errors.unknown_model(ctx.route, body.model)
            return (group,), None
        pool = await self._pools.fitting(ctx, body, virtual.pool)
        decision = await self._decide(ctx, virtual, pool.groups)
        if decision is None:
            decision = _static(virtual, pool.groups)
        if pool.dropped:
            decision = replace(decision, attributes={**decision.attributes, "filtered": dict(pool.dropped)})
        by_name = {group.name: group for group in pool.groups}
        return tuple(by_name[candidate.model] for candidate in decision.candidates), decision

    async def _decide(self, ctx: Context, virtual: VirtualModel, pool: Sequence[ModelGroup]) -> Decision | None:
        names = {group.name for group in pool}
        if virtual.strategy is not None:
            return await self._named(virtual.strategy, ctx, pool, names)
        if not self._pipeline.select_model:
            return None
        until = gates.deadline()
        for call in self._pipeline.select_model:
            try:
                decision = await gates.ask_until(until, call, ctx, pool)
            except Exception as error:
                gates.failed(call, ctx, error)
                continue
            if decision is None:
                continue
            if _sound(decision, names):
                return decision  # type: ignore[no-any-return]
            gates.failed(
                call, ctx, ValueError("the decision names models outside its candidates, or none, or one twice")
            )
        return None

    async def _named(self, strategy: str, ctx: Context, pool: Sequence[ModelGroup], names: set[str]) -> Decision | None:
        try:
            async with asyncio.timeout_at(gates.deadline()):
                decision = await self._strategies[strategy].rank(ctx, pool)
        except Exception as error:
            log.error(
                "strategy failed",
                strategy=strategy,
                request_id=ctx.request_id,
                error=type(error).__name__,
                detail=conceal(str(error), ctx.headers),
            )
            return None
        return decision if _sound(decision, names) else None


def _sound(decision: object, names: set[str]) -> bool:
    if not isinstance(decision, Decision) or not decision.candidates:
        return False
    chosen = [candidate.model for candidate in decision.candidates]
    return len(set(chosen)) == len(chosen) and names.issuperset(chosen)


def _static(virtual: VirtualModel, pool: Sequence[ModelGroup]) -> Decision:
    ordered = sorted(pool, key=lambda group: group.name != virtual.default.name)
    candidates = tuple(Candidate(group.name, -float(place)) for place, group in enumerate(ordered))
    return Decision("static", candidates, "no strategy decided: the default model, then the pool in its order")
