"""V13 over MCP and A2A: the id of somebody else's session or task is answered as one that does not exist, and nobody
behind the gateway hears of it.

Request states of others are tried in `plugins/mcp/tests/door/test_bridge.py`, consents and connections in
`plugins/oauth/tests/pages`, agents that a caller may not use in `plugins/a2a/tests/test_cards.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .attacks import Bed
from .attacks_on_tools import rpc, session, task, with_tools
from .conftest import Govern
from .tool_field import say

ANN, EVE = "person-ann", "person-eve"
NOBODYS = "no-such-task"
HOOK = {"url": "https://hooks.example/x", "id": "h"}
OPERATIONS = {
    "GetTask": {},
    "CancelTask": {},
    "SubscribeToTask": {},
}
OF_HOOKS = {
    "CreateTaskPushNotificationConfig": {**HOOK},
    "GetTaskPushNotificationConfig": {"id": "h"},
    "ListTaskPushNotificationConfigs": {},
    "DeleteTaskPushNotificationConfig": {"id": "h"},
}


@pytest_asyncio.fixture
async def bed(
    gateway: StartGateway,
    govern: Govern,
    scripted_upstream: ScriptedUpstream,
    plugin_folder: PluginFolder,
    tmp_path: Path,
) -> AsyncIterator[Bed]:
    async with AsyncExitStack() as stack:
        made = Bed(
            gateway, govern, scripted_upstream, scripted_upstream, plugin_folder, tmp_path, kept={"stack": stack}
        )
        await with_tools(made)
        yield made


async def test_a_session_of_another_caller_is_none(bed: Bed) -> None:
    anns = await session(bed.gateway, ANN)
    eves = await session(bed.gateway, EVE)
    broken = eves[:-4] + ("AAAA" if eves[-4:] != "AAAA" else "BBBB")
    for method in ("tools/list", "ping", "logging/setLevel", "resources/subscribe"):
        theirs = await rpc(bed.gateway, "/s/mcp", EVE, method, session=anns)
        nothing = await rpc(bed.gateway, "/s/mcp", EVE, method, session=broken)
        assert (theirs[0], theirs[2]) == (nothing[0], nothing[2]), method
        assert theirs[0] == 404
    headers = {"authorization": f"Bearer {EVE}", "mcp-session-id": anns}
    for method in ("DELETE", "GET"):
        told = {**headers, "accept": "text/event-stream", "mcp-protocol-version": "2025-11-25"}
        async with bed.gateway.session.request(method, "/s/mcp", headers=told) as response:
            assert response.status == 404, method
    assert (await rpc(bed.gateway, "/s/mcp", ANN, "tools/list", session=anns))[0] == 200
    assert (await rpc(bed.gateway, "/mcp", ANN, "tools/list", session=anns))[0] == 404, "it is of another face"


async def test_a_task_of_another_caller_is_none(bed: Bed) -> None:
    _, said = await say(bed.gateway, {"text": "a task"}, key=ANN)
    assert "task-of-the-agent" in said
    before = len(bed.kept["agent"].heard)
    for method, params in (*OPERATIONS.items(), *OF_HOOKS.items()):
        answers = []
        for id in ("task-of-the-agent", NOBODYS):
            named = {**params, "taskId": id} if method in OF_HOOKS else {**params, "id": id}
            own = named.pop("id", id)
            status, text = await task(bed.gateway, EVE, method, own, **named)
            answers.append((status, text.replace(id, "ID")))
        assert answers[0] == answers[1], method
        assert '"error"' in answers[0][1], (method, answers[0])
    assert len(bed.kept["agent"].heard) == before
    assert '"error"' not in (await task(bed.gateway, ANN, "GetTask", "task-of-the-agent"))[1]
