"""Tells that a session is over, once, as the event that telemetry counts sessions by.

How sessions begin and end is the door's and the transports' business.
"""

from __future__ import annotations

import uuid
from typing import Literal

from routeiq_sdk import Gateway
from routeiq_sdk.events import ToolSessionV1
from routeiq_sdk.events.contract import moment


class Lasting:
    """A session of the gateway with a server, from its handshake on."""

    def __init__(self, gateway: Gateway, server: str, transport: Literal["tcp", "pipe"]) -> None:
        self._gateway = gateway
        self._server = server
        self._transport = transport
        self._begun = gateway.clock.monotonic()
        self._told = False

    def over(self, by: Literal["server", "gateway"], version: str, mark: str | None = None) -> None:
        """Tell its end; what comes after the first is nothing new."""
        if self._told:
            return
        self._told = True
        now = self._gateway.clock.now_ns()
        event = ToolSessionV1(
            event_id=f"session-{uuid.uuid4().hex}",
            timestamp_utc=moment(now),
            protocol="mcp",
            side="client",
            server=self._server,
            session_sha256=mark,
            protocol_version=version,
            transport=self._transport,
            duration_ms=round((self._gateway.clock.monotonic() - self._begun) * 1000, 3),
            ended_by=by,
        )
        self._gateway.emit(event.event(now))


def ended_by_client(
    gateway: Gateway, face: str, mark: str, version: str, begun_ms: int | None, principal: str | None
) -> None:
    """Tell that a client ended its session with the gateway. One whose beginning is unknown is not told."""
    if begun_ms is None:
        return
    now = gateway.clock.now_ns()
    event = ToolSessionV1(
        event_id=f"session-{uuid.uuid4().hex}",
        timestamp_utc=moment(now),
        protocol="mcp",
        side="server",
        server=face,
        session_sha256=mark,
        protocol_version=version,
        transport="tcp",
        duration_ms=float(max(0, now // 1_000_000 - begun_ms)),
        ended_by="client",
        principal=principal,
    )
    gateway.emit(event.event(now))
