"""`routeiq.admission.v1`: a request was turned away before a provider was called."""

from __future__ import annotations

from dataclasses import dataclass

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class AdmissionV1(Contract, name="routeiq.admission.v1"):
    """A refusal by the gateway itself: load, authentication, authorization, limits, budgets. Guards have their own."""

    event_id: str
    """Unique: the request id with a suffix."""
    timestamp_utc: str
    """When the request arrived, ISO 8601."""
    request_id: str
    """The request's id."""
    trace_id: str
    """The trace of the request, 32 hex digits."""
    stage: str
    """Where it was refused: door, admit, authenticate, permit, read, authorize, route, reserve, attempt."""
    status: int
    """The HTTP status that the client got."""
    reason: str
    """The error's type, as clients see it."""
    message: str
    """The error's message, as clients see it."""
    plugin: str | None
    """The plugin that refused; null for the core."""
    route: str
    """The route."""
    action: str
    """What the route does, as resource:verb."""
    principal: str | None
    """The credential's id; null when it is not known."""
    user: str | None
    """The user behind it."""
    team: str | None
    """The caller's team."""
    client: str | None
    """The client's address."""
    requested_model: str | None
    """The model that was asked for."""
