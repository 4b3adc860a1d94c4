"""Calls to a provider, one after the other, and how each ended.

Deciding whether to try again is the core's attempt loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from routeiq_sdk.values.models import Deployment, Usage


@dataclass(slots=True)
class Attempt:
    """One call to one deployment. `before_attempt` hooks may change `headers` and `params` until it is sent.

    `number` counts from 1 over the whole request. `params` are JSON fields laid over the request's body.
    """

    number: int
    deployment: Deployment
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `kind` is `ok`, `error`, `timeout`, `cut`, `garbage`, `vetoed` or `cancelled`.

    `status` is the upstream's HTTP status, or 0 when none came. `dispatched` is true once the provider may have been
    called,
    so that it may have billed. Times are in milliseconds; `first_byte_ms` is `None` when none came. `cost` is in
    nano-USD, `None` when unpriced. `response_id` and `finish_reason` are the provider's own words about its answer.
    `started_ms` counts from the request's arrival.
    """

    number: int
    deployment_id: str
    provider: str
    model: str
    kind: str
    status: int
    latency_ms: float
    dispatched: bool = False
    first_byte_ms: float | None = None
    usage: Usage | None = None
    cost: int | None = None
    error_type: str | None = None
    message: str | None = None
    group: str = ""
    response_id: str | None = None
    finish_reason: str | None = None
    started_ms: float = 0.0

    @property
    def ok(self) -> bool:
        """True when the provider answered in full."""
        return self.kind == "ok"
