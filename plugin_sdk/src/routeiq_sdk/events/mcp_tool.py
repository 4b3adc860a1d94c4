"""`routeiq.mcp_tool.v1`: the definition of a tool was put in quarantine, or approved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class McpToolV1(Contract, name="routeiq.mcp_tool.v1"):
    """One change of what is offered of a server's tools. Of a definition its digest alone is told."""

    what: Literal["quarantined", "approved"]
    """Hidden since it is new or not what was approved, or offered again."""
    server: str
    """The server's id."""
    tool: str
    """The tool."""
    definition_sha256: str
    """The digest of the definition that was hidden or approved."""
    event_id: str = ""
    """Unique; empty in events of earlier versions."""
    timestamp_utc: str = ""
    """When it happened, ISO 8601; empty in events of earlier versions."""
