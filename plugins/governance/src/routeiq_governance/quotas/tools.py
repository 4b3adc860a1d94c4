"""What tool calls cost and count for: held before a server is asked, settled and written down after it.

Which tools a caller may use is decided in `access`; prices are the adapters' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from routeiq_governance.identity.caller import Caller, Entity
from routeiq_governance.identity.gate import Identity
from routeiq_governance.ledger.book import Ledger
from routeiq_governance.ledger.entry import Entry
from routeiq_governance.quotas.asking import Asked
from routeiq_governance.quotas.binding import Binding
from routeiq_governance.quotas.ending import Ending
from routeiq_governance.quotas.entity_rules import MINUTE, SUBJECTS
from routeiq_governance.quotas.hold import Hold
from routeiq_governance.quotas.holding import Holding
from routeiq_governance.quotas.live import Live
from routeiq_governance.quotas.rule import Demand, Failure, Rule
from routeiq_governance.quotas.settling import postings, skeleton, taken_by
from routeiq_sdk import Context, Gateway, Reject
from routeiq_sdk.values.tools import ToolCall

RATE = "mcp_rpm_limit"
_TYPES = {"mcp": ("MCP", "call_mcp_tool"), "a2a": ("A2A", "asend_message")}
"""LiteLLM's words: how the model of a row begins, and the row's call type."""
_STATUS = {"ok": 200, "tool_error": 200, "timeout": 504}
_ENDED = {"failed": "error"}


@dataclass(slots=True)
class _Walk:
    """One call between its two hooks."""

    caller: Caller
    entry: Entry
    hold: Hold | None = None
    entries: list[Entry] | None = field(default=None)


class ToolQuotas:
    """Holds and settles. A call that costs nothing and that no limit counts asks no store."""

    def __init__(
        self,
        gateway: Gateway,
        identity: Identity,
        ledger: Ledger,
        binding: Binding,
        holding: Holding,
        live: Live,
        ending: Ending,
    ) -> None:
        self._gateway = gateway
        self._identity = identity
        self._ledger = ledger
        self._binding = binding
        self._holding = holding
        self._live = live
        self._ending = ending

    async def reserve(self, ctx: Context, call: ToolCall, id: str) -> Reject | None:
        """Hold the price on all budgets and a call on all rates, in one step. Raises `RequestError(503)`."""
        caller = await self._identity.caller(ctx)
        now = self._gateway.clock.now_ns()
        walk = _Walk(caller, _entry(ctx, caller, call, id, now))
        ctx.keep((self, id), walk)
        customer = await self._identity.customer(ctx)
        tags = await self._identity.tags(ctx) if ctx.tags else ()
        rules = list(rates_of(caller, customer, call, self._binding.rates))
        general = self._binding.general(ctx, caller, customer, tags, now)
        rules += [rule for rule in general if rule.unit == "requests" or (rule.is_money and call.price)]
        if not rules:
            return None
        hold = walk.hold = Hold(id, Demand(input_cost=call.price))
        refused = await self._holding.of_tool(Asked(caller, hold), hold, rules, walk.entry)
        if refused is not None:
            walk.hold = None  # nothing was taken
        return refused

    async def settle(self, ctx: Context, call: ToolCall, id: str, called: bool, outcome: str) -> None:
        """Write down what was used, then give back what was not. Asked again until it succeeds."""
        walk = ctx.kept((self, id), _Walk)
        if walk is None:
            return
        self._ending.begun(id)
        try:
            async with self._live.settling():
                await self._settle(walk, call, called, outcome)
        finally:
            self._ending.over(id)

    async def _settle(self, walk: _Walk, call: ToolCall, called: bool, outcome: str) -> None:
        hold = walk.hold
        if walk.entries is None:
            entries = [self._told(walk, call, outcome)] if called else []
            await self._ledger.take(entries)
            walk.entries = entries
        if hold is not None and hold.asked:
            await self._gateway.meters.settle(hold.id, postings(walk.entries))
            self._live.remove(hold)

    def _told(self, walk: _Walk, call: ToolCall, outcome: str) -> Entry:
        entry = msgspec.structs.replace(
            walk.entry,
            ended_at=self._gateway.clock.now_ns(),
            outcome=_ENDED.get(outcome, outcome),
            status=_STATUS.get(outcome, 0),
            cost=call.price,
        )
        return msgspec.structs.replace(entry, meters=taken_by(walk.hold, (entry,)) if walk.hold is not None else ())


def rates_of(caller: Caller, customer: Entity | None, call: ToolCall, failure: Failure) -> Iterator[Rule]:
    """The limits of calls a minute to this server, `mcp_rpm_limit` of everything behind the caller: calls by the
    server's name. Servers that it does not name are not limited."""
    if call.protocol != "mcp":
        return
    for entity in (*caller.entities, *(() if customer is None else (customer,))):
        told = entity.settings.get(RATE)
        if not isinstance(told, Mapping):
            continue
        most = [told[name] for name in (call.server, *call.aliases) if isinstance(told.get(name), int)]
        if most:
            yield Rule(
                f"{entity.scope}:{entity.id}:mcp-rpm:{call.server}",
                SUBJECTS.get(entity.scope, entity.scope),
                entity.id,
                "requests",
                min(most),
                MINUTE,
                on_store_failure=failure,
            )


def _entry(ctx: Context, caller: Caller, call: ToolCall, id: str, now: int) -> Entry:
    kind, call_type = _TYPES.get(call.protocol, (call.protocol, call.protocol))
    told = {"surface": call_type, "client": ctx.client, "tool": f"{call.server}/{call.tool}"}
    return msgspec.structs.replace(
        skeleton(ctx, caller, now),
        request_id=id,
        at=now,
        model_group=f"{kind}: {call.server}/{call.tool}",
        model=f"{kind}: {call.tool}",
        provider=call.protocol,
        detail={name: value for name, value in told.items() if value is not None},
    )
