"""Where guards of tools are attacked: an MCP server and an A2A agent that say what a test wishes.

The attacks themselves are in the tests.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from routeiq_testkit.gateway import TestGateway

from ..mcp_suite.serving import serving

VERSION = "2026-07-28"
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
TOOL = {"name": "act", "description": "Does it.", "inputSchema": {"type": "object"}}
DONE = {"content": [{"type": "text", "text": "done"}]}
PROMPT = {"name": "ask", "description": "Asks."}
RESOURCE = {"uri": "note://one", "name": "one", "description": "A note."}
SKILLS = "io.modelcontextprotocol/skills"
SKILL = {"uri": "skill://pdf/SKILL.md", "frontmatter": {"name": "pdf", "description": "Reads."}, "resources": "dynamic"}
LISTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "tools/list": ("tools", TOOL),
    "prompts/list": ("prompts", PROMPT),
    "resources/list": ("resources", RESOURCE),
    "skills/list": ("skills", SKILL),
    "resources/templates/list": ("resourceTemplates", {"uriTemplate": "note://{name}", "name": "note"}),
}
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "tools/call": DONE,
    "resources/read": {"contents": [{"uri": "note://one", "text": "a note"}]},
    "prompts/get": {"messages": [{"role": "user", "content": {"type": "text", "text": "a prompt"}}]},
    "completion/complete": {"completion": {"values": ["a", "b"]}},
}


@dataclass
class ScriptedServer:
    """A modern server. What a test changes counts from the next request on: `lists` and `answers` by method,
    `instructions` for models. `asked` has what reached it."""

    lists: dict[str, Sequence[Any]] = field(default_factory=dict)
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    instructions: str = "Be kind."
    asked: list[tuple[str, str]] = field(default_factory=list)

    def calls(self, method: str) -> list[str]:
        """The params of the requests of a method, as JSON."""
        return [params for name, params in self.asked if name == method]

    async def post(self, request: Request) -> Response:
        rpc = await request.json()
        if "id" not in rpc:
            return Response(status_code=202)
        method = rpc["method"]
        self.asked.append((method, json.dumps(rpc.get("params", {}), ensure_ascii=False)))
        return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "result": self._result(method)})

    def _result(self, method: str) -> Mapping[str, Any]:
        if method == "server/discover":
            capabilities: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}, "completions": {}}
            capabilities["extensions"] = {SKILLS: {}}
            facts = {"supportedVersions": [VERSION], "capabilities": capabilities, "instructions": self.instructions}
            return {"resultType": "complete", "_meta": {SERVER_INFO: {"name": "scripted", "version": "1"}}, **facts}
        if method in LISTS:
            key, usual = LISTS[method]
            return {"resultType": "complete", "ttlMs": 0, key: list(self.lists.get(method, [usual]))}
        return {"resultType": "complete", **self.answers.get(method, ANSWERS.get(method, {}))}


@dataclass
class ScriptedAgent:
    """An agent of JSON-RPC. `says` is its answer to a message (one that asks for a task gets a task), `description`
    stands in its card."""

    url: str = ""
    says: Sequence[Mapping[str, Any]] = ({"text": "done"},)
    description: str = "An agent."
    skill: str = "Acts."
    heard: list[str] = field(default_factory=list)

    async def card(self, request: Request) -> Response:
        interface = {"url": f"{self.url}/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        skill = {"id": "act", "name": "Act", "description": self.skill, "tags": ["x"]}
        card = {
            "name": "Actor",
            "description": self.description,
            "version": "1",
            "supportedInterfaces": [interface],
            "capabilities": {"pushNotifications": True},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": [skill],
        }
        return JSONResponse(card, headers={"cache-control": "max-age=0"})

    async def rpc(self, request: Request) -> Response:
        rpc = await request.json()
        said = json.dumps(rpc, ensure_ascii=False)
        self.heard.append(said)
        task = {"id": "task-of-the-agent", "contextId": "c-1", "status": {"state": "TASK_STATE_WORKING"}}
        if rpc["method"] != "SendMessage":
            return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "result": task})
        if "a task" in said:
            return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "result": {"task": task}})
        message = {"messageId": "a-1", "role": "ROLE_AGENT", "parts": list(self.says)}
        return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "result": {"message": message}})


@asynccontextmanager
async def scripted_server() -> AsyncIterator[tuple[ScriptedServer, str]]:
    """A server and its address."""
    server = ScriptedServer()
    async with serving(Starlette(routes=[Route("/mcp", server.post, methods=["POST"])])) as base:
        yield server, f"{base}/mcp"


@asynccontextmanager
async def scripted_agent() -> AsyncIterator[ScriptedAgent]:
    """An agent that is running."""
    agent = ScriptedAgent()
    routes = [Route("/.well-known/agent-card.json", agent.card), Route("/rpc", agent.rpc, methods=["POST"])]
    async with serving(Starlette(routes=routes)) as base:
        agent.url = base
        yield agent


@asynccontextmanager
async def mcp_client(
    running: TestGateway, path: str, mode: str, key: str = "", **callbacks: Any
) -> AsyncIterator[Client]:
    """The SDK's client of a face of the gateway, in one of the eras (`auto` is modern)."""
    headers = {"authorization": f"Bearer {key or running.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{running.url}{path}", http_client=http), mode=mode, **callbacks) as connected,
    ):
        yield connected


async def say(running: TestGateway, *parts: Mapping[str, Any], key: str = "", **configuration: Any) -> tuple[int, str]:
    """Send a message to the agent `actor`; status and body of the answer."""
    message = {"messageId": "m-1", "role": "ROLE_USER", "parts": list(parts)}
    params = {"message": message, "configuration": configuration}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    headers = {"A2A-Version": "1.0", "authorization": f"Bearer {key or running.key}"}
    async with running.session.post("/a2a/actor", json=body, headers=headers) as response:
        return response.status, (await response.read()).decode()
