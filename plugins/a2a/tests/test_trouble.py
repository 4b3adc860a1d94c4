"""Agents that are away, slow, lying, moved, too long, or of another trade: each a clear error in each binding."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from .agents import make_card, served
from .test_cards import plain, rpc

V1 = {"authorization": "Bearer person-ann", "A2A-Version": "1.0"}


class Bad:
    """An agent whose card is right and whose answers are not."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.url = ""
        self.calls = 0
        self.gone = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if "well-known" in scope["path"]:
            card = MessageToDict(make_card(self.url, version="1.0", binding="JSONRPC"))
            await reply(send, 200, json.dumps(card).encode())
            return
        self.calls += 1
        await self.answer(self, scope, receive, send)


async def reply(send: Any, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
    told = [(b"content-type", kind.encode()), *((n.encode(), v.encode()) for n, v in headers.items())]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})


def fixed(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Any:
    async def answer(agent: Bad, scope: Any, receive: Any, send: Any) -> None:
        await reply(send, status, body, kind, **headers)

    return answer


async def hundred_mib(agent: Bad, scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    for _ in range(1600):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def never(agent: Bad, scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    agent.gone.set()


def result(value: Any) -> Any:
    return fixed(200, json.dumps({"jsonrpc": "2.0", "id": "1", "result": value}).encode())


TASK = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_COMPLETED"}}
TROUBLES = {
    "redirect": (fixed(302, b"", location="http://169.254.169.254/"), -32006, 500, "INVALID_AGENT_RESPONSE"),
    "wrong type": (fixed(200, b"<html>", "text/html"), -32006, 500, "INVALID_AGENT_RESPONSE"),
    "no json": (fixed(200, b"{"), -32006, 500, "INVALID_AGENT_RESPONSE"),
    "a list": (fixed(200, b"[]"), -32006, 500, "INVALID_AGENT_RESPONSE"),
    "nothing": (result({}), -32006, 500, "INVALID_AGENT_RESPONSE"),
    "no id": (result({"task": {"status": {}}}), -32006, 500, "INVALID_AGENT_RESPONSE"),
    "wrong shape": (result({"task": {"id": {"a": 1}}}), -32006, 500, "INVALID_AGENT_RESPONSE"),
    "100 MB": (hundred_mib, -32603, 503, "AGENT_UNREACHABLE"),
    "500": (fixed(500, b"secret stack trace", "text/plain"), -32006, 500, "INVALID_AGENT_RESPONSE"),
    "slow": (never, -32603, 504, "AGENT_TIMEOUT"),
    "refuses us": (fixed(401, b"{}"), -32603, 502, "AGENT_REFUSES_CREDENTIALS"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_each_trouble_is_a_clear_error_in_each_binding(open_gateway, trouble) -> None:
    answer, code, status, reason = TROUBLES[trouble]
    bad = Bad(answer)
    async with served(bad) as url:
        bad.url = url
        gateway = await open_gateway(agents={"bad": {"url": url, "timeout": 1.5}}, answer_mib=1)
        async with gateway.session.post("/a2a/bad", json=rpc("SendMessage", plain("hi")), headers=V1) as response:
            assert response.status == 200
            error = (await response.json())["error"]
        assert (error["code"], error["data"][0]["reason"]) == (code, reason)
        async with gateway.session.post("/a2a/bad/v1/message:send", json=plain("hi"), headers=V1) as response:
            assert response.status == status
            rest = (await response.json())["error"]
        assert rest["details"][0]["reason"] == reason
        old = {
            "message": {"messageId": "m", "role": "user", "kind": "message", "parts": [{"kind": "text", "text": "hi"}]}
        }
        headers = {"authorization": "Bearer person-ann"}
        async with gateway.session.post("/a2a/bad", json=rpc("message/send", old), headers=headers) as response:
            legacy = (await response.json())["error"]
        assert legacy["code"] in (code, -32603)
        for told in (error, rest, legacy):
            assert "'bad'" in told["message"]
            assert url not in json.dumps(told)
            assert "secret" not in json.dumps(told)
        assert bad.calls == 3


async def test_a_dead_agent_is_said_to_be_away(open_gateway) -> None:
    gateway = await open_gateway(agents={"dead": {"url": "http://127.0.0.1:9"}})
    async with gateway.session.post("/a2a/dead/v1/message:send", json=plain("hi"), headers=V1) as response:
        assert response.status == 503
        assert "cannot be reached" in (await response.json())["error"]["message"]
    async with gateway.session.get("/health/readiness") as response:
        assert response.status == 200


async def test_a_stream_that_breaks_ends_with_an_error(open_gateway) -> None:
    async def half(agent: Bad, scope: Any, receive: Any, send: Any) -> None:
        event = {"jsonrpc": "2.0", "id": "1", "result": {"task": {**TASK, "status": {"state": "TASK_STATE_WORKING"}}}}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send(
            {"type": "http.response.body", "body": b"data: " + json.dumps(event).encode() + b"\n\n", "more_body": True}
        )
        await send({"type": "http.response.body", "body": b"data: {broken\n\n"})

    bad = Bad(half)
    async with served(bad) as url:
        bad.url = url
        gateway = await open_gateway(agents={"bad": {"url": url}})
        body = rpc("SendStreamingMessage", plain("hi"))
        async with gateway.session.post("/a2a/bad", json=body, headers=V1) as response:
            text = (await response.read()).decode()
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        assert events[0]["result"]["task"]["id"] == "t"
        assert events[-1]["error"]["code"] == -32006
        assert "event: error" in text


async def test_an_event_without_end_is_cut_off(open_gateway) -> None:
    async def endless(agent: Bad, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for _ in range(400):
            await send({"type": "http.response.body", "body": b"data: " + b"x" * 16384, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    bad = Bad(endless)
    async with served(bad) as url:
        bad.url = url
        gateway = await open_gateway(agents={"bad": {"url": url}}, answer_mib=1)
        async with gateway.session.post("/a2a/bad/v1/message:stream", json=plain("hi"), headers=V1) as response:
            assert response.status == 500
            assert (await response.json())["error"]["details"][0]["reason"] == "INVALID_AGENT_RESPONSE"


async def test_a_client_that_goes_away_ends_the_call_of_the_agent(open_gateway) -> None:
    async def trickle(agent: Bad, scope: Any, receive: Any, send: Any) -> None:
        event = {"jsonrpc": "2.0", "id": "1", "result": {"task": {**TASK, "status": {"state": "TASK_STATE_WORKING"}}}}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send(
            {"type": "http.response.body", "body": b"data: " + json.dumps(event).encode() + b"\n\n", "more_body": True}
        )
        await never(agent, scope, receive, send)

    bad = Bad(trickle)
    async with served(bad) as url:
        bad.url = url
        gateway = await open_gateway(agents={"bad": {"url": url}})
        async with gateway.session.post("/a2a/bad/v1/message:stream", json=plain("hi"), headers=V1) as response:
            await response.content.readuntil(b"\n\n")
            response.close()
        async with asyncio.timeout(20):
            await bad.gone.wait()


async def test_an_agent_that_hands_out_anothers_task_is_refused(open_gateway) -> None:
    bad = Bad(result({"task": TASK}))
    async with served(bad) as url:
        bad.url = url
        gateway = await open_gateway(agents={"bad": {"url": url}})
        codes = []
        for person in ("person-ann", "person-bob", "person-ann"):
            headers = {**V1, "authorization": f"Bearer {person}"}
            async with gateway.session.post(
                "/a2a/bad", json=rpc("SendMessage", plain("hi")), headers=headers
            ) as response:
                codes.append((await response.json()).get("error", {}).get("code"))
        assert codes == [None, -32006, None]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'"x"', -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "GetTask"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "GetTask"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "Nothing"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "message/send"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": []}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": 7}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": {"parts": []}}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {"pageSize": 1000}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {"pageToken": "?"}}', -32602),
    ],
)
async def test_a_wrong_request_gets_the_number_that_json_rpc_has_for_it(run_agent, open_gateway, raw, code) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    async with gateway.session.post("/a2a/echo/", data=raw, headers=V1) as response:
        assert response.status == 200
        assert (await response.json())["error"]["code"] == code


async def test_versions_are_told_apart_and_an_unknown_one_is_refused(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    key = {"authorization": "Bearer person-ann"}
    send = rpc("SendMessage", plain("hello"))
    for headers, query, expected in [
        ({"A2A-Version": "1.0"}, "", None),
        ({"A2A-Version": "1.0.7"}, "", None),
        ({}, "?A2A-Version=1.0", None),
        ({}, "", -32009),
        ({"A2A-Version": ""}, "", -32009),
        ({"A2A-Version": "2.0"}, "", -32009),
        ({"A2A-Version": "zero"}, "", -32009),
    ]:
        async with gateway.session.post(f"/a2a/echo{query}", json=send, headers={**key, **headers}) as response:
            assert (await response.json()).get("error", {}).get("code") == expected, (headers, query)
    path = "/a2a/echo/v1/message:send"
    async with gateway.session.post(path, json=plain("x"), headers={**key, "A2A-Version": "9.9"}) as response:
        assert response.status == 400
        assert (await response.json())["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


async def test_http_json_has_its_own_media_type_and_takes_both(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    for kind, status in [("application/a2a+json", 200), ("application/json; charset=utf-8", 200), ("text/plain", 400)]:
        headers = {**V1, "content-type": kind}
        raw = json.dumps(plain("hello"))
        async with gateway.session.post("/a2a/echo/v1/message:send", data=raw, headers=headers) as response:
            assert response.status == status
            assert response.content_type == "application/a2a+json"
    async with gateway.session.post("/a2a/echo/v1/message:stream", json=plain("hello"), headers=V1) as response:
        assert response.content_type == "text/event-stream"


async def test_what_the_agents_card_does_not_have_is_refused(run_agent, open_gateway) -> None:
    agent = await run_agent(extended=False)
    agent.card.capabilities.streaming = False
    agent.card.capabilities.push_notifications = False
    agent.card.capabilities.extensions.add(uri="https://ext.example/v1", required=True)
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    for method, params, code in [
        ("SendStreamingMessage", plain("x"), -32004),
        ("SubscribeToTask", {"id": "t"}, -32004),
        ("CreateTaskPushNotificationConfig", {"taskId": "t", "url": "https://a.example"}, -32003),
        ("GetExtendedAgentCard", {}, -32004),
        ("SendMessage", plain("x"), -32008),
    ]:
        async with gateway.session.post("/a2a/echo", json=rpc(method, params), headers=V1) as response:
            assert (await response.json())["error"]["code"] == code, method
    headers = {**V1, "A2A-Extensions": "https://ext.example/v1"}
    async with gateway.session.post("/a2a/echo", json=rpc("SendMessage", plain("x")), headers=headers) as response:
        assert "result" in await response.json()
    assert agent.seen[-1]["a2a-extensions"] == "https://ext.example/v1"


async def test_streams_are_bounded(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, streams=1)
    path = "/a2a/echo/v1/message:stream"
    async with gateway.session.post(path, json=plain("wait"), headers=V1) as first:
        await first.content.readuntil(b"\n\n")
        async with gateway.session.post(path, json=plain("hello"), headers=V1) as second:
            assert second.status == 503
            assert second.headers["Retry-After"]
        first.close()
    async with asyncio.timeout(20):
        while True:
            async with gateway.session.post(path, json=plain("hello"), headers=V1) as third:
                if third.status == 200:
                    break
            await asyncio.sleep(0.05)
