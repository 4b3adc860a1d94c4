"""`routeiq.usage.v1`: what a request used and cost, for billing and chargeback."""

from __future__ import annotations

from dataclasses import dataclass

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class UsageV1(Contract, name="routeiq.usage.v1"):
    """What one request used. Only requests that reached a provider have one."""

    event_id: str
    """Unique: the request id with a suffix."""
    timestamp_utc: str
    """When the request arrived, ISO 8601."""
    request_id: str
    """The logical request's id."""
    principal: str | None
    """The credential's id: a hash, never the key."""
    user: str | None
    """The user behind the credential."""
    team: str | None
    """The team that pays."""
    end_user: str | None
    """The customer whom the client named."""
    tags: tuple[str, ...]
    """Tags of the request and its key."""
    group: str | None
    """The model group that answered."""
    model: str | None
    """The provider's name of the model."""
    provider: str | None
    """Who served the model."""
    input_tokens: int
    """Tokens of the prompt, cached ones included."""
    output_tokens: int
    """Tokens of the answer, those of reasoning included."""
    cached_tokens: int
    """Part of the input that a cache served."""
    cache_write_tokens: int
    """Part of the input that was written to a cache."""
    reasoning_tokens: int
    """Part of the output that was reasoning."""
    estimated: bool
    """Whether the gateway had to guess the counts."""
    cost: int | None
    """Nano-USD of the answer that was delivered; null when unpriced."""
    total_cost: int | None
    """Nano-USD of all attempts of the request together: the cost of the completed task."""
    attempts: int
    """How many calls it took."""
    price_version: str | None
    """The price book's version."""
