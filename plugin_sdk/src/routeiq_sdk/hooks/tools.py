"""Hooks on tool invocations that pass through the gateway (MCP, A2A)."""

from __future__ import annotations

from routeiq_sdk.context import Context
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.tools import ToolCall
from routeiq_sdk.values.verdict import Reject, Replace


class ToolHooks:
    """Safety and delegation of tool calls."""

    @hook(failure="closed")
    async def guard_tool_call(self, ctx: Context, call: ToolCall) -> Replace | Reject | None:
        """Look at a tool call before it goes upstream: allow (`None`), change its arguments (`Replace`) or deny
        (`Reject`).

        Fires for each MCP or A2A tool invocation. A failure denies.
        """
