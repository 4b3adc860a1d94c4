"""The mcp plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from routeiq_mcp.config import McpConfig
from routeiq_sdk import Plugin


class Mcp(Plugin[McpConfig]):
    """MCP gateway for RouteIQ: many servers behind one address."""
