"""Promise: the official Anthropic Python client works unmodified, and its own wire passes untouched.
Translation to and from the other wire is tested in `test_cross_wire`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import orjson
import pytest

from routeiq_testkit import Reply, ScriptedUpstream, ToolCall, Usage
from routeiq_testkit.gateway import anthropic_row, openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
ASKED: dict[str, Any] = {"model": "claude", "max_tokens": 200, "messages": HELLO}
WEATHER: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


async def test_a_plain_message_comes_back_whole(gateway, scripted_upstream: ScriptedUpstream, anthropic_client) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("claude", up.origin)]})
    up.script(Reply.message("Bonjour.", usage=Usage(30, 4, cached_tokens=10, cache_write_tokens=5)))
    answer = await anthropic_client(gw).messages.create(**ASKED, system="Be brief.", metadata={"user_id": "ada"})
    assert (answer.content[0].text, answer.stop_reason, answer.model) == ("Bonjour.", "end_turn", "claude")
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (15, 10, 4)
    assert answer._request_id == "req_scripted_1"
    (asked,) = up.requests
    sent = {**ASKED, "model": "scripted-claude", "system": "Be brief.", "metadata": {"user_id": "ada"}}
    assert asked.json == sent
    assert asked.headers["x-api-key"] == "sk-upstream"
    assert asked.headers["anthropic-version"]
    (record,) = await gw.recorded()
    usage = record.usage
    assert (record.surface, record.end_user) == ("messages", "ada")
    assert (usage.input_tokens, usage.cached_tokens, usage.cache_write_tokens, usage.output_tokens) == (30, 10, 5, 4)


async def test_the_synchronous_client_works_too(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await gateway({"model_list": [anthropic_row("claude", scripted_upstream.origin)]})

    def talk() -> tuple[str, str]:
        with anthropic.Anthropic(api_key=gw.key, base_url=gw.url, max_retries=0) as client:
            plain = client.messages.create(**ASKED)
            with client.messages.stream(**ASKED) as stream:
                return plain.content[0].text, stream.get_final_text()

    assert await asyncio.to_thread(talk) == ("Hello from upstream.", "Hello from upstream.")


async def test_the_stream_helper_gets_text_thinking_and_tools(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("claude", up.origin)]})
    call = ToolCall("weather", {"city": "Zürich"}, id="toolu_7")
    up.script(Reply.message_stream(["I will ", "look."], call, "Which city?", usage=Usage(20, 9)).chopped(11))
    async with anthropic_client(gw).messages.stream(**ASKED, tools=[WEATHER]) as stream:
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert texts == ["I will ", "look."]
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use"]
    assert final.content[0].thinking == "Which city?"
    assert final.content[0].signature
    assert (final.content[2].id, final.content[2].input) == ("toolu_7", {"city": "Zürich"})
    assert (final.stop_reason, final.model, final.usage.output_tokens) == ("tool_use", "claude", 9)
    (record,) = await gw.recorded()
    assert (record.status, record.usage.input_tokens, record.usage.output_tokens) == (200, 20, 9)


async def test_both_ways_of_sending_a_key_work(gateway, scripted_upstream: ScriptedUpstream, anthropic_client) -> None:
    gw = await gateway({"model_list": [anthropic_row("claude", scripted_upstream.origin)]})
    client = anthropic_client(gw, api_key=None, auth_token=gw.key)
    assert (await client.messages.create(**ASKED)).content
    assert gw.key not in repr(scripted_upstream.requests[0].headers.raw)


THOUGHT = (
    b'{"type":"thinking",  "thinking":"a \\u00e9 \\/ b\\u2028","signature":"ErUBCkYIBxgCIkD+/=="}'
    b',{"type":"redacted_thinking","data":"EmwKAhgBEgy3va3pzix\\/LafPsn4a"}'
)


async def test_thinking_passes_both_ways_byte_by_byte(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("claude", up.origin)]})
    answer = (
        b'{"id":"msg_1","type":"message","role":"assistant","model":"scripted-claude","content":[' + THOUGHT + b"],"
        b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}'
    )
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
    up.script(Reply.raw(head + answer, close=False))
    asked = (
        b'{"model": "claude", "max_tokens": 200, "messages": [{"role": "user", "content": "hi"},'
        b'{"role":"assistant","content":[' + THOUGHT + b"]}]}"
    )
    headers = {"content-type": "application/json"}
    async with gw.session.post("/v1/messages", data=asked, headers=headers) as response:
        got = await response.read()
    assert THOUGHT in up.requests[0].body
    assert THOUGHT in got
    assert orjson.loads(got)["model"] == "claude"


async def test_a_stream_passes_byte_by_byte_but_for_the_model(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("claude", up.origin)]})
    thought = b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":' + (
        THOUGHT.partition(b"},")[0] + b"}}\n\n"
    )
    events = [
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
        b'"role":"assistant","model":"scripted-claude","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}\n\n',
        b": keep-alive\n\n",
        thought,
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        b'"usage":{"output_tokens":7}}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ]
    whole = b"".join(events)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(whole)
    up.script(Reply.raw(head + whole, close=False).chopped(13))
    async with gw.session.post("/v1/messages", json={**ASKED, "stream": True}) as response:
        got = await response.read()
    assert got == whole.replace(b'"model":"scripted-claude"', b'"model":"claude"')
    (record,) = await gw.recorded()
    assert (record.usage.input_tokens, record.usage.output_tokens) == (3, 7)


async def test_tokens_are_counted_by_the_provider(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("claude", up.origin)]})
    up.script(Reply.count_tokens(41))
    counted = await anthropic_client(gw).messages.count_tokens(model="claude", messages=HELLO)
    assert counted.input_tokens == 41
    assert up.requests[0].path == "/v1/messages/count_tokens"
    (record,) = await gw.recorded()
    assert (record.status, record.usage, record.cost) == (200, None, None)


async def test_a_provider_that_counts_no_tokens_gets_a_clear_refusal(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    with pytest.raises(anthropic.BadRequestError, match="fast does not serve count_tokens"):
        await anthropic_client(gw).messages.count_tokens(model="fast", messages=HELLO)
    assert scripted_upstream.connections_seen == 0


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (401, "authentication_error", anthropic.AuthenticationError),
        (403, "permission_error", anthropic.PermissionDeniedError),
        (404, "not_found_error", anthropic.NotFoundError),
        (413, "request_too_large", anthropic.APIStatusError),
        (429, "rate_limit_error", anthropic.RateLimitError),
        (500, "api_error", anthropic.InternalServerError),
        (529, "overloaded_error", anthropic.InternalServerError),
    ],
)
async def test_errors_have_the_anthropic_shape_and_type(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client, status: int, kind: str, expected: type[Exception]
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("claude", up.origin)], "router_settings": {"num_retries": 0}})
    up.script(Reply.anthropic_error(status, kind, "It went wrong."))
    with pytest.raises(expected) as caught:
        await anthropic_client(gw).messages.create(**ASKED)
    error: Any = caught.value
    assert error.status_code == status
    assert (error.body["type"], error.body["error"]["type"]) == ("error", kind)
    assert "It went wrong." in error.body["error"]["message"]


async def test_the_gateways_own_errors_have_the_anthropic_shape(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    gw = await gateway({"model_list": [anthropic_row("claude", scripted_upstream.origin)]})
    with pytest.raises(anthropic.AuthenticationError) as unknown:
        await anthropic_client(gw, api_key="sk-nobody-knows-this-one").messages.create(**ASKED)
    assert unknown.value.body["error"]["type"] == "authentication_error"
    with pytest.raises(anthropic.BadRequestError, match="model=nobody"):
        await anthropic_client(gw).messages.create(**{**ASKED, "model": "nobody"})
    async with gw.session.post("/v1/messages", json={"model": "claude", "messages": HELLO}) as response:
        body = await response.json()
    assert response.status == 400
    assert body == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "Missing required parameter: 'max_tokens'."},
    }


async def test_what_a_beta_needs_reaches_the_provider(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("claude", up.origin)]})
    betas = {"anthropic-beta": "context-1m-2025-08-07", "anthropic-version": "2024-12-01"}
    await anthropic_client(gw).messages.create(**ASKED, extra_headers=betas, extra_body={"new_field": {"deep": [1]}})
    (asked,) = up.requests
    assert asked.headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert asked.headers["anthropic-version"] == "2024-12-01"
    assert asked.json["new_field"] == {"deep": [1]}


async def test_models_are_listed_in_the_anthropic_shape(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    gw = await gateway({"model_list": [anthropic_row("claude", scripted_upstream.origin)]})
    listed = await anthropic_client(gw).models.list()
    assert [(model.id, model.type) for model in listed.data] == [("claude", "model")]


async def test_the_list_of_requests_events_is_swallowed(gateway) -> None:
    gw = await gateway({"model_list": []})
    async with gw.session.post("/api/event_logging/batch", json={"events": [{"a": 1}]}) as response:
        assert response.status == 200
    assert gw.records() == ()
