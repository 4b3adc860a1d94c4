"""A call of a tool leaves exactly one entry in the trail of a real gateway, whichever way the class is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .test_in_the_gateway import FullDisk, config, trail

CALLING = """
from routeiq_sdk import *
from routeiq_sdk.values.http import HttpResponse
from routeiq_sdk.values.tools import ToolCall, ToolResult

FACTS = {"virtual_server": "desk", "auth_mode": "vault", "token_sha256": "f00dfeed"}

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def setup(self, gateway):
        self.gateway = gateway

    @hookimpl
    async def permitted_tools(self, ctx, protocol, server, tools, aliases, groups):
        return [tool for tool in tools if tool != "hidden"]

    @hookimpl
    def register_routes(self, routes):
        routes.add("POST", "/tool/{name}", self.serve, access="key", summary="Call a tool", action="tool:call")

    async def serve(self, request):
        async def run(call):
            if call.tool == "broken":
                raise ValueError("no upstream")
            text = "the answer is 42"
            return ToolResult({"content": [{"type": "text", "text": text}]}, is_error=call.tool == "failing")

        tool = request.path_params["name"]
        call = ToolCall("mcp", "files", tool, {"path": "/etc/shadow"}, attributes=FACTS)
        return HttpResponse.json(dict((await self.gateway.tools.call(request.context, call, run)).content))
"""


async def call(running: TestGateway, tool: str) -> tuple[int, str]:
    async with running.session.post(f"/tool/{tool}") as response:
        return response.status, await response.text()


def calling(folder: Path, upstream: ScriptedUpstream, **audit: Any) -> dict[str, Any]:
    written = config(folder, upstream, **audit)
    written["routeiq"]["plugins"]["calling"] = {}
    return written


@pytest.mark.parametrize("mode", ["closed", "buffered"])
async def test_each_call_is_written_once_with_who_what_and_how_it_ended(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream, plugin_folder: PluginFolder, mode: str
) -> None:
    plugin_folder.install("calling", CALLING)
    running = await gateway(calling(tmp_path, scripted_upstream, classes={"tool": mode}))
    ends = {"read": (200, "ok"), "failing": (200, "tool_error"), "broken": (500, "failed"), "hidden": (403, "refused")}
    for tool, (status, _) in ends.items():
        assert (await call(running, tool))[0] == status
    await running.chat("m")  # the entry after them: nothing more of them is on its way
    written = await trail(tmp_path, len(ends) + 1)
    tools = [line for line in written if line["name"] == "routeiq.tool_call.v1"]
    assert {line["class"] for line in tools} == {"tool"}
    assert {line["event"]["tool"]: line["event"]["outcome"] for line in tools} == {
        tool: outcome for tool, (_, outcome) in ends.items()
    }
    assert len(tools) == len(ends) == len({line["id"] for line in tools})
    event = next(line["event"] for line in tools if line["event"]["tool"] == "read")
    assert (event["principal"], event["server"], event["action"]) == ("master", "files", "tool:call")
    assert event["attributes"] == {"virtual_server": "desk", "auth_mode": "vault", "token_sha256": "f00dfeed"}
    assert event["argument_names"] == ["path"]
    assert "/etc/shadow" not in str(written)
    assert "the answer is 42" not in str(written)


async def test_a_closed_call_that_cannot_be_written_down_answers_nothing(
    tmp_path: Path,
    gateway: StartGateway,
    scripted_upstream: ScriptedUpstream,
    plugin_folder: PluginFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = FullDisk(monkeypatch)
    plugin_folder.install("calling", CALLING)
    running = await gateway(calling(tmp_path, scripted_upstream, classes={"tool": "closed"}))
    disk.full = True
    status, text = await call(running, "read")
    assert status == 503
    assert "audit_unavailable" in text
    assert "the answer is 42" not in text
    disk.full = False
    assert (await call(running, "read"))[0] == 200
