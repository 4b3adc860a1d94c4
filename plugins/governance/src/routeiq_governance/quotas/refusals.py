"""What a client hears when a quota refuses it: by the profile, with what is used, the limit and when to come back."""

from __future__ import annotations

import math

from routeiq_governance.quotas.rule import Rule
from routeiq_governance.quotas.windows import NANO, Span
from routeiq_sdk import Reject, RequestError

OLD = "1.80"
_KINDS = {
    "requests": "requests",
    "input_tokens": "tokens",
    "output_tokens": "tokens",
    "total_tokens": "tokens",
    "concurrent": "max_parallel_requests",
}


def refused(
    rule: Rule, taken: int, now: int, profile: str, budget_status: int | None, retry_after: float | None = None
) -> Reject:
    """The refusal of a rule that stands at `taken`."""
    span = rule.span(now)
    wait = retry_after if retry_after is not None else _wait(span.end, now)
    if rule.is_money:
        status = budget_status or (400 if profile == OLD else 422)
        message = (
            f"Budget has been exceeded! Current cost: {dollars(taken)}, Max budget: {dollars(rule.limit)}. "
            f"Policy: {rule.id}, {rule.subject}: {rule.value}."
        )
        return Reject(status, message, "budget_exceeded", code=str(status), retry_after=wait, headers=_reset(span.end))
    kind = _KINDS[rule.unit]
    wait = 1.0 if wait is None else wait
    message = (
        f"Rate limit exceeded for {rule.subject}: {rule.value}. Limit type: {kind}. Current limit: {rule.limit}, "
        f"Remaining: {max(0, rule.limit - taken)}. Policy: {rule.id}."
    )
    headers = {
        "rate_limit_type": kind,
        **_reset(span.end if span.end is not None else now + int(wait * NANO)),
        "ratelimit": f'"{_token(rule.id)}";r={max(0, rule.limit - taken)};t={math.ceil(wait)}',
        "ratelimit-policy": f'"{_token(rule.id)}";q={rule.limit}{_length(span)}',
        f"x-ratelimit-limit-{'tokens' if kind == 'tokens' else 'requests'}": str(rule.limit),
        f"x-ratelimit-remaining-{'tokens' if kind == 'tokens' else 'requests'}": str(max(0, rule.limit - taken)),
    }
    return Reject(429, message, "throttling_error", code="429", retry_after=max(1.0, math.ceil(wait)), headers=headers)


def unpriced(model: str) -> Reject:
    """Money bounds the caller, and nobody knows what this model costs."""
    message = (
        f"The model {model!r} has no price, and a budget holds for this request. Give its row "
        "input_cost_per_token and output_cost_per_token, or set routeiq.plugins.governance.unpriced: free."
    )
    return Reject(400, message, "invalid_request_error", param="model", code="model_unpriced")


def store_away() -> RequestError:
    """The store of quotas cannot be asked, and a rule wants it."""
    return RequestError(
        503,
        "The store of quotas cannot be reached. Try again.",
        type="quota_store_unavailable",
        code="503",
        headers={"retry-after": "1"},
    )


def _wait(end: int | None, now: int) -> float | None:
    return None if end is None else max(1.0, math.ceil((end - now) / NANO))


def _length(span: Span) -> str:
    return "" if span.end is None else f";w={(span.end - span.start) // NANO}"


def _reset(end: int | None) -> dict[str, str]:
    return {} if end is None else {"reset_at": str(end // NANO)}


def dollars(nano: int) -> str:
    """Nano-USD as exact dollars."""
    whole, part = divmod(nano, NANO)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".")


def _token(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_.:=[]," else "_" for sign in text)[:80]
