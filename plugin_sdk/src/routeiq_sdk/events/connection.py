"""`routeiq.connection.v1`: a person connected an upstream, so that it is called in their name, or ended that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class ConnectionV1(Contract, name="routeiq.connection.v1"):
    """One change of a person's connections. Tokens are never told."""

    what: Literal["connected", "disconnected"]
    """What was done."""
    upstream: str
    """The server or agent, as `mcp:NAME` or `a2a:ID`."""
    principal: str | None
    """The credential's id."""
    event_id: str = ""
    """Unique; empty in events of earlier versions."""
    timestamp_utc: str = ""
    """When it happened, ISO 8601; empty in events of earlier versions."""
    user: str | None = None
    """The user behind it."""
