"""Tells that a session is over, once, as the event that telemetry counts sessions by.

How sessions begin and end is the door's and the transports' business.
"""

from __future__ import annotations

import uuid
from typing import Any, Literal

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
        _tell(
            self._gateway,
            side="client",
            server=self._server,
            session_sha256=mark,
            protocol_version=version,
            transport=self._transport,
            duration_ms=round((self._gateway.clock.monotonic() - self._begun) * 1000, 3),
            ended_by=by,
        )


def ended_by_client(
    gateway: Gateway, face: str, mark: str, version: str, begun_ms: int | None, principal: str | None
) -> None:
    """Tell that a client ended its session with the gateway. One whose beginning is unknown is not told."""
    if begun_ms is None:
        return
    lasted = gateway.clock.now_ns() // 1_000_000 - begun_ms
    _tell(
        gateway,
        side="server",
        server=face,
        session_sha256=mark,
        protocol_version=version,
        transport="tcp",
        duration_ms=float(max(0, lasted)),
        ended_by="client",
        principal=principal,
    )


def _tell(gateway: Gateway, **facts: Any) -> None:
    now = gateway.clock.now_ns()
    id, at = f"session-{uuid.uuid4().hex}", moment(now)
    gateway.emit(ToolSessionV1(event_id=id, timestamp_utc=at, protocol="mcp", **facts).event(now))
