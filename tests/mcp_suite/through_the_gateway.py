"""A gateway in front of MCP servers, for tests that speak the protocol to it.

What a server offers is `everything`'s, what the suite asks `conformance`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODEL = {"model_name": "m", "litellm_params": {"model": "openai/m", "mock_response": "hello"}}


def in_front_of(servers: Mapping[str, str | Mapping[str, Any]], **virtual: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a gateway with these MCP servers, by name: an address or a whole row. Without any `virtual`
    servers there is one, `suite`: all of them without prefixes, open on loopback."""
    rows = {name: {"url": row, "transport": "http"} if isinstance(row, str) else row for name, row in servers.items()}
    suite = {"servers": list(rows), "prefix": False, "auth": "none"}
    return {
        "model_list": [MODEL],
        "mcp_servers": rows,
        "routeiq": {"plugins": {"mcp": {"virtual_servers": dict(virtual) or {"suite": suite}}}},
    }
