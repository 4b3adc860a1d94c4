"""Which members of a virtual model's pool may take a request: protocol, key, policy, needs, health. In this order.

Ranking those that are left is the strategies' business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from routeiq.request.choice import Choice
from routeiq.request.cooldown import Cooldowns
from routeiq.request.needs import needs_of
from routeiq.wires.body import Body
from routeiq_sdk import Context, ModelGroup, RequestError


@dataclass(slots=True)
class Pool:
    """The groups that are left, and of the others why each is not."""

    groups: list[ModelGroup]
    dropped: dict[str, str] = field(default_factory=dict)

    def keep(self, fits: Callable[[ModelGroup], bool], why: str) -> None:
        """Drop the groups that do not fit, unless none would be left: a need nobody is known to meet drops nobody."""
        if any(fits(group) for group in self.groups):
            self.drop({group.name: why for group in self.groups if not fits(group)})

    def drop(self, reasons: dict[str, str]) -> None:
        """Drop these groups."""
        self.dropped.update(reasons)
        self.groups = [group for group in self.groups if group.name not in reasons]


class Pools:
    """Narrows pools for one runtime."""

    def __init__(self, choice: Choice, cooldowns: Cooldowns) -> None:
        self._choice = choice
        self._cooldowns = cooldowns

    async def fitting(self, ctx: Context, body: Body, groups: Sequence[ModelGroup]) -> Pool:
        """The groups of a pool that may take this request. Raises the `RequestError` of the last group refused when
        none may."""
        pool = Pool(list(groups))
        principal = ctx.principal
        if principal.models is not None:
            # A key that names members of the pool gets these; one that names the virtual model alone gets them all.
            pool.keep(lambda group: principal.may_use(group.name), "the key does not name it")
        await self._permitted(ctx, pool)
        needs = needs_of(body)
        for ability in sorted(needs.abilities):
            pool.keep(lambda group, word=ability: _can(group, word) is True, f"not known to do {ability}")  # type: ignore[misc]
            pool.keep(lambda group, word=ability: _can(group, word) is not False, f"cannot do {ability}")  # type: ignore[misc]
        pool.keep(lambda group: _room(group) >= needs.tokens, f"too small for about {needs.tokens} tokens")
        pool.keep(lambda group: bool(self._cooldowns.healthy(group.deployments)), "all its deployments are benched")
        return pool

    async def _permitted(self, ctx: Context, pool: Pool) -> None:
        last: RequestError | None = None
        for group in tuple(pool.groups):
            try:
                await self._choice.candidates(ctx, group)
            except RequestError as refused:
                last = refused
                pool.drop({group.name: refused.message})
        if not pool.groups and last is not None:
            raise last


def _can(group: ModelGroup, ability: str) -> bool | None:
    """What the group's deployments say: all yes, any no, or not known."""
    told = [deployment.abilities.get(ability) for deployment in group.deployments]
    return False if False in told else True if all(told) else None


def _room(group: ModelGroup) -> float:
    """The smallest context window of the group, in tokens; boundless where none is known."""
    return min((d.max_input_tokens for d in group.deployments if d.max_input_tokens), default=float("inf"))
