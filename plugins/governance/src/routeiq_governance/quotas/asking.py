"""What is known of one request on its way through the gates of quotas, and its size.

Taking holds is `holding`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from routeiq_governance.identity.caller import Caller
from routeiq_governance.ledger.entry import Entry
from routeiq_governance.quotas import estimate, refusals
from routeiq_governance.quotas.expecting import Expectation
from routeiq_governance.quotas.hold import Hold
from routeiq_governance.quotas.rule import Demand, Rule
from routeiq_governance.quotas.settings import QuotaSettings
from routeiq_governance.quotas.windows import NANO
from routeiq_sdk import Context, Deployment, ModelGroup, Reject

_LEAST_OUTPUT = 16
"""A call that can afford fewer output tokens than this (or than it asks for) is refused instead of clamped."""


@dataclass(slots=True)
class Asked:
    """One request. `wanted` and `input_tokens` are its size, `ranked` the models it may be sent to by now."""

    caller: Caller
    hold: Hold | None = None
    wanted: estimate.Wanted | None = None
    input_tokens: int = 0
    ranked: tuple[ModelGroup, ...] = ()
    deployments: dict[str, Deployment] = field(default_factory=dict)
    entries: list[Entry] | None = None
    local: list[str] = field(default_factory=list)
    """Rules under which this process let the call through on its own."""


class Sizes:
    """How requests are measured, by the kind of admission."""

    def __init__(self, settings: QuotaSettings, expected: Expectation) -> None:
        self._settings = settings
        self._expected = expected
        self.strict = settings.admission == "strict"
        self.post_pay = settings.admission == "post-pay"
        priced = settings.unpriced
        self.unpriced = 0 if isinstance(priced, str) else int(priced * NANO)

    def measure(self, ctx: Context, asked: Asked, ranked: Sequence[ModelGroup], rules: Sequence[Rule]) -> Reject | None:
        """Fill in the request's size; a refusal when money bounds it and a model has no price."""
        counts = any(rule.unit not in ("requests", "concurrent") and not rule.checked for rule in rules)
        if asked.wanted is None or (counts and asked.wanted is estimate.NOTHING):
            unknown = self._settings.unknown_output_tokens
            asked.wanted = estimate.wanted(ctx.request, ranked, unknown) if counts else estimate.NOTHING
            if counts and not self.post_pay:
                how: estimate.How = self._settings.prompt_bound if self.strict else "typical"
                asked.input_tokens = estimate.prompt_tokens(ctx.request, how)
        if self._settings.unpriced == "deny" and any(rule.is_money for rule in rules):
            for group in ranked:
                if any(deployment.price is None for deployment in group.deployments):
                    return refusals.unpriced(group.name)
        return None

    def demand(self, asked: Asked, ranked: Sequence[ModelGroup]) -> Demand:
        """What the dearest of these models would take."""
        if self.post_pay:
            return Demand()
        prices = [deployment.price for group in ranked for deployment in group.deployments]
        return estimate.demand(asked.input_tokens, prices, self.unpriced)

    def output(self, ctx: Context, asked: Asked, group: ModelGroup) -> tuple[int, int]:
        """Output tokens to hold at first: the most, and the least that will do."""
        wanted = asked.wanted or estimate.NOTHING
        most = wanted.most
        if self.post_pay:
            most = 0
        elif not self.strict:
            most = min(most, self._expected.output(asked.caller, group.name, most))
        elif ctx.request.stream:
            most = min(most, self._settings.stream_slice * wanted.answers)
        return most, min(most, _LEAST_OUTPUT * wanted.answers)

    def softened(self, rule: Rule) -> Rule:
        """Under post-pay admission money and tokens are looked at before a call and counted after it."""
        return rule.checking() if self.post_pay and rule.unit not in ("requests", "concurrent") else rule


def least_of(units: int) -> int:
    """The least output that a model which comes later must be able to pay, of what is held."""
    return min(units, _LEAST_OUTPUT)
