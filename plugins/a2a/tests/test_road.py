"""The road of a message: guards change and refuse it, results are guarded in every way out, one record a message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.types import GetTaskRequest, ListTasksRequest

from routeiq_sdk.events.tool_call import FACTS

from .clients import connected, everything, message, words
from .test_cards import plain, rpc

V1 = {"authorization": "Bearer person-ann", "A2A-Version": "1.0"}
GUARD = """
import json
from routeiq_sdk import Plugin, PluginConfig, Reject, Replace, hookimpl

class Fixture(Plugin[PluginConfig]):
    events = []

    @hookimpl
    async def guard_tool_call(self, ctx, call):
        text = json.dumps(call.arguments)
        if "forbidden" in text:
            return Reject(400, "not here", code="guarded")
        if "hello" in text:
            return Replace(json.loads(text.replace("hello", "goodbye")))

    @hookimpl
    async def guard_tool_result(self, ctx, call, result):
        if "MARK" in json.dumps(result.content):
            return Reject(400, "withheld", code="withheld")

    @hookimpl
    async def emit(self, events):
        self.events.extend(event for event in events if event.name == "routeiq.tool_call.v1")
"""


@pytest.fixture
def guarded(plugin_folder) -> dict[str, Any]:
    """A guard that changes, refuses and withholds."""
    plugin_folder.install("guarding", GUARD, kind="guard")
    return {"guarding": {}}


async def post(gateway: Any, path: str, body: Any, **headers: str) -> tuple[int, Any, str]:
    async with gateway.session.post(path, json=body, headers={**V1, **headers}) as response:
        raw = (await response.read()).decode()
        return response.status, json.loads(raw) if raw.startswith("{") else None, raw


async def test_guards_change_and_refuse_what_is_sent(run_agent, open_gateway, guarded) -> None:
    agent = await run_agent()
    gateway = await open_gateway(plugins=guarded, agents={"echo": {"url": agent.url}})
    async with connected(gateway) as client:
        assert words(await everything(client, message("hello there"))) == "echo: goodbye there"
    before = len(agent.paths)
    status, body, _ = await post(gateway, "/a2a/echo", rpc("SendMessage", plain("the forbidden")))
    assert (status, body["error"]["code"], body["error"]["data"][0]["reason"]) == (200, -32000, "GUARDED")
    status, body, _ = await post(gateway, "/a2a/echo/v1/message:send", plain("the forbidden"))
    assert (status, body["error"]["details"][0]["reason"]) == (400, "GUARDED")
    status, body, _ = await post(gateway, "/a2a/echo/v1/message:stream", plain("the forbidden"))
    assert (status, body["error"]["details"][0]["reason"]) == (400, "GUARDED")
    assert len(agent.paths) == before


async def test_what_a_guard_withholds_leaves_by_no_way(run_agent, open_gateway, guarded) -> None:
    agent = await run_agent()
    gateway = await open_gateway(plugins=guarded, agents={"echo": {"url": agent.url, "as_model": True}})
    for path, body in [
        ("/a2a/echo", rpc("SendMessage", plain("MARK"))),
        ("/a2a/echo", rpc("SendStreamingMessage", plain("MARK"))),
        ("/a2a/echo/v1/message:send", plain("MARK")),
        ("/a2a/echo/v1/message:stream", plain("MARK")),
    ]:
        _, _, raw = await post(gateway, path, body)
        assert "MARK" not in raw, path
        assert "withheld" in raw.lower(), path
    async with connected(gateway) as client:
        listed = await client.list_tasks(ListTasksRequest(include_artifacts=True))
        assert len(listed.tasks) == 4
        assert "MARK" not in str(listed)
        id = listed.tasks[0].id
    for path, method in [(f"/a2a/echo/v1/tasks/{id}", "GET")]:
        async with gateway.session.request(method, path, headers=V1) as response:
            assert "MARK" not in (await response.read()).decode()
            assert response.status == 400


async def test_a_text_in_pieces_is_looked_at_as_a_whole_at_the_end(run_agent, open_gateway, plugin_folder) -> None:
    plugin_folder.install("whole", GUARD.replace("MARK", "one two three"), kind="guard")
    agent = await run_agent()
    gateway = await open_gateway(plugins={"whole": {}}, agents={"echo": {"url": agent.url}})
    _, _, raw = await post(gateway, "/a2a/echo/v1/message:stream", plain("pieces"))
    assert raw.rstrip().splitlines()[-2] == "event: error"
    assert "WITHHELD" in raw.splitlines()[-2]


async def test_a_message_leaves_one_record_that_tells_no_text(run_agent, open_gateway, guarded) -> None:
    import asyncio
    import sys

    agent = await run_agent()
    gateway = await open_gateway(plugins=guarded, agents={"echo": {"url": agent.url, "price": "0.25"}})
    events = sys.modules["fixture_guarding"].Fixture.events
    events.clear()
    async with connected(gateway) as client, connected(gateway, streaming=True) as streaming:
        task = (await everything(client, message("some private words")))[0].task
        await everything(streaming, message("more private words"))
        await everything(client, message("fail now"))
        await client.get_task(GetTaskRequest(id=task.id))
    await post(gateway, "/a2a/echo", rpc("SendMessage", plain("forbidden")))
    async with asyncio.timeout(20):
        while len(events) < 4:
            await asyncio.sleep(0.02)
    told = [event.payload for event in events]
    assert sorted(each["outcome"] for each in told) == ["ok", "ok", "refused", "tool_error"]
    for each in told:
        assert (each["protocol"], each["server"], each["tool"]) == ("a2a", "echo", "message/send")
        facts = each["attributes"]
        assert facts.keys() <= FACTS.keys()
        assert (facts["delegation"], facts["protocol_version"], facts["agent_version"]) == ("none", "1.0", "7.1")
        assert (facts["upstream_transport"], facts["upstream_address"]) == ("tcp", "127.0.0.1")
        assert facts["agent_id"]
    wire = [(each["attributes"]["method"], each["attributes"].get("task_state")) for each in told]
    assert sorted(wire, key=str) == [
        ("SendMessage", "TASK_STATE_COMPLETED"),
        ("SendMessage", "TASK_STATE_FAILED"),
        ("SendMessage", None),
        ("SendStreamingMessage", "TASK_STATE_COMPLETED"),
    ]
    known = {each["attributes"].get("task_id"): each["attributes"].get("conversation_id") for each in told}
    assert known[task.id] == task.context_id
    assert "private" not in json.dumps(told)
