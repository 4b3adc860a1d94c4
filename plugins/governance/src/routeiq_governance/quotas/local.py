"""The part of rates and of calls at once that one process lets through on its own while the store is away.

Money is never let through like this.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable

from routeiq_governance.quotas.rule import Rule

_MOST = 20_000
_SAFETY = 2
"""Other replicas are not known, so a process takes half of what its share among the workers would be."""


class Local:
    """Counts of this process alone."""

    def __init__(self, workers: int) -> None:
        self._workers = max(1, workers)
        self._taken: OrderedDict[str, int] = OrderedDict()
        self._calls: Counter[str] = Counter()

    def take(self, rule: Rule, tokens: int, now: int) -> bool:
        """Whether one more request of so many tokens may pass; it is counted then."""
        share = rule.limit // (self._workers * _SAFETY)
        most = min(rule.limit, max(1, share))
        if rule.unit == "concurrent":
            if self._calls[rule.id] >= most:
                return False
            self._calls[rule.id] += 1
            return True
        meter = rule.meter(rule.span(now))
        count = self._taken.get(meter, 0)
        if count >= most:
            return False
        self._taken[meter] = count + (1 if rule.unit == "requests" else max(1, tokens))
        if len(self._taken) > _MOST:
            self._taken.popitem(last=False)
        return True

    def give_back(self, ids: Iterable[str]) -> None:
        """Calls that are over, by the ids of their rules."""
        for id in ids:
            self._calls[id] -= 1
            if self._calls[id] <= 0:
                del self._calls[id]
