"""A modern request stands alone: its headers agree with its body, its result says all that the era asks for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_sdk import RequestError

from .scripted import MODERN, ScriptedFace, ask, envelope, frames, serving, text


async def test_a_call_is_answered_with_json_and_what_the_era_asks_for() -> None:
    async with serving() as world, world.client() as client:
        answer = await ask(client, "tools/call", {"name": "echo", "arguments": {"a": 1}, "unknown": [1]}, id="x-1")
        assert answer.headers["content-type"] == "application/json"
        said = answer.json()
        assert said["id"] == "x-1"
        assert said["result"]["resultType"] == "complete"
        method, params = world.face.asked[-1]
        assert (method, params) == ("tools/call", {"name": "echo", "arguments": {"a": 1}, "unknown": [1]})
        listed = (await ask(client, "tools/list")).json()["result"]
        assert (listed["ttlMs"], listed["cacheScope"]) == (0, "private")
        kept = (await ask(client, "prompts/list")).json()["result"]
        assert (kept["ttlMs"], kept["cacheScope"]) == (5000, "public")


async def test_what_a_user_put_into_meta_passes_and_the_envelope_does_not() -> None:
    async with serving() as world, world.client() as client:
        await ask(client, "tools/call", {"name": "echo"}, progressToken=7, traceparent="00-a-b-01")
        assert world.face.asked[-1][1]["_meta"] == {"progressToken": 7, "traceparent": "00-a-b-01"}


@pytest.mark.parametrize("id", ["a", 1, 0, -5, 1.5, ""])
async def test_an_id_comes_back_as_it_was(id: Any) -> None:
    async with serving() as world, world.client() as client:
        said = (await ask(client, "tools/list", id=id)).json()
        assert repr(said["id"]) == repr(id)


async def test_discovery_says_versions_capabilities_and_who_it_is() -> None:
    async with serving() as world, world.client() as client:
        result = (await ask(client, "server/discover")).json()["result"]
        assert result["supportedVersions"][0] == MODERN
        assert "2025-11-25" in result["supportedVersions"]
        assert result["capabilities"]["tools"] == {"listChanged": True}
        assert result["_meta"]["io.modelcontextprotocol/serverInfo"] == {"name": "scripted", "version": "1"}
        assert (result["resultType"], result["instructions"]) == ("complete", "Do as the script says.")
        assert "mcp-session-id" not in (await ask(client, "server/discover")).headers


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp-method": None},
        {"mcp-method": "tools/list"},
        {"mcp-method": "TOOLS/CALL"},
        {"mcp-name": None},
        {"mcp-name": "other"},
        {"mcp-name": "=?base64?ZWNobw?="},
        {"mcp-protocol-version": None},
        {"mcp-protocol-version": "2025-11-25"},
    ],
)
async def test_headers_that_do_not_say_what_the_body_says_are_refused(headers: dict[str, str | None]) -> None:
    async with serving() as world, world.client() as client:
        answer = await ask(client, "tools/call", {"name": "echo"}, headers=headers, id=4)
        assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (400, -32020, 4)
        assert world.face.asked == []


async def test_a_routing_header_sent_twice_is_refused() -> None:
    async with serving() as world, world.client() as client:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": envelope()}}
        twice = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/list"), ("Mcp-Method", "tools/call")]
        answer = await client.post("/mcp", json=body, headers=twice)
        assert answer.json()["error"]["code"] == -32020


@pytest.mark.parametrize("name", ["echo", "=?base64?ZWNobw==?="])
async def test_a_name_may_be_written_in_base64(name: str) -> None:
    async with serving() as world, world.client() as client:
        answer = await ask(client, "tools/call", {"name": "echo"}, headers={"mcp-name": name})
        assert answer.status_code == 200, answer.text


SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
    },
}


@pytest.mark.parametrize(
    ("arguments", "headers", "agree"),
    [
        ({"region": "eu"}, {"mcp-param-region": "eu"}, True),
        ({"region": "eu"}, {"mcp-param-region": "=?base64?ZXU=?="}, True),
        ({"region": "eu"}, {"mcp-param-region": "us"}, False),
        ({"region": "eu"}, {"mcp-param-region": "=?base64?ZXU?="}, False),
        ({"region": "eu"}, {}, False),
        ({}, {"mcp-param-region": "eu"}, False),
        ({"region": None}, {}, True),
        ({"deep": {"n": 42}}, {"mcp-param-n": "42.0"}, True),
        ({"deep": {"n": 42}}, {"mcp-param-n": "42.5"}, False),
        ({"deep": {"n": 42}}, {"mcp-param-n": "043"}, False),
        ({}, {"mcp-param-stranger": "x"}, True),
    ],
)
async def test_param_headers_repeat_the_arguments_that_the_schema_says(
    arguments: Json, headers: dict[str, str | None], agree: bool
) -> None:
    face = ScriptedFace()
    face.schemas["echo"] = SCHEMA
    async with serving(face) as world, world.client() as client:
        answer = await ask(client, "tools/call", {"name": "echo", "arguments": arguments}, headers=headers)
        assert (answer.status_code == 200) is agree, answer.text
        if not agree:
            assert answer.json()["error"]["code"] == -32020


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, -32602),
        ({"_meta": {}}, -32602),
        ({"_meta": {"io.modelcontextprotocol/protocolVersion": MODERN}}, -32602),
        ({"_meta": {"io.modelcontextprotocol/clientCapabilities": {}}}, -32602),
        ({"_meta": envelope("2027-01-01")}, -32020),
    ],
)
async def test_an_envelope_that_is_wrong_is_refused(params: Json, code: int) -> None:
    async with serving() as world, world.client() as client:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}
        headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/list"}
        answer = await client.post("/mcp", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (400, code, 1)


async def test_an_unknown_version_hears_which_there_are() -> None:
    async with serving() as world, world.client() as client:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": envelope("v9")}}
        for sent in (body, {**body, "params": {}}):
            answer = await client.post(
                "/mcp", json=sent, headers={"mcp-protocol-version": "v9", "mcp-method": "tools/list"}
            )
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["data"]["requested"]) == (400, -32022, "v9")
            discovered = (await ask(client, "server/discover")).json()["result"]["supportedVersions"]
            assert error["data"]["supported"] == discovered


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"])
async def test_a_method_of_another_era_is_not_found(method: str) -> None:
    async with serving() as world, world.client() as client:
        answer = await ask(client, method, id=9)
        assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (404, -32601, 9)


async def test_a_resource_that_is_not_there_is_an_invalid_param() -> None:
    async with serving() as world, world.client() as client:
        error = (await ask(client, "resources/read", {"uri": "x://y"})).json()["error"]
        assert (error["code"], error["data"]) == (-32602, {"uri": "x://y"})


async def test_notifications_make_an_event_stream_and_logs_only_when_asked_for() -> None:
    face = ScriptedFace()

    async def talk(params: Json, peer: Peer) -> Json:
        await peer.notify("notifications/progress", {"progressToken": 3, "progress": 1})
        await peer.notify("notifications/message", {"level": "info", "data": "hello"})
        await peer.notify("notifications/tools/list_changed", {})
        return text("done")

    face.tools["talk"] = talk
    async with serving(face) as world, world.client() as client:
        quiet = await ask(client, "tools/call", {"name": "talk"})
        assert quiet.headers["content-type"].startswith("text/event-stream")
        assert [frame.get("method", "result") for frame in frames(quiet)] == ["notifications/progress", "result"]
        level: Json = {"io.modelcontextprotocol/logLevel": "debug"}
        loud = frames(await ask(client, "tools/call", {"name": "talk"}, **level))
        assert [frame.get("method", "result") for frame in loud][1] == "notifications/message"


async def test_a_slow_call_gets_a_stream_that_is_kept_open() -> None:
    face = ScriptedFace()
    go = asyncio.Event()

    async def slow(params: Json, peer: Peer) -> Json:
        await go.wait()
        return text("at last")

    face.tools["slow"] = slow
    async with serving(face, json_seconds=0.05, ping_seconds=0.05) as world, world.client() as client:
        asking = asyncio.create_task(ask(client, "tools/call", {"name": "slow"}))
        asyncio.get_running_loop().call_later(0.3, go.set)
        answer = await asking
        assert ": ping" in answer.text
        assert frames(answer)[-1]["result"]["content"][0]["text"] == "at last"


async def test_a_client_that_leaves_ends_its_call() -> None:
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
    async with serving(face, json_seconds=0.05) as world:
        async with world.client() as client:
            asking = asyncio.create_task(ask(client, "tools/call", {"name": "forever"}))
            await begun.wait()
            await asyncio.sleep(0.2)
            asking.cancel()
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_listener_is_acknowledged_first_and_hears_what_it_asked_for() -> None:
    async with serving() as world, world.client() as client:
        wanted = {"toolsListChanged": True, "resourceSubscriptions": ["a://1"], "unknown": True}
        asking = asyncio.create_task(ask(client, "subscriptions/listen", {"notifications": wanted}, id="sub"))
        await world.face.listened(bool)
        world.face.change("notifications/prompts/list_changed")
        world.face.change("notifications/tools/list_changed", {"_meta": {"x": 1}})
        world.face.change("notifications/resources/updated", {"uri": "a://2"})
        world.face.change("notifications/resources/updated", {"uri": "a://1"})
        world.face.end()
        ack, tools, updated, end = frames(await asking)
        stamp = {"io.modelcontextprotocol/subscriptionId": "sub"}
        assert ack["method"] == "notifications/subscriptions/acknowledged"
        assert ack["params"]["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": ["a://1"]}
        assert ack["params"]["_meta"] == stamp
        assert tools["params"]["_meta"] == {"x": 1, **stamp}
        assert updated["params"] == {"uri": "a://1", "_meta": stamp}
        assert (end["id"], end["result"]["resultType"], end["result"]["_meta"]) == ("sub", "complete", stamp)


async def test_listeners_are_bounded_and_their_places_come_back() -> None:
    async with serving(streams=2) as world, world.client() as client:
        wanted = {"notifications": {"toolsListChanged": True}}
        first = [asyncio.create_task(ask(client, "subscriptions/listen", wanted)) for _ in range(2)]
        await world.face.listened(lambda all: len(all) == 2)
        refused = await ask(client, "subscriptions/listen", wanted)
        assert refused.json()["error"]["code"] == -32005
        world.face.end()
        await asyncio.gather(*first)
        again = asyncio.create_task(ask(client, "subscriptions/listen", wanted))
        await world.face.listened(lambda all: len(all) == 1)
        world.face.end()
        assert len(frames(await again)) == 2


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestError(401, "who are you", headers={"www-authenticate": "Bearer x"}), 401, None),
        (RequestError(403, "not you", headers={"www-authenticate": "Bearer y"}), 403, None),
        (RequestError(429, "slowly", headers={"retry-after": "7"}), 200, -32005),
        (RequestError(400, "unsafe", type="content_policy_violation"), 200, -32003),
        (RequestError(503, "away"), 200, -32004),
        (McpError(-32602, "wrong"), 400, -32602),
        (McpError(-32002, "gone", {"uri": "a"}), 400, -32602),
        (ZeroDivisionError("a secret"), 200, -32603),
    ],
)
async def test_a_refusal_is_told_as_the_protocol_tells_it(error: Exception, status: int, code: int | None) -> None:
    face = ScriptedFace()
    face.failure = error
    async with serving(face) as world, world.client() as client:
        for method, params in (("tools/call", {"name": "echo"}), ("server/discover", {})):
            answer = await ask(client, method, params, id=5)
            assert answer.status_code == status
            assert "secret" not in answer.text
            if code is None:
                assert answer.headers["www-authenticate"] == error.headers["www-authenticate"]  # type: ignore[attr-defined]
            else:
                said = answer.json()
                assert (said["id"], said["error"]["code"]) == (5, code)
                if code == -32005:
                    assert said["error"]["data"]["retryAfter"] == 7


async def test_what_went_wrong_is_logged_by_its_place_and_never_by_its_text(caplog: pytest.LogCaptureFixture) -> None:
    face = ScriptedFace()

    async def fails(params: Json, peer: Peer) -> Json:
        raise KeyError(params["arguments"]["password"])

    face.tools["fails"] = fails
    async with serving(face) as world, world.client() as client:
        answer = await ask(client, "tools/call", {"name": "fails", "arguments": {"password": "hunter2"}})
        assert answer.json()["error"] == {"code": -32603, "message": "internal error"}
        assert "hunter2" not in caplog.text
        assert "KeyError at test_modern.py" in caplog.text


async def test_what_is_no_single_request_is_refused() -> None:
    async with serving() as world, world.client() as client:
        headers = {"mcp-protocol-version": MODERN}
        for body in (
            b"[]",
            b"1",
            b'{"jsonrpc":"2.0","id":1,"result":{}}',
            b'{"id":1,"method":"x"}',
            b'{"jsonrpc":"2.0","id":null,"method":"x"}',
            b'{"jsonrpc":"2.0","id":true,"method":"x"}',
            b'{"jsonrpc":"2.0","id":1,"method":"x","params":[]}',
        ):
            answer = await client.post("/mcp", content=body, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (400, -32600, None)
        deep = b"[" * 100_000
        for body in (b"{", b"\xff", deep, b'"\\ud800"'):
            answer = await client.post("/mcp", content=body, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)
        told = await client.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/cancelled"}, headers=headers)
        assert (told.status_code, told.content) == (202, b"")


async def test_only_post_is_there_and_both_forms_have_to_be_accepted() -> None:
    async with serving() as world, world.client() as client:
        for answer in (
            await client.get("/mcp", headers={"mcp-protocol-version": MODERN}),
            await client.delete("/mcp", headers={"mcp-protocol-version": MODERN}),
        ):
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        for accept in ("application/json", "text/event-stream", "text/html", ""):
            assert (await ask(client, "tools/list", headers={"accept": accept})).status_code == 406
        assert (await ask(client, "tools/list", headers={"accept": "*/*"})).status_code == 200
        assert (await ask(client, "tools/list", headers={"content-type": "text/plain"})).status_code == 415
        assert (await ask(client, "tools/list", path="/nobody/mcp")).status_code == 404


async def test_faces_at_paths_are_told_apart() -> None:
    other = ScriptedFace("other")
    async with serving(names={"other": other}) as world, world.client() as client:
        assert (await ask(client, "tools/list", path="/other/mcp")).status_code == 200
        assert (len(other.asked), len(world.face.asked)) == (1, 0)
        assert json.dumps(other.asked[0][1]) == "{}"
