"""A small agent that speaks A2A 1.0 over JSON-RPC: it plans a trip in three lines.

Nothing of the gateway is here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

_PLAN = ("Morning: the old town. ", "Noon: the market. ", "Evening: the harbour.")


class TravelAgent:
    """`authorizations` has what callers proved themselves with."""

    def __init__(self) -> None:
        self.url = ""
        self.authorizations: set[str | None] = set()
        self._tasks: dict[str, dict[str, Any]] = {}

    async def card(self, request: web.Request) -> web.Response:
        """What the agent says of itself."""
        interface = {"url": f"{self.url}/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        skill = {"id": "plan", "name": "Plan a day", "description": "Plans a day in a city.", "tags": ["travel"]}
        return web.json_response(
            {
                "name": "Travel",
                "description": "Plans trips.",
                "version": "1.0.0",
                "supportedInterfaces": [interface],
                "capabilities": {"streaming": True},
                "defaultInputModes": ["text/plain"],
                "defaultOutputModes": ["text/plain"],
                "skills": [skill],
            }
        )

    async def rpc(self, request: web.Request) -> web.StreamResponse:
        """The methods that the tour needs."""
        self.authorizations.add(request.headers.get("authorization"))
        asked = await request.json()
        frame = {"jsonrpc": "2.0", "id": asked["id"]}
        if asked["method"] == "SendStreamingMessage":
            return await self._stream(request, frame, asked["params"]["message"])
        if asked["method"] == "SendMessage":
            task = self._task(asked["params"]["message"])
            return web.json_response({**frame, "result": {"task": task}})
        known = self._tasks.get(asked["params"].get("id", ""))
        if asked["method"] == "GetTask" and known is not None:
            return web.json_response({**frame, "result": known})
        return web.json_response({**frame, "error": {"code": -32001, "message": "Task not found"}})

    async def _stream(self, request: web.Request, frame: dict[str, Any], message: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        task = self._task(message)
        ids = {"taskId": task["id"], "contextId": task["contextId"]}
        working = {**task, "status": {"state": "TASK_STATE_WORKING"}, "artifacts": []}
        events: list[dict[str, Any]] = [{"task": working}]
        for number, line in enumerate(_PLAN):
            artifact = {"artifactId": "plan", "parts": [{"text": line}]}
            events.append({"artifactUpdate": {**ids, "artifact": artifact, "append": number > 0}})
        events.append({"statusUpdate": {**ids, "status": task["status"]}})
        for event in events:
            await response.write(b"data: " + json.dumps({**frame, "result": event}).encode() + b"\n\n")
        return response

    def _task(self, message: dict[str, Any]) -> dict[str, Any]:
        task = {
            "id": str(uuid.uuid4()),
            "contextId": message.get("contextId") or str(uuid.uuid4()),
            "status": {"state": "TASK_STATE_COMPLETED"},
            "artifacts": [{"artifactId": "plan", "parts": [{"text": "".join(_PLAN)}]}],
        }
        self._tasks[task["id"]] = task
        return task


@asynccontextmanager
async def running() -> AsyncIterator[TravelAgent]:
    """The agent on a free port."""
    agent = TravelAgent()
    app = web.Application()
    app.router.add_get("/.well-known/agent-card.json", agent.card)
    app.router.add_post("/rpc", agent.rpc)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    agent.url = f"http://{host}:{port}"
    try:
        yield agent
    finally:
        await runner.cleanup()
