"""The limits of keys, users, teams, organizations, customers and tags as rules. LiteLLM's meaning: budgets hold money
before it is spent, token limits are looked at before a call and counted after it.

How limits get onto entities is the API's business; limits of models and deployments are in `model_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from routeiq_governance.identity.caller import Entity
from routeiq_governance.identity.limits import Limits
from routeiq_governance.quotas.rule import Failure, Rule, Unit
from routeiq_governance.quotas.windows import Every, Forever, Rolling, Window

SUBJECTS = {"key": "api_key", "member": "team_member", "customer": "end_user"}
"""LiteLLM's words for whom a limit bounds, where it has others."""
MINUTE = Rolling(60)
DAY = Rolling(86400)
SOFT = (0.5, 0.8, 1.0)


def rules_of(
    entity: Entity, model: str | None, tags: Iterable[str], now: int, rates: Failure = "closed"
) -> Iterator[Rule]:
    """Every rule that the limits of an entity make for a request to `model`. `rates` is what its limits of requests
    and tokens do while the store is away."""
    limits, prefix = entity.limits, f"{entity.scope}:{entity.id}"
    subject = SUBJECTS.get(entity.scope, entity.scope)

    def rule(name: str, unit: Unit, limit: int, window: Window, **more: object) -> Rule:
        failure = "closed" if unit == "usd" else rates
        return Rule(
            f"{prefix}:{name}",
            subject,
            entity.id,
            unit,
            limit,
            window,
            on_store_failure=failure,
            **more,  # type: ignore[arg-type]
        )

    if limits.budget is not None:
        amount = limits.budget + extra(limits, now)
        yield rule("budget", "usd", amount, window_of(limits), soft=SOFT, seeded=True)
    if limits.soft_budget is not None:
        yield rule("soft-budget", "usd", limits.soft_budget, window_of(limits), enforced=False, seeded=True)
    for each in limits.budget_windows:
        yield rule(f"budget-{each.duration}", "usd", each.limit, Every(each.duration, limits.budget_since or 0))
    if limits.requests_a_minute is not None:
        yield rule("rpm", "requests", limits.requests_a_minute, MINUTE)
    if limits.tokens_a_minute is not None:
        yield rule("tpm", "total_tokens", limits.tokens_a_minute, MINUTE, checked=True)
    if limits.tokens_a_day is not None:
        yield rule("tpd", "total_tokens", limits.tokens_a_day, DAY, checked=True)
    if limits.concurrent is not None:
        yield rule("parallel", "concurrent", limits.concurrent, Forever())
    if model is not None:
        budget = limits.model_budgets.get(model)
        if budget is not None:
            window = Every(budget.duration, 0) if budget.duration else Forever()
            yield rule(f"budget:{model}", "usd", budget.limit, window, model=model)
        if model in limits.model_requests_a_minute:
            yield rule(f"rpm:{model}", "requests", limits.model_requests_a_minute[model], MINUTE, model=model)
        if model in limits.model_tokens_a_minute:
            most = limits.model_tokens_a_minute[model]
            yield rule(f"tpm:{model}", "total_tokens", most, MINUTE, model=model, checked=True)
    for tag in tags:
        if tag in limits.tag_requests_a_minute:
            yield rule(f"rpm:tag:{tag}", "requests", limits.tag_requests_a_minute[tag], MINUTE)


def window_of(limits: Limits) -> Window:
    """The window of an entity's budget."""
    return Forever() if limits.budget_duration is None else Every(limits.budget_duration, limits.budget_since or 0)


def extra(limits: Limits, now: int) -> int:
    """The temporary increase of a budget that holds now."""
    if limits.extra_budget is None or (limits.extra_until is not None and limits.extra_until <= now):
        return 0
    return limits.extra_budget
