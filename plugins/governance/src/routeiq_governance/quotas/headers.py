"""What an answer tells about quotas: LiteLLM's headers, and those of the IETF draft (RateLimit, RateLimit-Policy).

Refusals write their own.
"""

from __future__ import annotations

from routeiq_governance.identity.caller import Caller
from routeiq_governance.quotas.hold import Hold
from routeiq_governance.quotas.windows import NANO
from routeiq_sdk import Context
from routeiq_sdk.values.meters import Held

_MOST_SUBJECTS = 6
"""LiteLLM keeps all headers under 4 kB."""


class Headers:
    """Writes into `ctx.answer_headers`."""

    def write(self, ctx: Context, hold: Hold, answer: Held, caller: Caller) -> None:
        """What is left after this hold."""
        headers = ctx.answer_headers
        left = dict(zip(hold.charges, answer.left, strict=False))
        shown = 0
        for meter, rule in hold.rules.items():
            remaining = left.get(meter)
            if remaining is None:
                continue
            remaining = max(0, remaining)
            if rule.is_money:
                if rule.id == f"key:{caller.key_id}:budget":
                    headers["x-litellm-key-max-budget"] = _dollars(rule.limit)
                    taken = rule.limit - remaining - hold.held.get(meter, 0)
                    headers["x-litellm-key-spend"] = _dollars(max(0, taken))
                continue
            kind = "requests" if rule.unit in ("requests", "concurrent") else "tokens"
            if rule.unit == "concurrent" or shown >= _MOST_SUBJECTS:
                continue
            shown += 1
            subject = rule.subject if rule.model is None else f"model_per_{rule.subject.removeprefix('api_')}"
            headers[f"x-ratelimit-{subject}-limit-{kind}"] = str(rule.limit)
            headers[f"x-ratelimit-{subject}-remaining-{kind}"] = str(remaining)
            if rule.id == f"key:{caller.key_id}:rpm":
                headers["x-litellm-key-rpm-limit"] = str(rule.limit)
            if rule.id == f"key:{caller.key_id}:tpm":
                headers["x-litellm-key-tpm-limit"] = str(rule.limit)


def _dollars(nano: int) -> str:
    whole, part = divmod(nano, NANO)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".")
