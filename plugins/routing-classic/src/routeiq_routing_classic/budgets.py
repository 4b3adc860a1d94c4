"""Budgets of providers and deployments: what was spent in a window, and who may spend more.

Budgets of keys, users and teams, and exact ones, are another plugin's: calls under way are not counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from routeiq_routing_classic import config
from routeiq_routing_classic.durations import seconds_from
from routeiq_routing_classic.rows import own_budget
from routeiq_sdk import Context, Deployment, Gateway, ModelGroup, Outcome, Reject

_NANO = 1_000_000_000
_MOST_KNOWN = 10_000


class _Budget(NamedTuple):
    """One budget that a call counts against. `limit` is in nano-USD."""

    name: str
    key: str
    limit: int
    duration: str


class Budgets:
    """Keeps spending in the shared state, in nano-USD. Whatever it cannot read or write refuses: fail closed."""

    gateway: Gateway

    def __init__(self, providers: Mapping[str, config.Budget]) -> None:
        self._providers = {
            name: _budget(f"provider {name}", f"provider:{name}", budget.budget_limit, budget.time_period)
            for name, budget in providers.items()
        }
        self._owed: Counter[tuple[str, str]] = Counter()
        self._known: dict[str, tuple[Deployment, tuple[_Budget, ...]]] = {}

    def of(self, deployment: Deployment) -> tuple[_Budget, ...]:
        """The budgets that calls of a deployment count against."""
        known = self._known.get(deployment.id)
        if known is None or known[0] is not deployment:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[deployment.id] = (deployment, self._of(deployment))
        return known[1]

    def _of(self, deployment: Deployment) -> tuple[_Budget, ...]:
        found = []
        provider = self._providers.get(deployment.provider)
        if provider is not None:
            found.append(provider)
        own = own_budget(deployment)
        if own is not None:
            found.append(_budget(f"deployment {deployment.id}", f"deployment:{deployment.id}", *own))
        return tuple(found)

    async def filter(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Sequence[Deployment] | Reject:
        """The deployments whose budgets are not spent. Raises what the store raises."""
        by_deployment = [(deployment, self.of(deployment)) for deployment in deployments]
        keys = [*dict.fromkeys(budget.key for _, budgets in by_deployment for budget in budgets)]
        if not keys:
            return deployments
        await self._pay()
        spent = dict(zip(keys, await self.gateway.state.counters(keys), strict=True))
        left: list[Deployment] = []
        reasons: dict[str, None] = {}
        for deployment, budgets in by_deployment:
            over = [budget for budget in budgets if spent[budget.key] >= budget.limit]
            if over:
                told = (f"Exceeded budget for {b.name}: {_dollars(spent[b.key])} >= {_dollars(b.limit)}" for b in over)
                reasons.update(dict.fromkeys(told))
            elif budgets and deployment.price is None:
                reasons[f"{deployment.model} has no price, so its budget cannot be kept"] = None
            else:
                left.append(deployment)
        return left or Reject(
            429,
            f"No deployments available - crossed budget: {'; '.join(reasons)}. Passed model={group.name}",
            type="budget_exceeded",
        )

    async def after(self, deployment: Deployment, outcome: Outcome) -> None:
        """Count what a call cost. What cannot be written now is owed, and written before the next choice."""
        if not outcome.cost:
            return
        for budget in self.of(deployment):
            self._owed[budget.key, budget.duration] += outcome.cost
        await self._pay()

    async def _pay(self) -> None:
        state, now = self.gateway.state, self.gateway.clock.now_ns()
        for owed in tuple(self._owed):
            cost = self._owed.pop(owed, 0)
            key, duration = owed
            try:
                await state.increment(key, cost, ttl_seconds=seconds_from(now, duration))
            except BaseException:  # cancelled, too: counted twice is safe, not counted is not
                self._owed[owed] += cost
                raise


def _budget(name: str, key: str, dollars: Decimal, duration: str) -> _Budget:
    limit = int((dollars * _NANO).to_integral_value(ROUND_FLOOR))
    return _Budget(name, f"routing-classic:spend:{key}:{duration}", limit, duration)


def _dollars(nano: int) -> str:
    return f"{Decimal(nano).scaleb(-9).normalize():f}"
