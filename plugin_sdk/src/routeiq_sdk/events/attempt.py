"""`routeiq.attempt.v1`: one call to one deployment, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class AttemptV1(Contract, name="routeiq.attempt.v1"):
    """One call to one deployment. The attempts of one request share its `request_id` and are numbered from 1."""

    event_id: str
    """Unique: the request id and the attempt's number."""
    timestamp_utc: str
    """When the request arrived, ISO 8601."""
    request_id: str
    """The logical request's id, which the client saw."""
    trace_id: str
    """The trace of the request, 32 hex digits."""
    number: int
    """Which attempt of the request, from 1."""
    group: str
    """The model group as clients know it."""
    deployment_id: str
    """The row of the model list."""
    provider: str
    """Who serves the model."""
    model: str
    """The provider's name of the model."""
    kind: Literal["ok", "error", "timeout", "cut", "garbage", "vetoed", "cancelled"]
    """How it ended."""
    status: int
    """The provider's HTTP status; 0 when none came."""
    dispatched: bool
    """Whether the provider may have been called, so that it may have billed."""
    latency_ms: float
    """From the call to its end."""
    first_byte_ms: float | None = None
    """From the call to the first event of the answer."""
    input_tokens: int | None = None
    """Tokens of the prompt."""
    output_tokens: int | None = None
    """Tokens of the answer."""
    cost: int | None = None
    """Nano-USD; null when unpriced."""
    response_id: str | None = None
    """The provider's id of its answer."""
    finish_reason: str | None = None
    """Why the provider ended its answer."""
    error_type: str | None = None
    """The class of the failure."""
    error_message: str | None = None
    """What the failure said; no prompt and no answer text."""
