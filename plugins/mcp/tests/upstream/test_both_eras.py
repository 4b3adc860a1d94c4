"""One server, whatever era it speaks: the same words come out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import Scope

from routeiq_mcp.seams import McpError

from .conftest import Serve
from .parts import Client, caller, text_of
from .servers import MemoryEvents, legacy_only, modern_only

ERAS = pytest.mark.parametrize("era", ["legacy", "modern", "both"])


@ERAS
async def test_a_tool_is_listed_and_called(serve: Serve, era: str) -> None:
    async with serve(era) as field:
        facts = await field.upstream.facts(caller())
        assert (facts.era, facts.info["name"]) == ("legacy" if era == "legacy" else "modern", "field")
        assert "tools" in facts.capabilities
        assert facts.instructions == "Be kind."
        listed = await field.upstream.request(caller(), "tools/list", {}, Client())
        assert {"add", "steps"} <= {tool["name"] for tool in listed["tools"]}
        assert listed["resultType"] == "complete"
        result = await field.upstream.request(
            caller(), "tools/call", {"name": "add", "arguments": {"a": 20, "b": 22}}, Client()
        )
        assert text_of(result) == "42"
        assert result["resultType"] == "complete"
        assert not any(key.startswith("io.modelcontextprotocol/") for key in result.get("_meta", {}))
        health = field.upstream.health
        assert (health.calls, health.errors, health.era) == (3, 0, facts.era)
        assert health.last_seen_at is not None


@ERAS
async def test_the_era_is_asked_for_once(serve: Serve, era: str) -> None:
    async with serve(era) as field:
        await asyncio.gather(*(field.upstream.request(caller(), "tools/list", {}, Client()) for _ in range(10)))
        assert len(field.recorder.of("server/discover")) == 1
        assert len(field.recorder.of("initialize")) == (1 if era == "legacy" else 0)


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_progress_reaches_the_client_whose_token_it_names(serve: Serve, era: str) -> None:
    async with serve(era) as field:
        client = Client()
        params = {"name": "steps", "arguments": {"count": 3}, "_meta": {"progressToken": "mine"}}
        assert text_of(await field.upstream.request(caller(), "tools/call", params, client)) == "done"
        assert client.progress() == [0, 1, 2]
        assert {params["progressToken"] for _, params in client.told} == {"mine"}


async def test_a_legacy_server_asks_and_is_answered(serve: Serve) -> None:
    async def answer(method: str, params: object) -> dict[str, object]:
        assert method == "elicitation/create"
        return {"action": "accept", "content": {"name": "Ada"}}

    async with serve("legacy") as field:
        client = Client(answer)
        result = await field.upstream.request(caller(), "tools/call", {"name": "greet", "arguments": {}}, client)
        assert text_of(result) == "hello Ada"
        assert [method for method, _ in client.asked] == ["elicitation/create"]


async def test_a_legacy_server_asks_on_the_sessions_own_stream_and_each_caller_is_asked_their_own(serve: Serve) -> None:
    async with serve("legacy") as field:

        async def greeted(name: str) -> str:
            async def answer(method: str, params: object) -> dict[str, object]:
                return {"action": "accept", "content": {"name": name}}

            client, params = Client(answer), {"name": "greet_aside", "arguments": {}}
            return text_of(await field.upstream.request(caller(name), "tools/call", params, client))

        names = ["Ada", "Bob", "Eve"]
        for _ in range(2):
            assert await asyncio.gather(*map(greeted, names)) == [f"hello {name}" for name in names]
        assert len([seen for seen in field.recorder.seen if seen.method == "GET"]) == len(names)


async def test_a_server_without_such_a_stream_is_asked_for_it_once(serve: Serve) -> None:
    async with serve("legacy") as field:
        gate = field.recorder.gate
        assert gate is not None
        field.recorder.gate = lambda scope, rpc: JSONResponse({}, 405) if scope["method"] == "GET" else gate(scope, rpc)
        for _ in range(3):
            params = {"name": "add", "arguments": {"a": 1, "b": 1}}
            assert text_of(await field.upstream.request(caller(), "tools/call", params, Client())) == "2"
        assert len([seen for seen in field.recorder.seen if seen.method == "GET"]) == 1


async def test_nobody_hears_a_server_for_a_client_that_cannot_be_asked(serve: Serve) -> None:
    async with serve("legacy") as field:
        params = {"name": "add", "arguments": {"a": 1, "b": 1}}
        await field.upstream.request(caller(), "tools/call", params, Client(capabilities={}))
        assert [seen for seen in field.recorder.seen if seen.method == "GET"] == []


async def test_the_wait_for_the_users_answer_is_not_the_servers_silence(serve: Serve) -> None:
    async def answer(method: str, params: object) -> dict[str, object]:
        await asyncio.sleep(0.6)
        return {"action": "accept", "content": {"name": "Ada"}}

    async with serve("legacy", timeout_seconds=0.4) as field:
        result = await field.upstream.request(
            caller(), "tools/call", {"name": "greet", "arguments": {}}, Client(answer)
        )
        assert text_of(result) == "hello Ada"


async def test_a_client_that_declines_is_told_to_the_server(serve: Serve) -> None:
    async with serve("legacy") as field:
        with pytest.raises(McpError, match="User rejected"):
            await field.upstream.request(caller(), "tools/call", {"name": "greet", "arguments": {}}, Client())


async def test_what_a_modern_server_needs_is_returned_as_it_is(serve: Serve) -> None:
    needs = {
        "resultType": "input_required",
        "inputRequests": {"who": {"method": "elicitation/create", "params": {"message": "who?"}}},
        "requestState": "opaque",
        "unheardOf": {"kept": True},
    }

    def asks(scope: Scope, rpc: dict[str, Any]) -> JSONResponse | None:
        if rpc.get("method") != "tools/call":
            return None
        complete = {"resultType": "complete", "content": [{"type": "text", "text": "3"}]}
        result = complete if "inputResponses" in rpc["params"] else needs
        return JSONResponse({"jsonrpc": "2.0", "id": rpc["id"], "result": result})

    async with serve("modern") as field:
        await field.upstream.facts(caller())
        field.recorder.gate = asks
        params = {"name": "add", "arguments": {"a": 1, "b": 2}}
        assert await field.upstream.request(caller(), "tools/call", params, Client()) == needs
        again = {**params, "inputResponses": {"who": {"action": "accept"}}, "requestState": "opaque"}
        assert text_of(await field.upstream.request(caller(), "tools/call", again, Client())) == "3"
        assert field.recorder.of("tools/call")[-1].rpc["params"]["requestState"] == "opaque"


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_an_error_of_the_server_passes_as_it_is(serve: Serve, era: str) -> None:
    async with serve(era) as field:
        with pytest.raises(McpError) as caught:
            await field.upstream.request(caller(), "no/such/method", {}, Client())
        assert caught.value.code == -32601
        failed = await field.upstream.request(caller(), "tools/call", {"name": "fails", "arguments": {}}, Client())
        assert failed["isError"] is True
        assert field.upstream.health.errors == 0


@pytest.mark.parametrize(("before", "after"), [("legacy", "modern"), ("modern", "legacy")])
async def test_a_server_that_changes_its_era_is_noticed(serve: Serve, before: str, after: str) -> None:
    gates = {"legacy": legacy_only, "modern": modern_only}
    async with serve(before) as field:
        await field.upstream.request(caller(), "tools/list", {}, Client())
        assert field.upstream.health.era == before
        field.recorder.gate = gates[after]
        result = await field.upstream.request(
            caller(), "tools/call", {"name": "add", "arguments": {"a": 1, "b": 1}}, Client()
        )
        assert text_of(result) == "2"
        assert field.upstream.health.era == after


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
async def test_a_pinned_version_is_spoken_without_asking(serve: Serve, version: str) -> None:
    async with serve("both", protocol_version=version) as field:
        await field.upstream.request(caller(), "tools/list", {}, Client())
        assert field.recorder.of("server/discover") == []
        (listed,) = field.recorder.of("tools/list")
        assert listed.headers["mcp-protocol-version"] == version
        assert field.upstream.health.version == version


async def test_a_caller_who_goes_away_cancels_a_legacy_request(serve: Serve) -> None:
    async with serve("legacy") as field:
        asking = asyncio.ensure_future(
            field.upstream.request(caller(), "tools/call", {"name": "waits", "arguments": {}}, Client())
        )
        async with asyncio.timeout(10):
            await field.mind.started.wait()
            asking.cancel()
            await field.mind.cancelled.wait()
        (told,) = field.recorder.of("notifications/cancelled")
        (called,) = field.recorder.of("tools/call")
        assert told.rpc["params"]["requestId"] == called.rpc["id"]
        assert told.headers["mcp-session-id"] == called.headers["mcp-session-id"]


async def test_a_caller_who_goes_away_closes_a_modern_request(serve: Serve) -> None:
    async with serve("modern") as field:
        asking = asyncio.ensure_future(
            field.upstream.request(caller(), "tools/call", {"name": "waits", "arguments": {}}, Client())
        )
        async with asyncio.timeout(10):
            await field.mind.started.wait()
            asking.cancel()
            await field.mind.cancelled.wait()
        assert field.recorder.of("notifications/cancelled") == []


async def test_a_stream_that_broke_off_is_taken_up_where_it_ended(serve: Serve) -> None:
    app = {"event_store": MemoryEvents(), "retry_interval": 150}
    async with serve("legacy", app) as field:
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await field.upstream.request(caller(), "tools/call", {"name": "breaks_off", "arguments": {}}, Client())
        assert text_of(result) == "resumed"
        assert [one for one in field.recorder.seen if one.method == "GET" and "last-event-id" in one.headers]
        assert loop.time() - began >= 0.15, "the server asked for a pause"


async def test_sessions_are_ended_at_close(serve: Serve) -> None:
    async with serve("legacy") as field:
        await field.upstream.request(caller("alice"), "tools/list", {}, Client())
        await field.upstream.request(caller("bob"), "tools/list", {}, Client())
        await field.upstream.close()
        ended = {one.headers["mcp-session-id"] for one in field.recorder.seen if one.method == "DELETE"}
        assert ended == {one.headers["mcp-session-id"] for one in field.recorder.of("tools/list")}
        assert len(ended) == 2


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_notifications_without_a_request_are_heard(serve: Serve, era: str) -> None:
    async with serve(era) as field, asyncio.timeout(20):
        heard: list[str] = []
        listening = asyncio.Event()

        async def listen() -> None:
            listening.set()
            async for method, params in field.upstream.listen(caller(), {"toolsListChanged": True}):
                assert "io.modelcontextprotocol/subscriptionId" not in params.get("_meta", {})
                heard.append(method)
                return

        await field.upstream.request(caller(), "tools/list", {}, Client())
        task = asyncio.ensure_future(listen())
        await listening.wait()
        wanted = "subscriptions/listen" if era == "modern" else "GET"
        while not any(wanted in (one.method, one.rpc.get("method")) for one in field.recorder.seen):
            await asyncio.sleep(0.01)
        while not task.done():  # the stream opens when it opens: the first change may come before
            await field.upstream.request(caller(), "tools/call", {"name": "changes", "arguments": {}}, Client())
            await asyncio.sleep(0.02)
        await task
        assert heard == ["notifications/tools/list_changed"]
