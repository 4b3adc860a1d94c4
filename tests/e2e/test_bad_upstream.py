"""Promise: whatever a provider does before its answer, the client gets a typed error after the fallbacks are spent.
Streams that have begun are `test_streams`'s; which deployment is tried next is `test_retries`'s and `test_fallbacks`'s.
"""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import anthropic_row, openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
HUGE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 314572800\r\n\r\n{"
_ERROR = b'data: {"error":{"message":"No GPU.","type":"server_error"}}\n\n'
NO_GPU = Reply.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + _ERROR)

# What the provider does; the status the client sees; the class in the message; the kind of the attempt.
PLAIN: dict[str, tuple[Any, int, str, str]] = {
    "hangs": (Reply.hang(), 408, "Timeout", "timeout"),
    "hangs within its body": (Reply.slow_body(gap=0.4), 408, "Timeout", "timeout"),
    "cuts at once": (Reply.cut(), 502, "APIConnectionError", "cut"),
    "cuts within its head": (Reply.cut(after_bytes=20), 502, "APIConnectionError", "cut"),
    "cuts within its body": (Reply.cut(after_body_bytes=30), 502, "APIConnectionError", "cut"),
    "resets": (Reply.cut(reset=True), 502, "APIConnectionError", "cut"),
    "speaks no HTTP": (Reply.garbage(), 502, "APIConnectionError", "cut"),
    "sends half a JSON": (Reply.not_json(), 502, "BadGatewayError", "garbage"),
    "sends a JSON list": (Reply.not_json("[]"), 502, "BadGatewayError", "garbage"),
    "sends nothing": (Reply.empty(), 502, "BadGatewayError", "garbage"),
    "sends HTML as success": (Reply.html(200), 502, "BadGatewayError", "garbage"),
    "sends HTML as failure": (Reply.html(502), 502, "BadGatewayError", "error"),
    "redirects": (Reply.redirect("http://127.0.0.1:1/elsewhere"), 502, "BadGatewayError", "garbage"),
    "sends far too much": (Reply.raw(HUGE_HEAD, close=False), 502, "BadGatewayError", "garbage"),
}
STREAMED: dict[str, tuple[Any, int, str, str]] = {
    "hangs before the first event": (Reply.hang(after_events=0, of=Reply.stream()), 408, "Timeout", "timeout"),
    "cuts before the first event": (Reply.cut(after_events=0), 502, "APIConnectionError", "cut"),
    "streams no JSON": (Reply.malformed_sse("json", after_events=0), 502, "BadGatewayError", "garbage"),
    "answers with a whole body": (Reply.chat(), 502, "BadGatewayError", "garbage"),
    "answers with HTML": (Reply.html(200), 502, "BadGatewayError", "garbage"),
    "begins with an error": (NO_GPU, 500, "InternalServerError", "error"),
}


async def _gateway(gateway: Any, up: ScriptedUpstream) -> Any:
    rows = [openai_row("fast", up.base_url, timeout=0.5), anthropic_row("claude", up.origin, timeout=0.5)]
    return await gateway({"model_list": rows, "router_settings": {"num_retries": 0}})


@pytest.mark.parametrize("case", PLAIN)
async def test_a_plain_call_gets_a_typed_error(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left, case: str
) -> None:
    reply, expected, name, kind = PLAIN[case]
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(reply)
    status, headers, body = await gw.chat("fast")
    assert status == expected
    assert body["error"]["code"] == str(expected)
    assert body["error"]["message"].startswith(f"litellm.{name}: ")
    assert headers["x-litellm-response-cost"] == "0"
    (record,) = await nothing_left(gw)
    (attempt,) = record.attempts
    assert (record.status, attempt.kind, attempt.dispatched) == (expected, kind, True)
    assert len(scripted_upstream.requests) == 1
    if kind in ("timeout", "cut") or case == "sends far too much":
        await scripted_upstream.until_idle()  # a connection in doubt is not kept


@pytest.mark.parametrize("case", STREAMED)
async def test_a_stream_that_never_began_is_a_plain_error(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left, case: str
) -> None:
    reply, expected, name, kind = STREAMED[case]
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(reply)
    async with gw.session.post(
        "/v1/chat/completions", json={"model": "fast", "messages": HELLO, "stream": True}
    ) as response:
        body = await response.json()
    assert (response.status, response.content_type) == (expected, "application/json")
    assert body["error"]["message"].startswith(f"litellm.{name}: ")
    (record,) = await nothing_left(gw)
    assert (record.status, record.attempts[0].kind) == (expected, kind)


@pytest.mark.parametrize("case", PLAIN)
async def test_an_anthropic_client_gets_its_own_shape(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left, case: str
) -> None:
    reply, expected, name, _ = PLAIN[case]
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(reply)
    body = {"model": "claude", "max_tokens": 9, "messages": HELLO}
    async with gw.session.post("/v1/messages", json=body) as response:
        document = await response.json()
    assert response.status == expected
    assert (document["type"], document["error"]["type"]) == (
        "error",
        {408: "timeout_error", 502: "api_error"}[expected],
    )
    assert f"litellm.{name}: " in document["error"]["message"]
    (record,) = await nothing_left(gw)
    assert record.status == expected


async def test_a_provider_that_cannot_be_reached_was_not_called(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    async with ScriptedUpstream() as gone:
        base = gone.base_url
    gw = await gateway({"model_list": [openai_row("fast", base)], "router_settings": {"num_retries": 0}})
    status, _, body = await gw.chat("fast")
    assert (status, body["error"]["message"].split(":")[0]) == (502, "litellm.APIConnectionError")
    assert base not in body["error"]["message"]
    (record,) = await nothing_left(gw)
    assert record.attempts[0].dispatched is False


async def test_a_redirect_is_never_followed(gateway, scripted_upstream: ScriptedUpstream) -> None:
    async with ScriptedUpstream() as elsewhere:
        gw = await _gateway(gateway, scripted_upstream)
        scripted_upstream.script(Reply.redirect(elsewhere.base_url + "/chat/completions", 308))
        status, _, _ = await gw.chat("fast")
        assert status == 502
        assert elsewhere.connections_seen == 0


@pytest.mark.parametrize("case", ["sends nothing", "sends HTML as success", "cuts within its body"])
async def test_the_error_comes_after_the_fallbacks_are_spent(
    gateway, scripted_upstream: ScriptedUpstream, case: str
) -> None:
    up = scripted_upstream
    reply, expected, _, _ = PLAIN[case]
    rows = [openai_row(name, up.base_url, name) for name in ("first", "second", "third")]
    fallbacks = [{"first": ["second", "third"]}]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0, "fallbacks": fallbacks}})
    up.script(reply, reply, reply)
    status, _, _ = await gw.chat("first")
    assert status == expected
    assert [request.model for request in up.requests] == ["first", "second", "third"]
    (record,) = await gw.recorded()
    assert len(record.attempts) == 3


async def test_an_answer_of_the_wrong_shape_is_garbage_where_it_must_be_read(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    for odd in ({}, {"choices": 3}, {"choices": [{"message": None}]}, {"choices": [{"message": {"content": {}}}]}):
        scripted_upstream.script(Reply.json(odd))
        body = {"model": "fast", "max_tokens": 9, "messages": HELLO}
        async with gw.session.post("/v1/messages", json=body) as response:
            assert (response.status, (await response.json())["error"]["type"]) == (502, "api_error")
    records = await nothing_left(gw, 4)
    assert {record.attempts[0].kind for record in records} == {"garbage"}


async def test_headers_of_a_hostile_provider_stay_harmless(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    hostile = {"set-cookie": "a=b", "x-litellm-call-id": "forged", "x-routeiq-model": "forged", "x-large": "y" * 6000}
    scripted_upstream.script(Reply.chat().with_headers(hostile))
    status, headers, _ = await gw.chat("fast")
    assert status == 200
    assert "set-cookie" not in {name.lower().removeprefix("llm_provider-") for name in headers}
    assert headers.getall("x-routeiq-model") == ["fast"]
    assert "forged" not in headers.getall("x-litellm-call-id")
    assert sum(len(name) + len(value) + 4 for name, value in headers.items()) < 4096
