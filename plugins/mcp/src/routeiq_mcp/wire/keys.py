"""Names on the wire: `_meta` keys that the protocol reserves, HTTP headers, what a request is named by.

Values and their rules live with whoever reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

VERSION: Final = "io.modelcontextprotocol/protocolVersion"
CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
CLIENT_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL: Final = "io.modelcontextprotocol/logLevel"
SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"

ENVELOPE: Final = frozenset({VERSION, CLIENT_INFO, CLIENT_CAPABILITIES, LOG_LEVEL})
"""Keys in `_meta` of a modern request that are the transport's, not the user's."""

VERSION_HEADER: Final = "mcp-protocol-version"
METHOD_HEADER: Final = "mcp-method"
NAME_HEADER: Final = "mcp-name"
PARAM_HEADER_PREFIX: Final = "mcp-param-"
SESSION_HEADER: Final = "mcp-session-id"
LAST_EVENT_HEADER: Final = "last-event-id"

NAMED_BY: Final[Mapping[str, str]] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Method to the param that `Mcp-Name` repeats."""

CACHEABLE: Final = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    }
)
"""Methods whose modern results carry `ttlMs` and `cacheScope`."""

MAY_ASK: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Methods whose modern results may be `input_required`."""

LOG_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Least severe first."""


def without_envelope(params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` without the transport's keys in `_meta`; what a user put there stays."""
    kept = dict(params)
    meta = kept.get("_meta")
    if isinstance(meta, dict):
        rest = {key: value for key, value in meta.items() if key not in ENVELOPE}
        if rest:
            kept["_meta"] = rest
        else:
            del kept["_meta"]
    return kept


def is_logged(level: object, least: str | None) -> bool:
    """Whether a log message of `level` is wanted by who asked for `least`; an unknown level is, if any."""
    if least is None:
        return False
    if level not in LOG_LEVELS or least not in LOG_LEVELS:
        return True
    return LOG_LEVELS.index(level) >= LOG_LEVELS.index(least)  # type: ignore[arg-type]
