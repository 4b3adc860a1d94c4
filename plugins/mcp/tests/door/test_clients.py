"""Unmodified clients of the field reach servers of both eras through the door."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from mcp import Client
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

from routeiq_mcp.seams import Json, Peer

from .scripted import ScriptedFace, serving, text
from .test_bridge import face as asking

Mode = Literal["auto", "legacy"]


async def elicited(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "Ada"})


async def sampled(context: Any, params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="hi"), model="m")


async def roots(context: Any) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///a")])


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("tool", ["old", "new"])
async def test_the_sdks_client_is_asked_by_servers_of_both_eras(mode: Mode, tool: str, replicas: int) -> None:
    async with serving(asking(), replicas=replicas) as world:
        client = Client(
            f"{world.url}/mcp",
            mode=mode,
            elicitation_callback=elicited,
            sampling_callback=sampled,
            list_roots_callback=roots,
        )
        async with client:
            assert sorted(found.name for found in (await client.list_tools()).tools) == ["echo", "new", "old"]
            result = await client.call_tool(tool, {})
            assert isinstance(result.content[0], TextContent)
            assert result.content[0].text == "Ada 1"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_sdks_client_hears_progress_and_changes(mode: Mode) -> None:
    scripted = ScriptedFace()

    async def steps(params: Json, peer: Peer) -> Json:
        for step in range(3):
            await peer.notify(
                "notifications/progress", {"progressToken": params["_meta"]["progressToken"], "progress": step}
            )
        return text("done")

    scripted.tools["steps"] = steps
    async with serving(scripted, replicas=2) as world, Client(f"{world.url}/mcp", mode=mode) as client:
        heard: list[float] = []
        all_heard = asyncio.Event()

        async def told(progress: float, total: float | None, message: str | None) -> None:
            heard.append(progress)
            if len(heard) == 3:
                all_heard.set()

        await client.call_tool("steps", {}, progress_callback=told)
        async with asyncio.timeout(5):
            await all_heard.wait()
        assert heard == [0, 1, 2]
