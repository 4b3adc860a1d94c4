"""`routeiq.tool_session.v1`: a session with a server of tools is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class ToolSessionV1(Contract, name="routeiq.tool_session.v1"):
    """One session of a protocol that has sessions (MCP until 2025-11-25), told when it ends.

    A session that nobody ends, and that expires, is not told.
    """

    event_id: str
    """Unique."""
    timestamp_utc: str
    """When it ended, ISO 8601."""
    protocol: Literal["mcp"]
    """The protocol."""
    side: Literal["server", "client"]
    """What the gateway is in it: the server of a client, or the client of a server."""
    server: str
    """The server or virtual server that the client asked; or the server behind the gateway."""
    session_sha256: str | None
    """The first 16 hex digits of the SHA-256 of its id: the id itself admits to the session. Null for a session without
    an id."""
    protocol_version: str
    """The version that both agreed on."""
    transport: Literal["tcp", "pipe"]
    """How it was carried: `pipe` for a program."""
    duration_ms: float
    """From the handshake to its end."""
    ended_by: Literal["client", "server", "gateway"]
    """Who ended it: the client, the server (which does not know it any more, or is gone), or the gateway."""
    principal: str | None = None
    """The credential's id, when a client ended it."""
