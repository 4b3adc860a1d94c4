"""Events when a soft part of a limit is passed or a quota in shadow mode would have refused: once a window over all
processes.

Who hears of events is the sinks' business.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from routeiq_governance.quotas.rule import Rule
from routeiq_governance.quotas.windows import NANO
from routeiq_sdk import Event, Gateway, StoreUnavailable
from routeiq_sdk.values.meters import Charge, Held

NAME = "routeiq.quota.v1"
_TABLE = "governance.told.cache"
_MOST = 20_000
_LONGEST_SECONDS = 40 * 86_400.0


class Thresholds:
    """What this process knows to be told."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def tell(self, gateway: Gateway, charged: Mapping[str, tuple[Rule, Charge]], answer: Held, now: int) -> None:
        """Emit the events of a hold."""
        for (meter, (rule, _)), left in zip(charged.items(), answer.left, strict=True):
            if left is None:
                continue
            taken = rule.limit - left
            if meter in answer.over and await self._first(gateway, rule, meter, "shadow_refusal", now):
                gateway.emit(_event(rule, "shadow_refusal", taken, now))
            if not rule.soft or rule.limit <= 0:
                continue
            passed = max((part for part in rule.soft if taken >= rule.limit * part), default=None)
            if passed is not None and await self._first(gateway, rule, meter, f"soft_{passed:g}", now):
                gateway.emit(_event(rule, f"soft_{passed:g}", taken, now))

    async def _first(self, gateway: Gateway, rule: Rule, meter: str, what: str, now: int) -> bool:
        name = (meter, what)
        if name in self._told:
            return False
        self._told[name] = None
        if len(self._told) > _MOST:
            self._told.popitem(last=False)
        end = rule.span(now).end
        seconds = _LONGEST_SECONDS if end is None else min(_LONGEST_SECONDS, max(60.0, (end - now) / NANO))
        try:
            if not await gateway.state.put_if(_TABLE, f"{meter} {what}", b"1", expected=None):
                return False
            await gateway.state.put(_TABLE, f"{meter} {what}", b"1", ttl_seconds=seconds)
        except StoreUnavailable:
            pass  # told twice is better than not told
        return True


def _event(rule: Rule, what: str, taken: int, now: int) -> Event:
    payload = {
        "policy": rule.id,
        "subject": rule.subject,
        "value": rule.value,
        "unit": rule.unit,
        "limit": rule.limit,
        "taken": taken,
        "kind": what,
    }
    return Event(NAME, now, payload)
