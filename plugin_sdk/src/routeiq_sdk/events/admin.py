"""`routeiq.admin.v1`: somebody changed the gateway: keys, teams, budgets, policies, models, its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class AdminV1(Contract, name="routeiq.admin.v1"):
    """One change, told twice: `asked` before it is done, `done` (or `failed`) before it is acknowledged.

    An `asked` without its second event is a change whose outcome nobody was told.
    """

    event_id: str
    """Unique: the request id and the phase."""
    timestamp_utc: str
    """When the request arrived, ISO 8601."""
    request_id: str
    """The request that asked for it."""
    trace_id: str
    """The trace of the request, 32 hex digits."""
    phase: Literal["asked", "done", "failed"]
    """Before the change, after it, or after it was refused or broke."""
    action: str
    """What was asked, as resource:verb: key:create, team:update."""
    method: str
    """HTTP method."""
    route: str
    """The route, with its parameters' names."""
    status: int
    """HTTP status of the answer; 0 while `asked`."""
    principal: str
    """The credential's id: a hash, never the key."""
    principal_kind: str
    """admin, key, user or service."""
    user: str | None
    """The user behind it."""
    team: str | None
    """The caller's team."""
    client: str | None
    """The client's address."""
    target: Mapping[str, str] = field(default_factory=dict)
    """Ids of what was changed: from the path, the query, the body and the answer."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """The request's fields. Secrets are masked, long texts cut."""
    error: str | None = None
    """Why it failed, as the client was told."""
