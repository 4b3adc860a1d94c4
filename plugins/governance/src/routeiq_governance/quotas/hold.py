"""What is held for one request: its rules, the parts taken so far, and how to take more.

Which rules bind a request is `gate`'s business, what it took in the end that of `settling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from routeiq_governance.quotas.rule import Demand, Rule
from routeiq_sdk.gateway import MeterService
from routeiq_sdk.values.meters import Charge, Held, Refused

LEASE_SECONDS = 120.0


@dataclass(slots=True, eq=False)
class Hold:
    """The hold of one request. `rules` are those that take part, by the meter that each charged first; `units` the
    output tokens it may write; `groups` the model groups whose own rules were asked."""

    id: str
    demand: Demand
    rules: dict[str, Rule] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    units: int = 0
    parts: int = 0
    asked: bool = False
    groups: set[str] = field(default_factory=set)
    note: bytes = b""

    def money(self) -> int | None:
        """The least that is held on a meter of money: what may be spent without an overrun."""
        held = [self.held[meter] for meter, rule in self.rules.items() if rule.is_money]
        return min(held) if held else None

    async def take(
        self, meters: MeterService, rules: Sequence[Rule], now: int, *, most: int, least: int
    ) -> Held | Refused:
        """Hold for rules that did not take part so far, with `most` output tokens or fewer."""
        charges = [rule.charge(self.demand, now) for rule in rules if rule.pace() is None]
        paces = [pace for rule in rules if (pace := rule.pace()) is not None]
        self.asked = True
        answer = await meters.reserve(
            self.id,
            charges,
            paces,
            part=self.parts,
            most=most,
            least=least,
            seconds=LEASE_SECONDS,
            note=self.note,
        )
        if isinstance(answer, Held):
            self.parts += 1
            paced = {rule.id for rule in rules if rule.pace() is not None}
            for rule, charge in zip([rule for rule in rules if rule.id not in paced], charges, strict=True):
                self.rules[charge.meter] = rule
                self.charges[charge.meter] = charge
                self.held[charge.meter] = charge.base + charge.rate * answer.units
        return answer

    async def grow(self, meters: MeterService, *, most: int, least: int) -> Held | Refused:
        """Hold for more output tokens on the meters that count them."""
        charges = [replace(charge, base=0) for charge in self.charges.values() if charge.rate > 0]
        answer = await meters.reserve(
            self.id, charges, part=self.parts, most=most, least=least, seconds=LEASE_SECONDS, note=self.note
        )
        if isinstance(answer, Held):
            self.parts += 1
            self.units += answer.units
            for charge in charges:
                self.held[charge.meter] += charge.rate * answer.units
        return answer

    async def raised(self, meters: MeterService, more: Demand) -> Held | Refused:
        """Hold more money for the output that is held already: the model is dearer than the one it was held for."""
        charges = [
            replace(self.charges[meter], base=more.input_cost + more.token_cost * self.units, rate=0)
            for meter, rule in self.rules.items()
            if rule.is_money
        ]
        answer = await meters.reserve(self.id, charges, part=self.parts, seconds=LEASE_SECONDS, note=self.note)
        if isinstance(answer, Held):
            self.parts += 1
            self.demand = replace(
                self.demand,
                input_cost=self.demand.input_cost + more.input_cost,
                token_cost=self.demand.token_cost + more.token_cost,
            )
            for charge in charges:
                self.held[charge.meter] += charge.base
                self.charges[charge.meter] = replace(self.charges[charge.meter], rate=self.demand.token_cost)
        return answer

    async def put_back(self, meters: MeterService) -> None:
        """Hold again what a store forgot."""
        charges = [replace(charge, base=self.held[charge.meter], rate=0) for charge in self.charges.values()]
        await meters.reserve(self.id, charges, part=self.parts, seconds=LEASE_SECONDS, note=self.note, forced=True)
        self.parts += 1
