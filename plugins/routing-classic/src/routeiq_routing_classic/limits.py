"""Requests and tokens a minute (`rpm`, `tpm`) of deployments: who has room, and the refusal when nobody has.

Minutes are those of the clock, as in LiteLLM. Who counts is `usage`'s business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from routeiq_routing_classic.prompt import prompt_of
from routeiq_sdk import Context, Deployment, Gateway, ModelGroup, Reject

_MINUTE_NS = 60_000_000_000


class Used(NamedTuple):
    """What a deployment was used for in the current minute."""

    requests: int = 0
    tokens: int = 0


def minute(gateway: Gateway) -> int:
    """The number of the current minute."""
    return gateway.clock.now_ns() // _MINUTE_NS


def with_room(
    ctx: Context,
    group: ModelGroup,
    deployments: Sequence[Deployment],
    used: Callable[[Deployment], Used],
    gateway: Gateway,
) -> Sequence[Deployment] | Reject:
    """The deployments whose limits have room for this request."""
    if all(d.rpm is None and d.tpm is None for d in deployments):
        return deployments
    tokens = prompt_of(ctx).likely if any(d.tpm is not None for d in deployments) else 0
    left = [d for d in deployments if _fits(d, used(d), tokens)]
    return left or reached(group.name, gateway)


def reached(model: str, gateway: Gateway) -> Reject:
    """All deployments are at their limits until the minute is over."""
    wait = math.ceil((_MINUTE_NS - gateway.clock.now_ns() % _MINUTE_NS) / 1e9)
    return Reject(
        429,
        f"No deployments available for selected model, Try again in {wait} seconds. Passed model={model}. "
        "All its deployments are at their limit of requests or tokens a minute.",
        type="throttling_error",
        retry_after=wait,
    )


def _fits(deployment: Deployment, used: Used, tokens: int) -> bool:
    if deployment.rpm is not None and used.requests + 1 > deployment.rpm:
        return False
    return deployment.tpm is None or used.tokens + tokens <= deployment.tpm
