"""From the asked name to ranked model groups: a concrete name is honoured, a virtual one asks the strategies.

Load balancing inside a group is `choice`; learning is plugins' business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from routeiq.errors import Errors
from routeiq.plugins.compiled import Pipeline
from routeiq.request import gates
from routeiq.wires.body import Body
from routeiq_sdk import Candidate, Context, Decision, ModelGroup
from routeiq_sdk.gateway import ModelStrategy

Accepts = Callable[[ModelGroup, str], bool]


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
        accepts: Accepts,
        errors: Errors,
    ) -> None:
        self._pipeline = pipeline
        self._strategies = strategies
        self._resolve = resolve
        self._virtual = virtual
        self._accepts = accepts
        self._errors = errors

    async def route(self, ctx: Context, body: Body) -> tuple[tuple[ModelGroup, ...], Decision | None]:
        """The groups to call, best first, and the decision when there was one to take. Raises `RequestError`."""
        virtual = self._virtual.get(body.model)
        if virtual is None:
            group = self._resolve(body.model)
            if group is None:
                raise self._errors.unknown_model(ctx.route, body.model)
            return (group,), None
        pool = self._fitting(ctx, virtual, body)
        decision = await self._decide(ctx, virtual, pool)
        if decision is None:
            decision = _static(virtual, pool)
        by_name = {group.name: group for group in pool}
        return tuple(by_name[candidate.model] for candidate in decision.candidates), decision

    def _fitting(self, ctx: Context, virtual: VirtualModel, body: Body) -> list[ModelGroup]:
        pool = [group for group in virtual.pool if self._accepts(group, body.wire)]
        allowed = ctx.principal.models
        if allowed is not None and virtual.name not in allowed:
            pool = [group for group in pool if group.name in allowed]
        if not pool:
            raise self._errors.not_served(virtual.name, ctx.surface)
        return pool

    async def _decide(self, ctx: Context, virtual: VirtualModel, pool: Sequence[ModelGroup]) -> Decision | None:
        names = {group.name for group in pool}
        if virtual.strategy is not None:
            decision = await self._strategies[virtual.strategy].rank(ctx, pool)
            return decision if _sound(decision, names) else None
        for call in self._pipeline.select_model:
            try:
                decision = await gates.ask(call, ctx, pool)
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


def _sound(decision: Decision | None, names: set[str]) -> bool:
    if decision is None or not decision.candidates:
        return False
    chosen = [candidate.model for candidate in decision.candidates]
    return len(set(chosen)) == len(chosen) and names.issuperset(chosen)


def _static(virtual: VirtualModel, pool: Sequence[ModelGroup]) -> Decision:
    ordered = sorted(pool, key=lambda group: group.name != virtual.default.name)
    candidates = tuple(Candidate(group.name, -float(place)) for place, group in enumerate(ordered))
    return Decision("static", candidates, "no strategy decided: the default model, then the pool in its order")
