"""From what happened to what is written down: an entry an attempt, what went beyond the hold, and what each meter took.

Nothing is stored here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from routeiq_governance.identity.caller import Caller
from routeiq_governance.ledger.entry import OVERRUN, Entry, Taken
from routeiq_governance.quotas.hold import Hold
from routeiq_governance.quotas.rule import Rule, Used
from routeiq_sdk import Context, Deployment, Outcome, Usage
from routeiq_sdk.values.meters import Posting

_UNANSWERED = ("timeout", "cut", "cancelled")


def skeleton(ctx: Context, caller: Caller, now: int) -> Entry:
    """What every entry of a request says: who called, and when."""
    return Entry(
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
        tags=tuple(sorted(ctx.tags)),
    )


def billed(
    outcome: Outcome, deployment: Deployment | None, prompt: Callable[[], int], unpriced: int
) -> tuple[Usage, int]:
    """Usage and cost of an attempt. A call that went out and was not answered is charged its prompt, marked estimated:
    the provider may bill it. `unpriced` is what a call costs whose price nobody knows."""
    usage, cost = outcome.usage, outcome.cost
    price = deployment.price if deployment is not None else None
    if usage is None and outcome.dispatched and outcome.kind in _UNANSWERED:
        usage = Usage(prompt(), 0, estimated=True)
        cost = price.cost(usage) if price is not None else None
    if cost is None:
        cost = unpriced if usage is not None and price is None else 0
    return usage or Usage(), cost


def entries_of(
    ctx: Context,
    caller: Caller,
    hold: Hold | None,
    deployments: Mapping[str, Deployment],
    prompt: Callable[[], int],
    now: int,
    unpriced: int = 0,
) -> list[Entry]:
    """The entries of a finished request; `prompt` tells the usual number of tokens of its prompt."""
    found = []
    base = skeleton(ctx, caller, now)
    for number, outcome in enumerate((each for each in ctx.attempts if each.kind != "vetoed"), start=1):
        deployment = deployments.get(outcome.deployment_id)
        usage, cost = billed(outcome, deployment, prompt, unpriced)
        found.append(_entry(ctx, base, outcome, number, usage, cost, deployment))
    if not found:
        return []
    found[-1] = msgspec.structs.replace(found[-1], meters=taken_by(hold, found) if hold is not None else ())
    return _with_overrun(found, hold)


def postings(entries: Sequence[Entry]) -> list[Posting]:
    """What the meters of a settled hold took."""
    return [Posting(taken.meter, taken.amount, taken.ends) for entry in entries for taken in entry.meters]


def _entry(
    ctx: Context,
    base: Entry,
    outcome: Outcome,
    number: int,
    usage: Usage,
    cost: int,
    deployment: Deployment | None,
) -> Entry:
    told: dict[str, object] = {
        "surface": ctx.surface,
        "latency_ms": round(outcome.latency_ms, 1),
        "first_byte_ms": None if outcome.first_byte_ms is None else round(outcome.first_byte_ms, 1),
        "error": outcome.error_type,
        "client": ctx.client,
        "cached_tokens": usage.cached_tokens or None,
        "reasoning_tokens": usage.reasoning_tokens or None,
    }
    asked = ctx.asked
    price = deployment.price if deployment is not None else None
    return msgspec.structs.replace(
        base,
        attempt=number,
        outcome=outcome.kind,
        status=outcome.status,
        model_group=outcome.group or (asked.model if asked is not None else None),
        model=outcome.model,
        deployment_id=outcome.deployment_id,
        provider=outcome.provider,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        estimated=usage.estimated,
        cost=cost,
        response_id=outcome.response_id,
        price_version=price.version if price is not None else None,
        detail={name: value for name, value in told.items() if value is not None},
    )


def taken_by(hold: Hold, entries: Sequence[Entry]) -> tuple[Taken, ...]:
    """What these entries took from the meters of their hold."""
    found = []
    for meter, rule in hold.rules.items():
        amount = rule.amount(_used(rule, entries))
        if amount:
            found.append(Taken(meter, amount, hold.charges[meter].ends))
    return tuple(found)


def _used(rule: Rule, entries: Sequence[Entry]) -> Used:
    own = [
        entry
        for entry in entries
        if (rule.model is None or rule.model == entry.model_group)
        and (rule.provider is None or rule.provider == entry.provider)
        and (rule.deployment is None or rule.deployment == entry.deployment_id)
    ]
    return Used(
        len(own),
        sum(entry.input_tokens for entry in own),
        sum(entry.output_tokens for entry in own),
        sum(entry.cost for entry in own),
    )


def _with_overrun(entries: list[Entry], hold: Hold | None) -> list[Entry]:
    """What a provider billed beyond what was held stands in a row of its own, so that it can be seen."""
    held = hold.money() if hold is not None else None
    if held is None:
        return entries
    excess = sum(entry.cost for entry in entries) - held
    last = entries[-1]
    if excess <= 0 or last.cost < excess:
        return entries
    paid = msgspec.structs.replace(last, cost=last.cost - excess)
    beyond = msgspec.structs.replace(
        last, kind=OVERRUN, cost=excess, input_tokens=0, output_tokens=0, meters=(), detail={"held": held}
    )
    return [*entries[:-1], paid, beyond]
