"""Agents as MCP tools: a server inside the gateway, called `agents`, with one tool an agent.

The MCP adapter walks the road of tools for `mcp` and this server, so a call is guarded and recorded there, once. Here
are the permission for the agent and the agent itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from routeiq_sdk import Context, RequestError
from routeiq_sdk.values.tools import ToolServerError

if TYPE_CHECKING:
    from routeiq_a2a.parts import Parts
    from routeiq_a2a.registry.agent import Agent

NAME = "agents"
_NO_METHOD, _BAD_PARAMS = -32601, -32602
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "description": "What to tell the agent, in full: it knows nothing else."},
        "conversation": {"type": "string", "description": "A word of yours; the same word continues a conversation."},
    },
    "required": ["message"],
    "additionalProperties": False,
}


class AgentTools:
    """Implements the SDK's `ToolServer`."""

    def __init__(self, parts: Callable[[], Parts]) -> None:
        self._parts = parts

    @property
    def name(self) -> str:
        """Its name among the servers."""
        return NAME

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """It has tools."""
        return {"tools": {}}

    async def handle(self, ctx: Context, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer `tools/list` and `tools/call`."""
        if method == "ping":
            return {}
        if method == "tools/list":
            return {"tools": [await self._tool(ctx, agent) for agent in await self._offered(ctx)]}
        if method == "tools/call":
            return await self._call(ctx, params)
        raise ToolServerError(_NO_METHOD, f"The server {NAME!r} has no method {method!r}.")

    async def _offered(self, ctx: Context) -> list[Agent]:
        parts = self._parts()
        return [agent for agent in parts.registry if agent.as_tools and await parts.road.permitted(ctx, agent)]

    async def _tool(self, ctx: Context, agent: Agent) -> Mapping[str, Any]:
        from a2a.utils.errors import A2AError

        description = f"Send a message to the agent {agent.name}."
        try:
            card = await self._parts().guarded_card(ctx, agent)
            skills = "; ".join(f"{skill.name}: {skill.description}" for skill in card.skills)
            description = " ".join(filter(None, (card.description, f"Skills: {skills}." if skills else "")))
        except A2AError:
            pass  # an agent that is away is still a tool; calling it says so
        return {"name": agent.name, "description": description, "inputSchema": _SCHEMA}

    async def _call(self, ctx: Context, params: Mapping[str, Any]) -> Mapping[str, Any]:
        arguments = params.get("arguments")
        message = arguments.get("message") if isinstance(arguments, Mapping) else None
        conversation = arguments.get("conversation") if isinstance(arguments, Mapping) else None
        if not isinstance(message, str) or not message or not isinstance(conversation, str | None):
            raise ToolServerError(_BAD_PARAMS, "The arguments are `message`, a text, and `conversation`, one if any.")
        offered = {agent.name for agent in await self._offered(ctx)}
        name = params.get("name")
        if name not in offered:
            raise ToolServerError(_BAD_PARAMS, f"There is no tool {name!r}.")
        try:
            text, failed = await self._parts().chat.ask(ctx, str(name), message, conversation)
        except RequestError as error:
            text, failed = error.message, True
        return {"content": [{"type": "text", "text": text}], "isError": failed}
