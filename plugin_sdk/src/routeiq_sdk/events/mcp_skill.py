"""`routeiq.mcp_skill.v1`: what a skill says of itself was put in quarantine, or approved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class McpSkillV1(Contract, name="routeiq.mcp_skill.v1"):
    """One change of what is shown of a server's skills. Of a head its digest alone is told."""

    what: Literal["quarantined", "approved"]
    """Hidden since it is new or not what was approved, or shown again."""
    server: str
    """The server's id."""
    skill: str
    """The skill's URI."""
    definition_sha256: str
    """The digest of the head that was hidden or approved."""
    event_id: str
    """Unique."""
    timestamp_utc: str
    """When it happened, ISO 8601."""
