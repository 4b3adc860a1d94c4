"""The strategy: the first rule that holds names the model, the others follow by price.

What a rule may ask is in `config`, how it is asked in `conditions`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction

from routeiq_routing_rules.conditions import Matcher
from routeiq_routing_rules.config import RulesConfig
from routeiq_sdk import (
    Candidate,
    Context,
    Decision,
    Gateway,
    ModelGroup,
    Need,
    Plugin,
    PluginError,
    hookimpl,
)

NAME = "routing-rules"


class RoutingRules(Plugin[RulesConfig]):
    """Chooses by ordered rules on the newest text of the user. Deterministic: the propensity is 1.

    A rule whose model is not among the candidates of a request is passed over. The ranking behind the chosen model is
    by price, cheapest first, unpriced models last: it is the order of retreat if the chosen one fails.
    """

    needs = frozenset({Need.READS_BODY})

    def __init__(self, config: RulesConfig) -> None:
        super().__init__(config)
        self._rules = [(Matcher(rule.when), rule) for rule in config.rules]
        self._version = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:12]

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        named = {rule.model for rule in self.config.rules}
        if self.config.default is not None:
            named.add(self.config.default)
        unknown = sorted(named - gateway.groups.keys())
        if unknown:
            known = ", ".join(sorted(gateway.groups)) or "none"
            raise PluginError(
                gateway.plugin,
                f"rules name models that do not exist: {', '.join(unknown)}.",
                mend=f"add them to model_list, or choose among: {known}",
            )

    @hookimpl
    async def select_model(self, ctx: Context, groups: Sequence[ModelGroup]) -> Decision | None:
        chosen, reason = self._choose(ctx.request.last_user_text(), {group.name for group in groups})
        if chosen is None:
            return None
        ranked = sorted(groups, key=lambda group: (group.name != chosen, *_price(group), group.name))
        candidates = tuple(
            Candidate(
                group.name,
                score=1.0 - place / len(ranked),
                reason=reason if group.name == chosen else "next by price",
            )
            for place, group in enumerate(ranked)
        )
        return Decision(NAME, candidates, reason, propensity=1.0, version=self._version)

    def _choose(self, text: str, candidates: set[str]) -> tuple[str | None, str]:
        for number, (matcher, rule) in enumerate(self._rules, start=1):
            if rule.model not in candidates:
                continue
            held = matcher.match(text)
            if held is not None:
                return rule.model, rule.reason or f"rule {number}: {held}"
        if self.config.default in candidates:
            return self.config.default, "no rule holds: the default model"
        return None, ""


def _price(group: ModelGroup) -> tuple[bool, Fraction]:
    """A key that sorts cheapest first, by one input and one output token, and unpriced groups last."""
    price = group.price
    return (True, Fraction(0)) if price is None else (False, Fraction(price.input + price.output, price.scale))
