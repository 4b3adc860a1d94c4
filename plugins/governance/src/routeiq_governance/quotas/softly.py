"""Events when a soft part of a limit is passed or a quota in shadow mode would have refused, once a window; and the
part of a rate that one process may let through while the store is away.

Who hears of events is the sinks' business.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

from routeiq_governance.quotas.rule import Rule
from routeiq_sdk import Event
from routeiq_sdk.values.meters import Charge, Held

_MOST = 20_000
_SAFETY = 2
_NAME = "routeiq.quota.v1"


class Thresholds:
    """What was told already, in this process."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._local: OrderedDict[str, int] = OrderedDict()

    def passed(self, rules: Iterable[Rule], charges: Mapping[str, Charge], answer: Held, now: int) -> Iterator[Event]:
        """The events of a hold."""
        left = dict(zip(charges, answer.left, strict=False))
        for rule in rules:
            meter = rule.meter(rule.span(now))
            remaining = left.get(meter)
            if meter in answer.over and self._first(meter, "shadow"):
                yield self._event(rule, "shadow_refusal", rule.limit - (remaining or 0), now)
            if remaining is None or not rule.soft or rule.limit <= 0:
                continue
            taken = rule.limit - remaining
            for part in sorted(rule.soft, reverse=True):
                if taken >= rule.limit * part:
                    if self._first(meter, f"{part}"):
                        yield self._event(rule, f"soft_{part:g}", taken, now)
                    break

    def local(self, rule: Rule, now: int, workers: int) -> bool:
        """Whether this process may let one more through on its own."""
        meter = rule.meter(rule.span(now))
        most = max(1, rule.limit // (max(1, workers) * _SAFETY))
        count = self._local.get(meter, 0)
        if count >= most:
            return False
        self._local[meter] = count + 1
        if len(self._local) > _MOST:
            self._local.popitem(last=False)
        return True

    def _first(self, meter: str, what: str) -> bool:
        name = (meter, what)
        if name in self._told:
            return False
        self._told[name] = None
        if len(self._told) > _MOST:
            self._told.popitem(last=False)
        return True

    def _event(self, rule: Rule, what: str, taken: int, now: int) -> Event:
        payload = {
            "policy": rule.id,
            "subject": rule.subject,
            "value": rule.value,
            "unit": rule.unit,
            "limit": rule.limit,
            "taken": taken,
            "kind": what,
        }
        return Event(_NAME, now, payload)
