"""What an answer and its record tell about quotas: LiteLLM's headers of what is left, and the budgets.

Refusals write their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from routeiq_governance.identity.caller import Caller
from routeiq_governance.quotas.refusals import dollars
from routeiq_governance.quotas.rule import Rule
from routeiq_sdk import Context
from routeiq_sdk.values.budgets import Budget
from routeiq_sdk.values.meters import Charge, Held

_SCOPES = {"api_key": "key", "end_user": "customer"}
_MOST_SUBJECTS = 6
"""LiteLLM keeps all headers under 4 kB."""


def write_headers(
    ctx: Context,
    charged: Mapping[str, tuple[Rule, Charge]],
    answer: Held,
    caller: Caller,
    held: Mapping[str, int],
) -> None:
    """What is left after this hold, into `ctx.answer_headers`; budgets into `ctx.budgets`."""
    headers = ctx.answer_headers
    shown = sum(name.startswith("x-ratelimit-") and "-limit-" in name for name in headers)
    for (meter, (rule, _)), left in zip(charged.items(), answer.left, strict=True):
        if left is None:
            continue
        remaining = max(0, left)
        if rule.is_money:
            taken = rule.limit - left - held.get(meter, 0)
            if rule.id.endswith(":budget") and rule.model is None and rule.provider is None:
                ctx.budgets.append(_budget(rule, caller, max(0, taken), ctx.received_at))
            if rule.id == f"key:{caller.key_id}:budget":
                headers["x-litellm-key-max-budget"] = dollars(rule.limit)
                headers["x-litellm-key-spend"] = dollars(max(0, taken))
            continue
        if rule.unit == "concurrent" or shown >= _MOST_SUBJECTS:
            continue
        shown += 1
        kind = "requests" if rule.unit == "requests" else "tokens"
        subject = rule.subject if rule.model is None else f"model_per_{rule.subject.removeprefix('api_')}"
        headers[f"x-ratelimit-{subject}-limit-{kind}"] = str(rule.limit)
        headers[f"x-ratelimit-{subject}-remaining-{kind}"] = str(remaining)
        if rule.id == f"key:{caller.key_id}:rpm":
            headers["x-litellm-key-rpm-limit"] = str(rule.limit)
        if rule.id == f"key:{caller.key_id}:tpm":
            headers["x-litellm-key-tpm-limit"] = str(rule.limit)


def _budget(rule: Rule, caller: Caller, spent: int, now: int) -> Budget:
    scope = _SCOPES.get(rule.subject, rule.subject)
    entity = caller.entity(scope)
    alias = entity.alias if entity is not None and entity.id == rule.value else None
    return Budget(scope, rule.value, rule.limit, spent, alias, rule.span(now).end)
