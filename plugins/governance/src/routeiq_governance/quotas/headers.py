"""What an answer tells about quotas: LiteLLM's headers of what is left.

Refusals write their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from routeiq_governance.identity.caller import Caller
from routeiq_governance.quotas.refusals import dollars
from routeiq_governance.quotas.rule import Rule
from routeiq_sdk import Context
from routeiq_sdk.values.meters import Charge, Held

_MOST_SUBJECTS = 6
"""LiteLLM keeps all headers under 4 kB."""


def write_headers(
    ctx: Context,
    charged: Mapping[str, tuple[Rule, Charge]],
    answer: Held,
    caller: Caller,
    held: Mapping[str, int],
) -> None:
    """What is left after this hold, into `ctx.answer_headers`."""
    headers = ctx.answer_headers
    shown = sum(name.startswith("x-ratelimit-") and "-limit-" in name for name in headers)
    for (meter, (rule, _)), left in zip(charged.items(), answer.left, strict=True):
        if left is None:
            continue
        remaining = max(0, left)
        if rule.is_money:
            if rule.id == f"key:{caller.key_id}:budget":
                headers["x-litellm-key-max-budget"] = dollars(rule.limit)
                taken = rule.limit - left - held.get(meter, 0)
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
