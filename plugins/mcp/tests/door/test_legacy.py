"""A legacy session is in its id: any replica answers it, nobody else can use it, and it ends when it is ended."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_sdk import RequestError
from routeiq_sdk.values.delegation import ConsentNeeded

from .scripted import ScriptedFace, ask, frames, initialize, legacy, serving, text

VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_initialize_agrees_on_a_version_and_opens_a_session(version: str) -> None:
    async with serving() as world, world.client() as client:
        session = await initialize(client, version)
        assert len(session) < 2048
        assert all("!" <= letter <= "~" for letter in session)
        told = await client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (told.status_code, told.content) == (202, b"")
        answer = await legacy(client, "tools/call", {"name": "echo", "arguments": {"a": 1}, "x": 2})
        assert answer.json() == {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {"content": [{"type": "text", "text": '{"a": 1}'}]},
        }
        assert world.face.asked[-1] == ("tools/call", {"name": "echo", "arguments": {"a": 1}, "x": 2})
        assert (await legacy(client, "ping")).json()["result"] == {}


async def test_a_version_nobody_knows_is_answered_with_the_newest() -> None:
    async with serving() as world, world.client() as client:
        params = {"protocolVersion": "2099-01-01", "capabilities": {}, "clientInfo": {"name": "x", "version": "0"}}
        body = {"jsonrpc": "2.0", "id": "i", "method": "initialize", "params": params}
        result = (await client.post("/mcp", json=body)).json()["result"]
        assert result["protocolVersion"] == "2025-11-25"
        assert result["serverInfo"] == {"name": "scripted", "version": "1"}
        assert result["instructions"] == "Do as the script says."


async def test_a_modern_result_loses_what_a_legacy_client_does_not_know() -> None:
    async with serving() as world, world.client() as client:
        await initialize(client)
        assert (await legacy(client, "prompts/list")).json()["result"] == {"prompts": []}


async def test_a_session_is_answered_by_any_replica_and_only_for_who_opened_it() -> None:
    other = ScriptedFace("other")
    async with serving(replicas=2, names={"other": other}) as world, world.client() as client:
        session = await initialize(client)
        for _ in range(4):
            assert (await legacy(client, "tools/list")).status_code == 200
        assert set(world.served) == {0, 1}
        async with world.client(**{"x-caller": "else", "mcp-session-id": session}) as stranger:
            answer = await legacy(stranger, "tools/list")
            assert answer.status_code == 404
            assert (await stranger.delete("/mcp")).status_code == 404
            assert (await stranger.get("/mcp")).status_code == 404
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert (await client.post("/other/mcp", json=body)).status_code == 404
        assert (await legacy(client, "tools/list")).status_code == 200


async def test_a_session_that_was_ended_is_gone_at_every_replica() -> None:
    async with serving(replicas=2) as world, world.client() as client:
        await initialize(client)
        world.only = 0
        assert (await client.delete("/mcp")).status_code == 204
        world.only = 1
        assert (await legacy(client, "tools/list")).status_code == 404
        assert (await client.delete("/mcp")).status_code == 404


async def test_the_end_of_a_session_is_told_without_its_id() -> None:
    async with serving() as world, world.client() as client:
        id = await initialize(client)
        world.gateway.clock.advance(90)
        assert (await client.delete("/mcp")).status_code == 204
        assert (await client.delete("/mcp")).status_code == 404
        (event,) = world.gateway.events
        told = event.payload
        assert event.name == "routeiq.tool_session.v1"
        assert (told["side"], told["ended_by"], told["principal"]) == ("server", "client", "somebody")
        assert (told["duration_ms"], told["protocol_version"]) == (90_000.0, "2025-11-25")
        assert told["session_sha256"] == hashlib.sha256(id.encode()).hexdigest()[:16]
        assert id not in str(told)


async def test_a_request_tells_its_session_and_its_id_for_the_record() -> None:
    async def facts(params: Any, peer: Any) -> Any:
        return text(json.dumps(dict(peer.facts)))

    face = ScriptedFace()
    face.tools["facts"] = facts
    async with serving(face) as world, world.client() as client:
        id = await initialize(client)
        answer = await legacy(client, "tools/call", {"name": "facts", "arguments": {}}, id="q" * 200)
        told = json.loads(answer.json()["result"]["content"][0]["text"])
        assert told == {
            "protocol_version": "2025-11-25",
            "request_id": "q" * 64,
            "session_sha256": hashlib.sha256(id.encode()).hexdigest()[:16],
        }
    async with serving(face) as world, world.client() as client:
        answer = await ask(client, "tools/call", {"name": "facts", "arguments": {}})
        told = json.loads(answer.json()["result"]["content"][0]["text"])
        assert told == {"protocol_version": "2026-07-28", "request_id": "1"}


async def test_a_session_expires() -> None:
    async with serving(session_seconds=60) as world, world.client() as client:
        await initialize(client)
        world.gateway.clock.advance(61)
        assert (await legacy(client, "tools/list")).status_code == 404


async def test_without_a_session_and_with_a_broken_one() -> None:
    async with serving() as world, world.client() as client:
        assert (await legacy(client, "tools/list")).status_code == 400
        session = await initialize(client)
        for wrong in ("x", "", session[:-1], session + "A", session[:-4] + "AAAA", "=" * 50):
            client.headers["mcp-session-id"] = wrong
            answer = await legacy(client, "tools/list")
            assert answer.status_code == 404, wrong
        client.headers["mcp-session-id"] = session
        assert (await client.post("/mcp", content=b"{", headers={})).status_code == 400
        client.headers["mcp-protocol-version"] = "1999-01-01"
        answer = await legacy(client, "tools/list")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32022)


async def test_ten_thousand_sessions_leave_nothing_behind() -> None:
    async with serving() as world:
        sessions = world.doors[0]._legacy._sessions
        ids = {
            sessions.open("a", "2025-11-25", {"elicitation": {}}, {"name": "n", "version": "1"})[0]
            for _ in range(10_000)
        }
        assert len(ids) == 10_000
        assert all(sessions.read(id, "a").capabilities == {"elicitation": {}} for id in ids)
        assert [entry async for entry in world.gateway.state.scan("mcp.sessions")] == []


async def test_a_client_that_says_much_of_itself_gets_a_short_id_that_knows_what_matters() -> None:
    async with serving() as world, world.client() as client:
        capabilities = {
            "elicitation": {"url": {}, "form": {}, "more": "x" * 9000},
            "sampling": {"tools": {}},
            "roots": {"listChanged": True},
            "experimental": {"y" * 5000: {}},
        }
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "n" * 500, "version": "1", "icons": ["z" * 5000]},
        }
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        session = (await client.post("/mcp", json=body)).headers["mcp-session-id"]
        assert len(session) < 2048
        read = world.doors[0]._legacy._sessions.read(session, "8 somebody\nmcp")
        assert read.capabilities == {
            "elicitation": {"form": {}, "url": {}},
            "sampling": {"tools": {}},
            "roots": {"listChanged": True},
        }


async def test_the_log_level_of_a_session_holds_at_every_replica() -> None:
    face = ScriptedFace()

    async def log(params: Json, peer: Peer) -> Json:
        for level in ("debug", "info", "error"):
            await peer.notify("notifications/message", {"level": level, "data": level})
        return text(str(peer.log_level))

    face.tools["log"] = log
    async with serving(face, replicas=2) as world, world.client() as client:
        await initialize(client)

        async def heard() -> list[str]:
            answer = await legacy(client, "tools/call", {"name": "log"})
            return [frame["params"]["data"] for frame in frames(answer) if "method" in frame]

        assert await heard() == ["info", "error"]
        world.only = 0
        assert (await legacy(client, "logging/setLevel", {"level": "error"})).json()["result"] == {}
        world.only = 1
        assert await heard() == ["error"]
        assert (await legacy(client, "logging/setLevel", {"level": "loud"})).json()["error"]["code"] == -32602


@pytest.mark.parametrize("replicas", [1, 2])
async def test_a_cancelled_request_ends_wherever_the_cancellation_arrives(replicas: int) -> None:
    face = ScriptedFace()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def forever(params: Json, peer: Peer) -> Json:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    face.tools["forever"] = forever
    async with serving(face, replicas=replicas) as world, world.client() as client:
        await initialize(client)
        world.only = 0
        asking = asyncio.create_task(legacy(client, "tools/call", {"name": "forever"}, id="c"))
        await begun.wait()
        world.only = replicas - 1
        async with world.client(**{"x-caller": "else"}) as stranger:
            await initialize(stranger)
            cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "c"}}
            assert (await stranger.post("/mcp", json=cancel)).status_code == 202
        assert not ended.is_set()
        assert (await client.post("/mcp", json=cancel)).status_code == 202
        async with asyncio.timeout(5):
            await ended.wait()
            said = frames(await asking)
        assert (said[-1]["id"], said[-1]["error"]["code"]) == ("c", -32800)


async def test_only_2025_03_26_has_batches() -> None:
    async with serving() as world, world.client() as client:
        batch: list[Any] = [
            {"jsonrpc": "2.0", "id": 1, "method": "ping"},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "echo"}},
            {"jsonrpc": "2.0", "id": 3, "method": "no/such"},
        ]
        for version in VERSIONS:
            await initialize(client, version)
            answer = await client.post("/mcp", json=batch)
            if version != "2025-03-26":
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
                continue
            assert [(said["id"], "result" in said) for said in answer.json()] == [(1, True), (2, True), (3, False)]
            assert (await client.post("/mcp", json=batch[1:2])).status_code == 202
            for wrong in ([], [1], [{**batch[0], "method": "initialize"}], batch * 50):
                assert (await client.post("/mcp", json=wrong)).status_code == 400


async def test_the_stream_of_a_session_tells_changes_and_what_was_subscribed_at_any_replica() -> None:
    async with serving(replicas=2) as world, world.client() as client:
        await initialize(client)
        world.only = 0
        async with client.stream("GET", "/mcp") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            await world.face.listened(bool)
            world.only = 1
            assert (await legacy(client, "resources/subscribe", {"uri": "a://1"})).json()["result"] == {}
            await world.face.listened(lambda all: bool(all) and all[0]["resourceSubscriptions"] == ["a://1"])
            world.face.change("notifications/resources/updated", {"uri": "a://2"})
            world.face.change("notifications/resources/updated", {"uri": "a://1"})
            world.face.change("notifications/tools/list_changed")
            lines = (line.removeprefix("data: ") async for line in stream.aiter_lines() if line.startswith("data: "))
            first, second = json.loads(await anext(lines)), json.loads(await anext(lines))
            assert first == {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "a://1"}}
            assert second == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
            await legacy(client, "resources/unsubscribe", {"uri": "a://1"})
            await world.face.listened(lambda all: bool(all) and all[0]["resourceSubscriptions"] == [])
            assert (await client.delete("/mcp")).status_code == 204
            assert [line async for line in lines] == []  # the stream ends with its session
        await world.face.listened(lambda all: not all)


async def test_a_second_stream_takes_the_place_of_the_first() -> None:
    async with serving(replicas=2) as world, world.client() as client:
        await initialize(client)
        for second in (0, 1):
            world.only = 0
            async with client.stream("GET", "/mcp") as first:
                await world.face.listened(lambda all: len(all) == 1)
                world.only = second
                async with client.stream("GET", "/mcp"):
                    assert [line async for line in first.aiter_lines() if line.startswith("data")] == []
            await world.face.listened(lambda all: not all)


async def test_streams_of_one_caller_are_bounded() -> None:
    async with serving(streams_per_caller=1) as world, world.client() as client:
        await initialize(client)
        async with client.stream("GET", "/mcp"):
            async with world.client() as second:
                await initialize(second)
                assert (await second.get("/mcp")).status_code == 503
            async with world.client(**{"x-caller": "else"}) as other:
                await initialize(other)
                async with other.stream("GET", "/mcp") as stream:
                    assert stream.status_code == 200
        assert (await client.get("/mcp", headers={"accept": "application/json"})).status_code == 406


@pytest.mark.parametrize("replica", [0, 1])
async def test_a_stream_that_broke_is_resumed_at_any_replica(replica: int) -> None:
    face = ScriptedFace()
    go = asyncio.Event()

    async def report(params: Json, peer: Peer) -> Json:
        await peer.notify("notifications/progress", {"progressToken": 1, "progress": 1})
        await go.wait()
        await peer.notify("notifications/progress", {"progressToken": 1, "progress": 2})
        return text("done")

    face.tools["report"] = report
    async with serving(face, replicas=2) as world, world.client() as client:
        await initialize(client)
        world.only = 0
        body = {"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": {"name": "report"}}
        last = ""
        async with client.stream("POST", "/mcp", json=body) as stream:
            primed = False
            async for line in stream.aiter_lines():
                primed = primed or line == "data: "
                if line.startswith("id: "):
                    last = line.removeprefix("id: ")
                if '"progress":1' in line:
                    break
            assert primed
        async with asyncio.timeout(5):
            await world.gone.wait()
        async with world.client(**{"x-caller": "else"}) as stranger:
            await initialize(stranger)
            assert (await stranger.get("/mcp", headers={"last-event-id": last})).status_code == 400
        world.only = replica
        go.set()
        rest = frames(await client.get("/mcp", headers={"last-event-id": last}))
        assert [frame.get("params", frame.get("result")) for frame in rest] == [
            {"progressToken": 1, "progress": 2},
            {"content": [{"type": "text", "text": "done"}]},
        ]
        assert rest[-1]["id"] == 8
        assert (await client.get("/mcp", headers={"last-event-id": last})).status_code == 400


async def test_methods_of_the_other_era_and_errors_in_legacy_words() -> None:
    face = ScriptedFace()

    async def lacking(params: Json, peer: Peer) -> Json:
        raise McpError(-32021, "needs sampling", {"requiredCapabilities": {"sampling": {}}})

    face.tools["lacking"] = lacking
    async with serving(face) as world, world.client() as client:
        await initialize(client)
        for method in ("server/discover", "subscriptions/listen", "no/such"):
            answer = await legacy(client, method, {})
            assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32601)
        error = (await legacy(client, "resources/read", {"uri": "x://y"})).json()["error"]
        assert (error["code"], error["data"]) == (-32002, {"uri": "x://y"})
        assert (await legacy(client, "tools/call", {"name": "lacking"})).json()["error"]["code"] == -32600
        enveloped = await ask(client, "tools/list", headers={"mcp-protocol-version": None})
        assert enveloped.json()["error"]["code"] == -32020


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestError(401, "who", headers={"www-authenticate": "Bearer x"}), 401, None),
        (RequestError(429, "slowly", headers={"retry-after": "7"}), 200, -32005),
        (RequestError(400, "unsafe"), 200, -32003),
        (RuntimeError("a secret"), 200, -32603),
    ],
)
async def test_refusals(error: Exception, status: int, code: int | None) -> None:
    face = ScriptedFace()
    async with serving(face) as world, world.client() as client:
        await initialize(client)
        face.failure = error
        answer = await legacy(client, "tools/list")
        opening = {"protocolVersion": "2025-11-25", "capabilities": {}}
        opened = await legacy(client, "initialize", opening)
        for said in (answer, opened):
            assert said.status_code == status
            assert "secret" not in said.text
            if code is not None:
                assert said.json()["error"]["code"] == code


async def test_consent_for_initialize_names_the_page() -> None:
    face = ScriptedFace()
    face.failure = ConsentNeeded("mcp:x", "https://gw/consent/1", "q1", "Connect x")
    async with serving(face) as world, world.client() as client:
        opened = await legacy(client, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
        error = opened.json()["error"]
        assert "https://gw/consent/1" in error["message"]
        assert error["data"]["elicitations"][0]["url"] == "https://gw/consent/1"
