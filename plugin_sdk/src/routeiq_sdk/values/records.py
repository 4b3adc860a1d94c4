"""What is written down about a request after its last byte, and the events built from it.

Where records go is the business of sinks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from routeiq_sdk.values.attempts import Outcome
from routeiq_sdk.values.budgets import Budget
from routeiq_sdk.values.decision import Decision
from routeiq_sdk.values.models import Usage
from routeiq_sdk.values.trace import TraceContext
from routeiq_sdk.values.verdict import Ruling


@dataclass(frozen=True, slots=True)
class Record:
    """One finished request: who asked for what, what was chosen and why, what it took and cost.

    `group` is the model group that answered, as clients know it; `model` is the provider's own name for it.
    `stage` is the gate at which the gateway itself ended the request, before any provider was called (else `None`),
    `rulings` are the objections of plugins on the way. `trace` is the request's place in its trace, `routing_ms` what
    the choice of the model took. `action` is what the route does (`chat:create`), `client` the client's address,
    `budgets` are those that bound it.
    It holds no prompt and no answer text. `status` is the HTTP status for the log (499 when the client went away).
    `cost` is in nano-USD, `None` when the model is unpriced. Times are in milliseconds, `at` is Unix time in
    nanoseconds.
    """

    request_id: str
    decision_id: str | None
    at: int
    surface: str
    route: str
    status: int
    stream: bool
    requested_model: str | None
    model: str | None
    deployment_id: str | None
    provider: str | None
    principal: str | None
    team: str | None
    user: str | None
    end_user: str | None
    tags: tuple[str, ...]
    decision: Decision | None
    attempts: tuple[Outcome, ...]
    usage: Usage | None
    cost: int | None
    price_version: str | None
    latency_ms: float
    first_byte_ms: float | None
    overhead_ms: float | None
    config: str
    error_type: str | None = None
    error: str | None = None
    group: str | None = None
    trace: TraceContext | None = None
    stage: str | None = None
    rulings: tuple[Ruling, ...] = ()
    routing_ms: float | None = None
    action: str = ""
    client: str | None = None
    key_alias: str | None = None
    organization: str | None = None
    budgets: tuple[Budget, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total_cost(self) -> int | None:
        """Nano-USD of all attempts together, failed ones included; `None` when none is priced."""
        told = [attempt.cost for attempt in self.attempts if attempt.cost is not None]
        return sum(told) if told else self.cost


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for sinks. `name` carries its version (`routeiq.attempt.v1`); `at` is Unix time in
    nanoseconds."""

    name: str
    at: int
    payload: Mapping[str, Any]
