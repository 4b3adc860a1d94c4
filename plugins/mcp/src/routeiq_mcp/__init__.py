"""MCP gateway for RouteIQ: many servers behind one address.

The class is loaded by its entry point; import it from here in your tests.
"""

from __future__ import annotations

from routeiq_mcp.config import McpConfig
from routeiq_mcp.plugin import Mcp

__all__ = ["Mcp", "McpConfig"]
