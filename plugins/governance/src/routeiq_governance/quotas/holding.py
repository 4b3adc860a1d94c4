"""Taking holds for a request: in one step over all that bounds it, again for what comes later, and without a store as
each rule says.

Which rules bind, and when they are asked, is `gate`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from routeiq_governance.ledger.entry import Entry
from routeiq_governance.quotas import refusals
from routeiq_governance.quotas.asking import Asked, Sizes, least_of
from routeiq_governance.quotas.ending import Ending
from routeiq_governance.quotas.headers import write_headers
from routeiq_governance.quotas.hold import Hold
from routeiq_governance.quotas.live import Live
from routeiq_governance.quotas.local import Local
from routeiq_governance.quotas.restoring import Restorer
from routeiq_governance.quotas.rule import Demand, Rule
from routeiq_governance.quotas.seeding import Seeds
from routeiq_governance.quotas.settings import QuotaSettings
from routeiq_governance.quotas.settling import skeleton
from routeiq_governance.quotas.softly import Thresholds
from routeiq_governance.quotas.sweeping import note_of
from routeiq_sdk import Context, Gateway, MetersLost, ModelGroup, Reject, StoreUnavailable
from routeiq_sdk.values.meters import Charge, Held, Refused

_SOME_OUTPUT = 256
"""Output tokens that a call is taken to have while nobody can tell."""


class Holding:
    """Takes, and words refusals."""

    def __init__(
        self,
        settings: QuotaSettings,
        sizes: Sizes,
        seeds: Seeds,
        restorer: Restorer,
        live: Live,
        ending: Ending,
        gateway: Gateway,
    ) -> None:
        self._settings = settings
        self._sizes = sizes
        self._seeds = seeds
        self._restorer = restorer
        self._live = live
        self._ending = ending
        self._gateway = gateway
        self._thresholds = Thresholds()
        self.local = Local(gateway.workers)

    async def first(
        self, ctx: Context, asked: Asked, ranked: Sequence[ModelGroup], rules: Sequence[Rule]
    ) -> Reject | None:
        """Open the request's hold. Raises `RequestError(503)`."""
        refused = self._sizes.measure(ctx, asked, ranked, rules)
        if refused is not None:
            return refused
        asked.hold = Hold(ctx.request_id, self._sizes.demand(asked, ranked), groups={ranked[0].name})
        most, least = self._sizes.output(ctx, asked, ranked[0])
        return await self._take(ctx, asked, asked.hold, rules, most=most, least=least)

    async def later(
        self, ctx: Context, asked: Asked, ranked: Sequence[ModelGroup], rules: Sequence[Rule]
    ) -> Reject | None:
        """Hold for rules that come with another model. Raises `RequestError(503)`."""
        hold = asked.hold
        if hold is None:
            return await self.first(ctx, asked, ranked, rules) if rules else None
        hold.groups |= {group.name for group in ranked}
        known = {rule.id for rule in hold.rules.values()}
        fresh = [rule for rule in rules if rule.id not in known]
        if not fresh:
            return None
        refused = self._sizes.measure(ctx, asked, ranked, fresh)
        if refused is not None:
            return refused
        if not hold.grows:  # what bound it so far counted neither money nor tokens
            hold.demand = self._sizes.demand(asked, ranked)
            most, least = self._sizes.output(ctx, asked, ranked[0])
        else:
            most, least = hold.units, least_of(hold.units)
        return await self._take(ctx, asked, hold, fresh, most=most, least=least)

    async def dearer(self, asked: Asked, ranked: Sequence[ModelGroup], owed: int = 0) -> Reject | None:
        """Hold what these models cost more than what is held, and what failed calls may cost (`owed`, nano-USD).

        Raises `RequestError(503)`.
        """
        hold = asked.hold
        if hold is None or hold.money() is None:
            return None
        demand = self._sizes.demand(asked, ranked) if ranked else hold.demand
        more = Demand(
            0,
            max(0, demand.input_cost - hold.demand.input_cost),
            max(0, demand.token_cost - hold.demand.token_cost),
        )
        owed = max(0, owed - hold.owed)
        if not (more.input_cost or more.token_cost or owed):
            return None
        try:
            answer = await self._patiently(lambda: hold.raised(self._gateway.meters, more, owed))
        except StoreUnavailable:
            raise refusals.store_away() from None
        return self.refusal(hold.rules, answer) if isinstance(answer, Refused) else None

    async def grow(self, hold: Hold, most: int, least: int) -> Held | Refused | None:
        """Hold for more output tokens; `None` when the store cannot be asked."""
        try:
            return await self._patiently(lambda: hold.grow(self._gateway.meters, most=most, least=least))
        except StoreUnavailable:
            return None

    def refusal(self, rules: Mapping[str, Rule], answer: Refused) -> Reject:
        """What the client hears. `rules` are by meter."""
        rule = rules.get(answer.meter)
        if rule is None:
            return Reject(429, "A quota refuses this request.", "throttling_error", code="429")
        status = self._settings.budget_exceeded_status_code
        now, profile = self._gateway.clock.now_ns(), self._gateway.litellm_profile
        return refusals.refused(rule, answer.taken, now, profile, status, answer.retry_after)

    async def _take(
        self, ctx: Context, asked: Asked, hold: Hold, rules: Sequence[Rule], *, most: int, least: int
    ) -> Reject | None:
        now = self._gateway.clock.now_ns()
        rules = [self._sizes.softened(rule) for rule in rules]
        charged = hold.charge(rules, now)
        if not hold.note:
            hold.note = _note(ctx, asked, charged, now)
        answer = await self._admit(asked, hold, rules, charged, now, most=most, least=least)
        if not isinstance(answer, Held):
            return answer
        write_headers(ctx, charged, answer, asked.caller, hold.held)
        return None

    async def of_tool(self, asked: Asked, hold: Hold, rules: Sequence[Rule], entry: Entry) -> Reject | None:
        """Open the hold of a tool call; `entry` is what the sweeper writes down if this process dies. Raises
        `RequestError(503)`."""
        now = self._gateway.clock.now_ns()
        rules = [self._sizes.softened(rule) for rule in rules]
        charged = hold.charge(rules, now)
        hold.note = note_of(entry, {}, *_meters(charged))
        answer = await self._admit(asked, hold, rules, charged, now)
        return answer if isinstance(answer, Reject) else None

    async def _admit(
        self,
        asked: Asked,
        hold: Hold,
        rules: Sequence[Rule],
        charged: Mapping[str, tuple[Rule, Charge]],
        now: int,
        *,
        most: int = 0,
        least: int = 0,
    ) -> Held | Reject | None:
        """Take what was charged; `None` where the rules let pass without a store. Raises `RequestError(503)`."""
        gateway = self._gateway

        async def take() -> Held | Refused:
            await self._seeds.sow(gateway, rules, now)
            return await hold.take(gateway.meters, charged, rules, most=most, least=least)

        try:
            answer = await self._patiently(take)
            if isinstance(answer, Refused) and self._ending.any:
                await self._ending.wait()  # calls that are over give back what they did not use
                answer = await self._patiently(take)
        except StoreUnavailable:
            if any(rule.enforced and not self._without_store(asked, rule, now) for rule in rules):
                raise refusals.store_away() from None
            if not hold.rules:
                asked.hold = None
            return None
        paced = {f"{rule.id}@pace": rule for rule in rules if rule.pace() is not None}
        if isinstance(answer, Refused):
            return self.refusal({**paced, **{meter: rule for meter, (rule, _) in charged.items()}}, answer)
        if any(charge.rate for _, charge in charged.values()):
            hold.units = min(hold.units, answer.units) if hold.units else answer.units
        self._live.add(hold)
        await self._thresholds.tell(gateway, charged, answer, now)
        return answer

    async def _patiently(self, ask: Callable[[], object]) -> Held | Refused:
        """Ask the store; when it lost its meters, wait until they are restored and ask again."""
        try:
            return await ask()  # type: ignore[misc, no-any-return]
        except MetersLost:
            await self._restorer.wait()
        return await ask()  # type: ignore[misc, no-any-return]

    def _without_store(self, asked: Asked, rule: Rule, now: int) -> bool:
        """Whether a rule lets a request pass while the store is away. Money never does."""
        if rule.on_store_failure != "local_fraction":
            return rule.on_store_failure == "open"
        passes = self.local.take(rule, asked.input_tokens + _SOME_OUTPUT, now)
        if passes and rule.unit == "concurrent":
            asked.local.append(rule.id)
        return passes


def _note(ctx: Context, asked: Asked, charged: Mapping[str, tuple[Rule, Charge]], now: int) -> bytes:
    """What the sweeper writes down if this process dies."""
    group = asked.ranked[0]
    deployment = group.deployments[0]
    entry = skeleton(ctx, asked.caller, now)
    named = {"model_group": group.name, "model": deployment.model, "deployment_id": deployment.id}
    named |= {"provider": deployment.provider}
    return note_of(entry, {**named, "input_tokens": asked.input_tokens}, *_meters(charged))


def _meters(charged: Mapping[str, tuple[Rule, Charge]]) -> tuple[list[str], list[str]]:
    """Which meters count money, and which count anything that is used up."""
    money = [meter for meter, (rule, _) in charged.items() if rule.is_money]
    counted = [meter for meter, (rule, _) in charged.items() if rule.unit != "concurrent"]
    return money, counted
