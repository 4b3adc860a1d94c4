"""How much a caller may use: what is held before a request is sent, while it streams, and what is settled after it.

Which rules bind is `binding`'s business, taking holds `holding`'s, what is written down `settling`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Entity
from routeiq_governance.identity.gate import Identity
from routeiq_governance.identity.limits import Limits
from routeiq_governance.ledger.book import Ledger
from routeiq_governance.quotas import estimate
from routeiq_governance.quotas.asking import Asked, Sizes
from routeiq_governance.quotas.binding import Binding
from routeiq_governance.quotas.ending import Ending
from routeiq_governance.quotas.entity_rules import rules_of
from routeiq_governance.quotas.expecting import Expectation
from routeiq_governance.quotas.holding import Holding
from routeiq_governance.quotas.live import Live
from routeiq_governance.quotas.model_rules import rules_of_deployment
from routeiq_governance.quotas.restoring import Restorer
from routeiq_governance.quotas.rule import Rule
from routeiq_governance.quotas.seeding import Seeds
from routeiq_governance.quotas.settling import billed, entries_of, postings
from routeiq_governance.quotas.stream import Counting, StreamTopUp
from routeiq_governance.quotas.sweeping import Sweeper
from routeiq_governance.quotas.tools import ToolQuotas
from routeiq_governance.store.database import Database
from routeiq_sdk import (
    Attempt,
    Context,
    Deployment,
    Gateway,
    ModelGroup,
    Outcome,
    Reject,
    RequestError,
    Stop,
    StreamMeter,
    Usage,
)
from routeiq_sdk.values.meters import Held, Refused


class Quotas:
    """Holds, tops up and settles."""

    def __init__(self, config: GovernanceConfig, database: Database, identity: Identity, ledger: Ledger) -> None:
        self._config = config
        self._identity = identity
        self._ledger = ledger
        self.binding = Binding(config, database)
        self._expected = Expectation()
        self._sizes = Sizes(config, self._expected)
        self._seeds = Seeds(database, ledger)
        self._live = Live()
        self._ending = Ending()
        self._restorer = Restorer(database, ledger, self._live)
        self._sweeper = Sweeper(database, ledger)
        self._gateway: Gateway | None = None
        self._made: Holding | None = None
        self._tools: ToolQuotas | None = None

    async def open(self, gateway: Gateway) -> None:
        """Load policies, restore meters that are not there, begin to renew and to sweep. Raises `StoreUnavailable`."""
        self._gateway = gateway
        self._made = Holding(self._config, self._sizes, self._seeds, self._restorer, self._live, self._ending, gateway)
        self._tools = ToolQuotas(
            gateway, self._identity, self._ledger, self.binding, self._made, self._live, self._ending
        )
        self._ledger.settled = self._ending.wait
        for kind in ("policies", "budgets"):
            self._identity.changes.on(kind, self.binding.load)
        await self.binding.load()
        await self._restorer.open(gateway)
        gateway.spawn("quotas: renew", lambda: self._live.renew(gateway.meters))
        gateway.spawn("quotas: sweep", lambda: self._sweeper.run(gateway))

    async def close(self) -> None:
        """Nothing to give back: what is held is settled by its requests, or by the sweeper."""

    @property
    def tools(self) -> ToolQuotas:
        """The part for calls of tools."""
        if self._tools is None:
            raise LookupError("the quotas are not open")
        return self._tools

    def group(self, name: str) -> ModelGroup | None:
        """A model group by name."""
        return self._opened.groups.get(name)

    async def corrected(self, scope: str, id: str, limits: Limits, change: int) -> None:
        """What an entity counts as having spent was changed by so much (nano-USD): so is the meter of its budget."""
        now = self._now()
        for rule in rules_of(Entity(scope, id, limits=limits), None, (), now):
            if rule.seeded and change:
                await self._seeds.correct(self._opened, rule, change, now)

    async def spent(self, scope: str, limits: Mapping[str, Limits]) -> dict[str, int]:
        """What entities spent (nano-USD) in the window of their budgets, by id; those without a window are left out."""
        now = self._now()
        meters: dict[str, str] = {}
        for id, each in limits.items():
            if each.budget is not None and each.budget_duration is not None:
                for rule in rules_of(Entity(scope, id, limits=each), None, (), now):
                    if rule.seeded and rule.enforced:
                        meters[id] = rule.meter(rule.span(now))
        found = await self._seeds.taken(list(meters.values())) if meters else {}
        return {id: found.get(meter, 0) for id, meter in meters.items()}

    async def reserve(self, ctx: Context, ranked: Sequence[ModelGroup]) -> Reject | None:
        """Hold what the request may cost, in one step over all that bounds it. Asked again for a fallback."""
        asked = ctx.kept(self, Asked)
        if asked is not None:
            return await self._fall_back(ctx, asked, ranked)
        asked = Asked(await self._identity.caller(ctx), ranked=tuple(ranked))
        ctx.keep(self, asked)
        now = self._now()
        customer = await self._identity.customer(ctx)
        tags = await self._identity.tags(ctx) if ctx.tags else ()
        rules = self.binding.general(ctx, asked.caller, customer, tags, now)
        rules += self.binding.of_model(ctx, asked.caller, ranked[0], now)
        return await self._holding.first(ctx, asked, ranked, rules) if rules else None

    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        """Ask the rules that come with this target, hold what failed calls may cost, and bound the call by what is
        held."""
        asked = ctx.kept(self, Asked)
        if asked is None:
            return None
        deployment = attempt.deployment
        asked.deployments[deployment.id] = deployment
        try:
            refused = await self._for_target(ctx, asked, attempt)
        except RequestError as error:
            return Reject(error.status, error.message, error.type, code=error.code, retry_after=1.0)
        if refused is None:
            self._clamp(ctx, asked, attempt)
        return refused

    async def after_attempt(self, ctx: Context, outcome: Outcome) -> None:
        """Learn how much models write."""
        asked = ctx.kept(self, Asked)
        if asked is None or not outcome.ok:
            return
        self._ending.begun(ctx.request_id)
        if outcome.usage is not None:
            self._expected.learn(asked.caller, outcome.group, outcome.usage.output_tokens)

    def meter_stream(self, ctx: Context) -> StreamMeter | None:
        """Pay for a stream as it runs."""
        asked = ctx.kept(self, Asked)
        if asked is None:
            return None
        hold, wanted = asked.hold, asked.wanted
        if hold is None or wanted is None or not hold.grows or not self._sizes.strict:
            return Counting()

        async def grow(most: int, least: int) -> Held | Refused | None:
            return await self._holding.grow(hold, most, least)

        def told(answer: Refused) -> Stop:
            reject = self._holding.refusal(hold.rules, answer)
            return Stop(reject.message, type=reject.type)

        size = self._config.stream_slice
        return StreamTopUp(grow, held=hold.units, most=wanted.most, size=size, told=told)

    async def settle(self, ctx: Context, usage: Usage | None) -> None:
        """Write down what was used, then give back what was held. Asked again until it succeeds."""
        asked = ctx.kept(self, Asked)
        if asked is None:
            return
        try:
            async with self._live.settling():
                await self._settle(ctx, asked)
        finally:
            self._ending.over(ctx.request_id)

    async def _settle(self, ctx: Context, asked: Asked) -> None:
        if asked.entries is None:
            entries = entries_of(
                ctx,
                asked.caller,
                asked.hold,
                asked.deployments,
                lambda: _typical(ctx),
                self._now(),
                self._sizes.unpriced,
            )
            await self._ledger.take(entries)
            asked.entries = entries
            self._holding.local.give_back(asked.local)
        hold = asked.hold
        if hold is not None and hold.asked:
            await self._opened.meters.settle(hold.id, postings(asked.entries))
            self._live.remove(hold)

    async def _fall_back(self, ctx: Context, asked: Asked, ranked: Sequence[ModelGroup]) -> Reject | None:
        """A fallback that was not among the first: what it costs more, and its own rules."""
        asked.ranked = (*asked.ranked, *ranked)
        refused = await self._holding.dearer(asked, ranked)
        return refused or await self._own_rules(ctx, asked, ranked)

    async def _own_rules(self, ctx: Context, asked: Asked, ranked: Sequence[ModelGroup]) -> Reject | None:
        now = self._now()
        known = asked.hold.groups if asked.hold is not None else {asked.ranked[0].name}
        fresh = [group for group in ranked if group.name not in known]
        rules: list[Rule] = []
        for group in fresh:
            rules += self.binding.of_model(ctx, asked.caller, group, now)
        return await self._holding.later(ctx, asked, fresh, rules) if fresh else None

    async def _for_target(self, ctx: Context, asked: Asked, attempt: Attempt) -> Reject | None:
        deployment = attempt.deployment
        group = next((each for each in asked.ranked if each.name == deployment.group), None)
        refused = await self._own_rules(ctx, asked, (group,)) if group is not None else None
        if refused is None and ctx.attempts:
            refused = await self._holding.dearer(asked, (), self._owed(ctx, asked))
        own = rules_of_deployment(deployment, self.binding.rates)
        if refused is None and own:
            refused = await self._holding.later(ctx, asked, asked.ranked[:1], own)
        return refused

    def _owed(self, ctx: Context, asked: Asked) -> int:
        """What calls of this request that ended may be billed."""
        return sum(
            billed(outcome, asked.deployments.get(outcome.deployment_id), lambda: _typical(ctx), self._sizes.unpriced)[
                1
            ]
            for outcome in ctx.attempts
        )

    def _clamp(self, ctx: Context, asked: Asked, attempt: Attempt) -> None:
        """Tell the provider to write no more than what is paid for. Streams are bounded by what they may cost in
        all."""
        hold, wanted = asked.hold, asked.wanted
        if hold is None or wanted is None or not wanted.most or not hold.grows or not self._sizes.strict:
            return
        units = wanted.most if ctx.request.stream else hold.units
        if units >= wanted.most and wanted.bounded:
            return
        most = max(1, units // wanted.answers)
        for name in _fields(ctx.request.wire, attempt.deployment, wanted.fields):
            attempt.params[name] = most

    @property
    def _opened(self) -> Gateway:
        if self._gateway is None:
            raise LookupError("the quotas are not open")
        return self._gateway

    @property
    def _holding(self) -> Holding:
        if self._made is None:
            raise LookupError("the quotas are not open")
        return self._made

    def _now(self) -> int:
        return self._opened.clock.now_ns()


def _typical(ctx: Context) -> int:
    return estimate.prompt_tokens(ctx.request, "typical") if ctx.asked is not None else 0


def _fields(wire: str, deployment: Deployment, told: Sequence[str]) -> Sequence[str]:
    """Where a provider is told how much it may write: by the wire that it speaks, and as the client wrote it where
    that is the same."""
    if deployment.wire == "anthropic" or wire == "openai-completion":
        return ("max_tokens",)
    own = tuple(name for name in estimate.BOUNDS if name in deployment.params)
    if wire == "openai-chat" and (told or own):
        return told or own
    return ("max_completion_tokens",) if deployment.provider in ("openai", "azure") else ("max_tokens",)
