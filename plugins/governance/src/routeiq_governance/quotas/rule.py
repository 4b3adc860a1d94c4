"""A rule: one bound on one meter, whatever it was written as, and the charge that a request makes under it.

Where rules come from is the business of `policy` (quotas) and `entity_rules` (limits of keys, teams, users, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from routeiq_governance.quotas.windows import NANO, Span, Window
from routeiq_sdk.values.meters import Charge, Pace

Unit = Literal["requests", "input_tokens", "output_tokens", "total_tokens", "usd", "concurrent"]
Failure = Literal["closed", "local_fraction", "open"]
_SLACK = 3600 * NANO
"""How long a meter is kept after its window, for calls that end late."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request may take at most: tokens of its prompt, money for it, money an output token (nano-USD, rounded
    up), and output tokens as its variable part."""

    input_tokens: int = 0
    input_cost: int = 0
    token_cost: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """What a request took. `calls` are its attempts."""

    calls: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """`id` names it in errors and meters; `subject` is LiteLLM's word for whom it bounds (`api_key`, `team`, ...) with
    `value`, who that is. `limit` is in the unit's own integers (nano-USD for money). `checked` rules only look whether
    the limit is reached and count afterwards, as LiteLLM's token limits do. `model`, `provider` and `deployment` bound
    those alone.
    """

    id: str
    subject: str
    value: str
    unit: Unit
    limit: int
    window: Window
    enforced: bool = True
    checked: bool = False
    burst: int | None = None
    soft: tuple[float, ...] = ()
    on_store_failure: Failure = "closed"
    model: str | None = None
    provider: str | None = None
    deployment: str | None = None
    scope: Mapping[str, str] = field(default_factory=dict)
    seeded: bool = False
    """Whether what was spent before the rule was there counts: its meter starts with the ledger's sum."""
    measure: str = ""
    """What and how long it counts, where that can change while its id stays: such a change begins a new meter."""

    @property
    def is_money(self) -> bool:
        """Whether it bounds money."""
        return self.unit == "usd"

    def span(self, now: int) -> Span:
        """The window now."""
        return self.window.span(now)

    def meter(self, span: Span) -> str:
        """The meter of a window."""
        return f"{self.id}{self.measure}@{span.start // NANO}"

    def ends(self, span: Span) -> int | None:
        """When the meter may be forgotten: for a sliding count it is needed for one window more."""
        if span.end is None:
            return None
        more = span.end - span.start if span.previous_start is not None else 0
        return span.end + more + _SLACK

    def charge(self, demand: Demand, now: int) -> Charge:
        """What a request takes before it is sent. A limit of 0 lets nothing pass, not even what costs nothing."""
        span = self.span(now)
        base, rate = self._parts(demand)
        limit = self.limit
        if self.checked:
            base, rate = 1, 0  # takes one until it is settled: a meter at its limit lets nothing more pass
        elif limit == 0:
            base = max(1, base)
        return Charge(
            self.meter(span),
            limit,
            base,
            rate,
            self.ends(span),
            None if span.previous_start is None else self.meter(Span(span.previous_start, span.start)),
            span.previous_weight,
            self.enforced,
        )

    def checking(self) -> Rule:
        """This rule, looked at before a call and counted after it."""
        return replace(self, checked=True)

    def pace(self) -> Pace | None:
        """The rate, for requests with a burst."""
        if self.burst is None or self.unit != "requests" or self.limit == 0:
            return None
        span = self.span(0)
        length = (span.end or 0) - span.start
        return Pace(f"{self.id}@pace", max(1, length // self.limit), self.burst, 1, self.enforced)

    def amount(self, used: Used) -> int:
        """What a request that is over took."""
        if self.unit == "requests":
            return min(1, used.calls) if self.deployment is None else used.calls
        if self.unit == "concurrent":
            return 0
        if self.unit == "usd":
            return used.cost
        if self.unit == "input_tokens":
            return used.input_tokens
        return used.output_tokens + (used.input_tokens if self.unit == "total_tokens" else 0)

    def _parts(self, demand: Demand) -> tuple[int, int]:
        if self.unit in ("requests", "concurrent"):
            return 1, 0
        if self.unit == "usd":
            return demand.input_cost, demand.token_cost
        if self.unit == "input_tokens":
            return demand.input_tokens, 0
        return (demand.input_tokens if self.unit == "total_tokens" else 0), 1
