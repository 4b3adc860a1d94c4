"""How much a caller may use: what is held before a request is sent, while it streams, and what is settled after it.

Which rules bind is `binding`'s business, what they say `rule`'s, what is written down `settling`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Caller, Entity
from routeiq_governance.identity.gate import Identity
from routeiq_governance.identity.limits import Limits
from routeiq_governance.ledger.book import Ledger
from routeiq_governance.ledger.entry import Entry
from routeiq_governance.quotas import estimate, refusals
from routeiq_governance.quotas.binding import Binding
from routeiq_governance.quotas.ending import Ending
from routeiq_governance.quotas.entity_rules import rules_of
from routeiq_governance.quotas.expecting import Expectation
from routeiq_governance.quotas.headers import Headers
from routeiq_governance.quotas.hold import LEASE_SECONDS, Hold
from routeiq_governance.quotas.restoring import Restorer
from routeiq_governance.quotas.rule import Demand, Rule
from routeiq_governance.quotas.seeding import Seeds
from routeiq_governance.quotas.settling import entries_of, postings
from routeiq_governance.quotas.softly import Thresholds
from routeiq_governance.quotas.stream import StreamTopUp
from routeiq_governance.quotas.sweeping import Sweeper, note_of
from routeiq_governance.store.database import Database
from routeiq_sdk import (
    Attempt,
    Context,
    Deployment,
    Gateway,
    MetersLost,
    ModelGroup,
    Outcome,
    Reject,
    Stop,
    StoreUnavailable,
    StreamMeter,
    Usage,
)
from routeiq_sdk.values.meters import Held, Refused

log = structlog.get_logger("routeiq.governance.quotas")

_RENEW_SECONDS = 30.0
_LEAST_OUTPUT = 16
"""A call that can afford fewer output tokens than this (or than it asks for) is refused instead of clamped."""


@dataclass(slots=True)
class _Request:
    """What is known of one request on its way."""

    caller: Caller
    hold: Hold | None = None
    wanted: estimate.Wanted | None = None
    input_tokens: int = 0
    deployments: dict[str, Deployment] = field(default_factory=dict)
    entries: list[Entry] | None = None
    store_was_away: bool = False


class Quotas:
    """Holds, tops up and settles."""

    def __init__(self, config: GovernanceConfig, database: Database, identity: Identity, ledger: Ledger) -> None:
        self._config = config
        self._identity = identity
        self._ledger = ledger
        self._strict = config.admission == "strict"
        self._post_pay = config.admission == "post-pay"
        self.binding = Binding(config, database)
        self._seeds = Seeds(database, ledger)
        self._restorer = Restorer(database, ledger)
        self._sweeper = Sweeper(database, ledger)
        self._expected = Expectation()
        self._thresholds = Thresholds()
        self._headers = Headers()
        self._live: set[Hold] = set()
        self._ending = Ending()
        self._gateway: Gateway | None = None

    async def open(self, gateway: Gateway) -> None:
        """Load policies, restore meters that are not there, begin to renew and to sweep. Raises `StoreUnavailable`."""
        self._gateway = gateway
        self._identity.changes.on("policies", self.binding.load)
        await self.binding.load()
        await self._restorer.open(gateway, self._live)
        self._ledger.settled = self._ending.wait
        gateway.spawn("quotas: renew", self._renew)
        gateway.spawn("quotas: sweep", lambda: self._sweeper.run(gateway))

    async def close(self) -> None:
        """Nothing to give back: what is held is settled by its requests, or by the sweeper."""

    def group(self, name: str) -> ModelGroup | None:
        """A model group by name."""
        return self._opened.groups.get(name)

    async def corrected(self, scope: str, id: str, limits: Limits, change: int) -> None:
        """What an entity counts as having spent was changed by so much (nano-USD): so is the meter of its budget."""
        now = self._now()
        rule = next((each for each in rules_of(Entity(scope, id, limits=limits), None, (), now) if each.seeded), None)
        if rule is None or not change:
            return
        await self._seeds.sow(self._opened, (rule,), now)
        await self._seeds.move(self._opened, rule, change, now)

    async def spent(self, scope: str, limits: Mapping[str, Limits]) -> dict[str, int]:
        """What entities spent (nano-USD) in the window of their budgets, by id; those without a window are left out."""
        now = self._now()
        meters: dict[str, str] = {}
        for id, each in limits.items():
            if each.budget is not None and each.budget_duration is not None:
                for rule in rules_of(Entity(scope, id, limits=each), None, (), now):
                    if rule.seeded:
                        meters[id] = rule.meter(rule.span(now))
        found = await self._seeds.taken(list(meters.values())) if meters else {}
        return {id: found.get(meter, 0) for id, meter in meters.items()}

    async def reserve(self, ctx: Context, ranked: Sequence[ModelGroup]) -> Reject | None:
        """Hold what the request may cost, in one step over all that bounds it. Asked again for a fallback."""
        request = ctx.kept(self, _Request)
        if request is not None:
            return await self._dearer(ctx, request, ranked)
        request = _Request(await self._identity.caller(ctx))
        ctx.keep(self, request)
        now = self._now()
        customer = await self._identity.customer(ctx)
        tags = await self._identity.tags(ctx) if ctx.tags else ()
        rules = self.binding.general(ctx, request.caller, customer, tags, now)
        rules += self.binding.of_model(ctx, request.caller, ranked[0], now)
        if not rules:
            return None
        refused = self._measure(ctx, request, ranked, rules)
        if refused is not None:
            return refused
        hold = Hold(ctx.request_id, self._demand(request, ranked), groups={ranked[0].name})
        hold.note = self._note(ctx, request, ranked[0], rules, hold.demand)
        request.hold = hold
        assert request.wanted is not None
        most = request.wanted.most
        if ctx.request.stream and self._strict:
            most = min(most, self._config.stream_slice)
        if not self._strict:
            most = 0 if self._post_pay else min(most, self._expected.output(request.caller, ranked[0].name, most))
        least = min(most, _LEAST_OUTPUT * request.wanted.answers)
        return await self._take(ctx, request, [self._softened(rule) for rule in rules], most=most, least=least)

    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        """Ask the rules of a model that the first hold did not cover, and bound the call by what is held."""
        request = ctx.kept(self, _Request)
        if request is None:
            return None
        deployment = attempt.deployment
        request.deployments[deployment.id] = deployment
        hold, wanted = request.hold, request.wanted
        if hold is None or wanted is None:
            return None
        if self._strict and not ctx.request.stream and (hold.units < wanted.most or not wanted.bounded):
            self._clamp(attempt, wanted, hold.units, ctx.request.wire)
        elif self._strict and not wanted.bounded and wanted.most:
            self._clamp(attempt, wanted, wanted.most, ctx.request.wire)
        return None

    async def after_attempt(self, ctx: Context, outcome: Outcome) -> None:
        """Learn how much models write."""
        request = ctx.kept(self, _Request)
        if request is None or not outcome.ok:
            return
        self._ending.begun(ctx.request_id)
        if outcome.usage is not None:
            self._expected.learn(request.caller, outcome.group, outcome.usage.output_tokens)

    def meter_stream(self, ctx: Context) -> StreamMeter | None:
        """Pay for a stream as it runs."""
        request = ctx.kept(self, _Request)
        if request is None:
            return None
        hold, wanted = request.hold, request.wanted
        priced = hold is not None and any(charge.rate for charge in hold.charges.values())
        if hold is None or wanted is None or not priced or not self._strict:
            return _Counting()

        async def grow(most: int, least: int) -> Held | Refused | None:
            try:
                return await hold.grow(self._opened.meters, most=most, least=least)
            except StoreUnavailable:
                return None

        def told() -> Stop:
            return Stop("The budget is used up: the stream ends here.", type="budget_exceeded")

        return StreamTopUp(
            grow, held=hold.units, most=wanted.most, size=self._config.stream_slice, strict=self._strict, told=told
        )

    async def settle(self, ctx: Context, usage: Usage | None) -> None:
        """Write down what was used, then give back what was held. Asked again until it succeeds."""
        request = ctx.kept(self, _Request)
        if request is None:
            return
        try:
            await self._settle(ctx, request)
        finally:
            self._ending.over(ctx.request_id)

    async def _settle(self, ctx: Context, request: _Request) -> None:
        if request.entries is None:
            entries = entries_of(
                ctx, request.caller, request.hold, request.deployments, request.input_tokens, self._now()
            )
            await self._ledger.take(entries)
            request.entries = entries
        hold = request.hold
        if hold is not None and hold.asked:
            await self._opened.meters.settle(hold.id, postings(request.entries))
            self._live.discard(hold)

    async def _dearer(self, ctx: Context, request: _Request, ranked: Sequence[ModelGroup]) -> Reject | None:
        """A fallback that was not among the first: its own rules, and what it costs more."""
        hold = request.hold
        now = self._now()
        rules: list[Rule] = []
        for group in ranked:
            if hold is None or group.name not in hold.groups:
                rules += self.binding.of_model(ctx, request.caller, group, now)
        if hold is None:
            if not rules:
                return None
            refused = self._measure(ctx, request, ranked, rules)
            if refused is not None:
                return refused
            request.hold = hold = Hold(ctx.request_id, self._demand(request, ranked))
            hold.note = self._note(ctx, request, ranked[0], rules, hold.demand)
        hold.groups |= {group.name for group in ranked}
        demand = self._demand(request, ranked)
        more = Demand(
            0,
            max(0, demand.input_cost - hold.demand.input_cost),
            max(0, demand.token_cost - hold.demand.token_cost),
        )
        if more.input_cost or more.token_cost:
            refused = await self._raise(ctx, request, hold, more)
            if refused is not None:
                return refused
        known = {rule.id for rule in hold.rules.values()}
        fresh = [self._softened(rule) for rule in rules if rule.id not in known]
        if not fresh:
            return None
        return await self._take(ctx, request, fresh, most=hold.units, least=min(hold.units, _LEAST_OUTPUT))

    async def _raise(self, ctx: Context, request: _Request, hold: Hold, more: Demand) -> Reject | None:
        """Hold the difference in price for the output that is held."""
        try:
            answer = await hold.raised(self._opened.meters, more)
        except StoreUnavailable:
            raise refusals.store_away() from None
        return self._refusal(hold.rules.values(), answer) if isinstance(answer, Refused) else None

    async def _take(
        self, ctx: Context, request: _Request, rules: Sequence[Rule], *, most: int, least: int
    ) -> Reject | None:
        hold = request.hold
        assert hold is not None
        now = self._now()
        gateway = self._opened
        for again in (False, True):
            try:
                await self._seeds.sow(gateway, rules, now)
                answer = await hold.take(gateway.meters, rules, now, most=most, least=least)
                if not again and isinstance(answer, Refused) and self._ending.any:
                    await self._ending.wait()  # calls that are over give back what they did not use
                    continue
                break
            except MetersLost:
                if again:
                    raise refusals.store_away() from None
                await self._wait_for_meters()
            except StoreUnavailable:
                return self._without_store(request, rules)
        if isinstance(answer, Refused):
            return self._refusal(rules, answer)
        hold.units = answer.units if not hold.units else min(hold.units, answer.units)
        self._live.add(hold)
        for event in self._thresholds.passed(hold.rules.values(), hold.charges, answer, now):
            gateway.emit(event)
        self._headers.write(ctx, hold, answer, request.caller)
        return None

    async def _wait_for_meters(self) -> None:
        try:
            await self._restorer.wait()
        except StoreUnavailable:
            raise refusals.store_away() from None

    def _without_store(self, request: _Request, rules: Sequence[Rule]) -> Reject | None:
        """The store is away: what each rule says about that. Money refuses always."""
        if any(rule.enforced and rule.on_store_failure == "closed" for rule in rules):
            raise refusals.store_away()
        for rule in rules:
            if (
                rule.on_store_failure == "local_fraction"
                and rule.enforced
                and not self._thresholds.local(rule, self._now(), self._opened.workers)
            ):
                raise refusals.store_away()
        request.hold = None
        return None

    def _measure(
        self, ctx: Context, request: _Request, ranked: Sequence[ModelGroup], rules: Sequence[Rule]
    ) -> Reject | None:
        """The request's size; a refusal when money bounds it and a model has no price."""
        asked = ctx.request
        counts = any(rule.unit not in ("requests", "concurrent") and not rule.checked for rule in rules)
        request.wanted = estimate.wanted(asked, ranked) if counts else estimate.Wanted(0, 1, None, True)
        if counts and not self._post_pay:
            request.input_tokens = estimate.prompt_bound(asked, strict=self._strict)
        if any(rule.is_money for rule in rules) and self._config.unpriced == "deny":
            for group in ranked:
                if any(deployment.price is None for deployment in group.deployments):
                    return refusals.unpriced(group.name)
        return None

    def _demand(self, request: _Request, ranked: Sequence[ModelGroup]) -> Demand:
        prices = [deployment.price for group in ranked for deployment in group.deployments if deployment.price]
        return Demand() if self._post_pay else estimate.demand(request.input_tokens, prices)

    def _softened(self, rule: Rule) -> Rule:
        """Under post-pay admission money is looked at before, and counted after."""
        return rule.checking() if self._post_pay and rule.unit not in ("requests", "concurrent") else rule

    def _refusal(self, rules: Iterable[Rule], answer: Refused) -> Reject:
        now = self._now()
        for rule in rules:
            if answer.meter in (rule.meter(rule.span(now)), f"{rule.id}@pace") or answer.meter.startswith(
                f"{rule.id}@"
            ):
                status = self._config.budget_exceeded_status_code
                return refusals.refused(
                    rule, answer.taken, now, self._opened.litellm_profile, status, answer.retry_after
                )
        return Reject(429, "A quota refuses this request.", "throttling_error", code="429")

    def _note(self, ctx: Context, request: _Request, group: ModelGroup, rules: Sequence[Rule], demand: Demand) -> bytes:
        now = self._now()
        caller = request.caller
        deployment = group.deployments[0]
        entry = Entry(
            request_id=ctx.request_id,
            attempt=1,
            at=min(now, ctx.received_at),
            ended_at=now,
            outcome="lost",
            status=0,
            route=ctx.route,
            key_id=caller.key_id or (ctx.principal.id if caller.user is None else None),
            user_id=caller.user,
            team_id=caller.team,
            organization_id=caller.organization,
            customer_id=ctx.end_user,
            model_group=group.name,
            model=deployment.model,
            deployment_id=deployment.id,
            provider=deployment.provider,
            input_tokens=request.input_tokens,
            tags=tuple(sorted(ctx.tags)),
        )
        meters = [(rule, rule.charge(demand, now).meter) for rule in rules if rule.pace() is None]
        money = [meter for rule, meter in meters if rule.is_money]
        return note_of(entry, money, [meter for rule, meter in meters if rule.unit != "concurrent"])

    def _clamp(self, attempt: Attempt, wanted: estimate.Wanted, units: int, wire: str) -> None:
        """Tell the provider to write no more than what is paid for."""
        if not wanted.most:
            return
        name = wanted.field
        if name is None:
            modern = wire == "openai-chat" and attempt.deployment.provider in ("openai", "azure")
            name = "max_completion_tokens" if modern else "max_tokens"
        attempt.params[name] = max(1, units // wanted.answers)

    async def _renew(self) -> None:
        """Calls that last prolong their leases."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            holds = [hold.id for hold in self._live]
            try:
                for start in range(0, len(holds), 500):
                    await self._opened.meters.renew(holds[start : start + 500], LEASE_SECONDS)
            except StoreUnavailable:
                continue

    @property
    def _opened(self) -> Gateway:
        if self._gateway is None:
            raise LookupError("the quotas are not open")
        return self._gateway

    def _now(self) -> int:
        return self._opened.clock.now_ns()


class _Counting:
    """A meter for streams that nothing bounds: the gateway counts what passes, so that a cut one is settled by it."""

    def passed(self, tokens: int, text_bytes: int) -> bool:
        return False

    async def more(self) -> Stop | None:
        return None
