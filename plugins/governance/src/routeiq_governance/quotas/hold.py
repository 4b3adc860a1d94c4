"""What is held for one request: its rules, the parts taken so far, and how to take more.

Which rules bind a request is `gate`'s business, what it took in the end that of `settling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from routeiq_governance.quotas.rule import Demand, Rule
from routeiq_sdk.gateway import MeterService
from routeiq_sdk.values.meters import Charge, Held, Refused

LEASE_SECONDS = 120.0
_PUT_BACK = 1_000_000
"""Parts from here on put back what a store forgot; those of the request itself count from 0."""


@dataclass(slots=True, eq=False)
class Hold:
    """The hold of one request. `rules` are those that take part, by the meter that each charged first; `units` the
    output tokens it may write; `groups` the model groups whose own rules were asked. `owed` is what calls of this
    request that ended without success may cost, and is held (nano-USD)."""

    id: str
    demand: Demand
    rules: dict[str, Rule] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    units: int = 0
    owed: int = 0
    parts: int = 0
    put_backs: int = 0
    asked: bool = False
    groups: set[str] = field(default_factory=set)
    note: bytes = b""

    def money(self) -> int | None:
        """The least that is held on a meter of money: what may be spent without an overrun."""
        held = [self.held[meter] for meter, rule in self.rules.items() if rule.is_money and not rule.checked]
        return min(held) if held else None

    @property
    def grows(self) -> bool:
        """Whether output tokens are counted."""
        return any(charge.rate for charge in self.charges.values())

    def charge(self, rules: Sequence[Rule], now: int) -> dict[str, tuple[Rule, Charge]]:
        """What rules that did not take part so far take, by meter. A meter is named once: of two rules on it the
        tighter one counts."""
        found: dict[str, tuple[Rule, Charge]] = {}
        for rule in rules:
            if rule.pace() is None:
                charge = rule.charge(self.demand, now)
                known = found.get(charge.meter)
                if charge.meter not in self.charges and (known is None or rule.limit < known[0].limit):
                    found[charge.meter] = (rule, charge)
        return found

    async def take(
        self,
        meters: MeterService,
        charged: Mapping[str, tuple[Rule, Charge]],
        rules: Sequence[Rule],
        *,
        most: int,
        least: int,
    ) -> Held | Refused:
        """Hold `charged` (from `charge`) and the paces of `rules`, with `most` output tokens or fewer."""
        paces = {pace.meter: pace for rule in rules if (pace := rule.pace()) is not None}
        self.asked = True
        answer = await meters.reserve(
            self.id,
            [charge for _, charge in charged.values()],
            list(paces.values()),
            part=self.parts,
            most=most,
            least=least,
            seconds=LEASE_SECONDS,
            note=self.note,
        )
        if isinstance(answer, Held):
            self.parts += 1
            for meter, (rule, charge) in charged.items():
                self.rules[meter] = rule
                self.charges[meter] = charge
                self.held[meter] = charge.base + charge.rate * answer.units
        return answer

    async def grow(self, meters: MeterService, *, most: int, least: int) -> Held | Refused:
        """Hold for more output tokens on the meters that count them."""
        charges = [replace(charge, base=0) for charge in self.charges.values() if charge.rate > 0]
        answer = await self._more(meters, charges, most, least)
        if isinstance(answer, Held):
            self.units += answer.units
        return answer

    async def raised(self, meters: MeterService, more: Demand, owed: int = 0) -> Held | Refused:
        """Hold more money: for the output that is held already, when the model is dearer than the one it was held for,
        and for calls of this request that failed (`owed`)."""
        charges = [
            replace(self.charges[meter], base=more.input_cost + more.token_cost * self.units + owed, rate=0)
            for meter, rule in self.rules.items()
            if rule.is_money and not rule.checked
        ]
        answer = await self._more(meters, charges, 0, 0)
        if isinstance(answer, Held):
            self.owed += owed
            self.demand = replace(
                self.demand,
                input_cost=self.demand.input_cost + more.input_cost,
                token_cost=self.demand.token_cost + more.token_cost,
            )
            for charge in charges:
                self.charges[charge.meter] = replace(self.charges[charge.meter], rate=self.demand.token_cost)
        return answer

    async def put_back(self, meters: MeterService) -> None:
        """Hold again what a store forgot."""
        charges = [replace(charge, base=self.held[charge.meter], rate=0) for charge in self.charges.values()]
        self.put_backs += 1
        await meters.reserve(
            self.id, charges, part=_PUT_BACK + self.put_backs, seconds=LEASE_SECONDS, note=self.note, forced=True
        )

    async def _more(self, meters: MeterService, charges: Sequence[Charge], most: int, least: int) -> Held | Refused:
        answer = await meters.reserve(
            self.id, charges, part=self.parts, most=most, least=least, seconds=LEASE_SECONDS, note=self.note
        )
        if isinstance(answer, Held):
            self.parts += 1
            for charge in charges:
                self.held[charge.meter] += charge.base + charge.rate * answer.units
        return answer
