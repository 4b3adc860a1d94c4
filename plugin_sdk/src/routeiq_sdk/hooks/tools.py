"""Hooks on tools that are reached through the gateway (MCP, A2A): permission, safety, accounts, delegation.

The protocols' own wires belong to the adapters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from routeiq_sdk.context import Context
from routeiq_sdk.errors import RequestError
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.delegation import Delegation, ProtectedResource
from routeiq_sdk.values.tools import Toolbox, ToolCall, ToolDefinition, ToolResult, ToolServer
from routeiq_sdk.values.verdict import Reject, Replace


class ToolHooks:
    """Who may call a tool, with what, at what price, and in whose name."""

    @hook(failure="start")
    def offer_tool_servers(self) -> Sequence[ToolServer]:
        """Offer servers inside the gateway, which the MCP adapter serves like those elsewhere. Fires at start."""
        return ()

    @hook(failure="start")
    def offer_delegation(self) -> Delegation | None:
        """Offer delegation: tokens for upstream servers in the caller's name. Fires at start; two offers stop the
        start."""

    @hook(failure="closed")
    def protected_resource(self, path: str) -> ProtectedResource | None:
        """The OAuth resource that is served at `path`, or `None`. Fires when a caller of that path has to be
        authenticated, and when the resource's metadata is asked for."""

    @hook(failure="swallow")
    def challenge(self, ctx: Context, error: RequestError) -> Mapping[str, str] | None:
        """Headers for an answer with status 401 or 403, such as `WWW-Authenticate`. Fires before it goes out."""

    @hook(failure="closed")
    async def permitted_tools(
        self,
        ctx: Context,
        protocol: str,
        server: str,
        tools: Sequence[str],
        aliases: frozenset[str],
        groups: frozenset[str],
    ) -> Collection[str] | None:
        """Those of `tools` that the caller may use; `None` for no opinion. All plugins must agree. `aliases` are other
        names of the server, `groups` the access groups that it is in.

        Fires for lists and again for each call, so what is hidden is refused, too. A failure hides and refuses all.
        """

    @hook(failure="closed")
    async def guard_tool_definition(self, ctx: Context, definition: ToolDefinition) -> Replace | Reject | None:
        """Look at what a server says of its tool before anybody reads it: pass (`None`), change or reject.

        Fires when a definition is seen first and when it changed. A failure keeps the tool hidden.
        """

    @hook(failure="closed")
    async def guard_tool_call(self, ctx: Context, call: ToolCall) -> Replace | Reject | None:
        """Look at a tool call before it goes upstream: allow (`None`), change its arguments (`Replace`) or deny
        (`Reject`).

        Fires for each MCP or A2A tool invocation, and again for what the caller answers when the server asks: then the
        arguments are the answers, by the questions' names. A failure denies.
        """

    @hook(failure="closed")
    async def guard_tool_result(self, ctx: Context, call: ToolCall, result: ToolResult) -> Replace | Reject | None:
        """Look at what a tool gave before the caller reads it: pass (`None`), change its content (`Replace`) or
        withhold it (`Reject`).

        Fires once a result, also for one that says the tool failed, and for each thing that the server says meanwhile:
        questions, notifications and errors, in the forms that `ToolResult` names. A failure withholds it.
        """

    @hook(failure="closed")
    async def reserve_tool_call(self, ctx: Context, call: ToolCall, id: str) -> Reject | None:
        """Hold what the call costs and counts for; `id` names the call. Fires before the upstream is called. A failure
        refuses."""

    @hook(failure="retry")
    async def settle_tool_call(self, ctx: Context, call: ToolCall, id: str, called: bool, outcome: str) -> None:
        """Turn what `reserve_tool_call` held into what was used. `id` names the call, `called` says whether the
        upstream was asked, `outcome` how the call ended (`ok`, `tool_error`, `refused`, `failed`, `timeout`).

        Fires once for every call that came to `reserve_tool_call`. A failure is tried again.
        """

    @hook(failure="closed")
    async def open_tools(self, ctx: Context) -> Toolbox | None:
        """Give the gateway's tools that a chat request names, or `None` when it names none.

        Fires once a chat request whose body mentions MCP, after `authorize`. The gateway then runs the tool loop. A
        failure refuses the request.
        """
