"""Promise: a stream ends in one of two ways, complete or with a typed error event, and the client can tell which.
What happens before the first event is `test_bad_upstream`'s and `test_fallbacks`'s.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import openai
import orjson
import pytest

from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import anthropic_row, openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
MESSAGE: dict[str, Any] = {"model": "claude", "max_tokens": 200, "messages": HELLO}


def events(stream: bytes) -> list[bytes]:
    """The data of each event."""
    frames = stream.replace(b"\r\n", b"\n").split(b"\n\n")
    return [
        line.removeprefix(b"data: ") for frame in frames for line in frame.split(b"\n") if line.startswith(b"data:")
    ]


def text_of(stream: bytes) -> str:
    """The text before the end, whatever the end is."""
    told = [orjson.loads(data) for data in events(stream) if data != b"[DONE]"]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in told if c.get("choices"))


async def _gateway(gateway: Any, up: ScriptedUpstream, **routeiq: Any) -> Any:
    return await gateway(
        {
            "model_list": [openai_row("fast", up.base_url), anthropic_row("claude", up.origin)],
            "router_settings": {"num_retries": 0},
            "routeiq": routeiq,
        }
    )


@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_is_told_by_an_error_event_and_no_done(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left, reset: bool
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.cut(after_events=3, reset=reset))
    status, _, stream = await gw.stream("fast")
    assert (status, text_of(stream)) == (200, "Hello from")
    *_, last = events(stream)
    error = orjson.loads(last)["error"]
    assert (error["type"], error["code"]) == ("internal_server_error", "502")
    assert error["message"].startswith("litellm.APIConnectionError: ")
    (record,) = await nothing_left(gw)
    assert (record.status, record.error_type) == (502, "internal_server_error")
    (attempt,) = record.attempts
    assert (attempt.kind, attempt.dispatched, attempt.usage.estimated) == ("cut", True, True)
    await scripted_upstream.until_idle()


async def test_the_openai_client_raises_at_a_cut(gateway, scripted_upstream: ScriptedUpstream, openai_client) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.cut(after_events=3))
    stream = await openai_client(gw).chat.completions.create(model="fast", messages=HELLO, stream=True)
    texts: list[str] = []
    with pytest.raises(openai.APIError, match=r"litellm\.APIConnectionError"):
        async for chunk in stream:
            texts.append(chunk.choices[0].delta.content or "")
    assert "".join(texts) == "Hello from"


@pytest.mark.parametrize("model", ["claude", "fast"])
async def test_the_anthropic_client_raises_at_a_cut_on_either_wire(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client, nothing_left, model: str
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    source = Reply.message_stream() if model == "claude" else Reply.stream()
    scripted_upstream.script(Reply.cut(after_events=5, of=source))
    stream = await anthropic_client(gw).messages.create(**{**MESSAGE, "model": model}, stream=True)
    kinds: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match=r"litellm\.APIConnectionError"):
        async for event in stream:
            kinds.append(event.type)
    assert "content_block_delta" in kinds
    assert "message_stop" not in kinds
    (record,) = await nothing_left(gw)
    assert record.status == 502


async def test_an_error_event_of_the_provider_becomes_ours(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.stream_error(["Hello"], "server_error", "GPU on fire."))
    _, _, stream = await gw.stream("fast")
    *_, last = events(stream)
    error = orjson.loads(last)["error"]
    assert error["message"].startswith("litellm.InternalServerError: GPU on fire.")
    assert (error["type"], text_of(stream)) == ("internal_server_error", "Hello")
    (record,) = await nothing_left(gw)
    assert record.status == 500


async def test_an_error_event_of_anthropic_becomes_ours(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.message_stream_error(["Hello"], "overloaded_error", "Too many friends."))
    stream = await anthropic_client(gw).messages.create(**MESSAGE, stream=True)
    with pytest.raises(anthropic.APIStatusError, match=r"Too many friends\.") as caught:
        async for _ in stream:
            pass
    assert caught.value.body["error"]["type"] in ("overloaded_error", "api_error")


async def test_a_missing_done_is_supplied_when_the_model_had_finished(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.stream(done=False, usage=Usage(9, 4)))
    _, _, stream = await gw.stream("fast")
    assert events(stream)[-1] == b"[DONE]"
    (record,) = await nothing_left(gw)
    assert (record.status, record.usage.output_tokens) == (200, 4)


async def test_a_done_without_its_blank_line_still_counts(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    body = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\ndata: [DONE]'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(body)
    scripted_upstream.script(Reply.raw(head + body))
    _, _, stream = await gw.stream("fast")
    assert (text_of(stream), events(stream)[-1]) == ("hi", b"[DONE]")
    (record,) = await gw.recorded()
    assert record.status == 200


async def test_an_anthropic_stream_without_its_stop_is_a_cut(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.message_stream(stop=False))
    async with gw.session.post("/v1/messages", json={**MESSAGE, "stream": True}) as response:
        stream = await response.read()
    assert b"event: error" in stream
    assert orjson.loads(events(stream)[-1])["error"]["type"] == "api_error"
    (record,) = await nothing_left(gw)
    assert record.status == 502


@pytest.mark.parametrize("model", ["fast", "claude"])
async def test_an_idle_stream_ends_with_a_timeout_event(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left, model: str
) -> None:
    gw = await _gateway(gateway, scripted_upstream, limits={"stream_idle_seconds": 0.2})
    source = Reply.stream() if model == "fast" else Reply.message_stream()
    scripted_upstream.script(Reply.hang(after_events=4, of=source))
    _, _, stream = await gw.stream(model)
    error = orjson.loads(events(stream)[-1])["error"]
    assert (error["code"], error["message"].startswith("litellm.Timeout: ")) == ("408", True)
    assert text_of(stream).startswith("Hello")
    (record,) = await nothing_left(gw)
    assert (record.status, record.attempts[0].kind) == (408, "timeout")
    await scripted_upstream.until_idle()


async def test_a_slow_but_living_stream_is_not_idle(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await _gateway(gateway, scripted_upstream, limits={"stream_idle_seconds": 0.3})
    scripted_upstream.script(Reply.stream(list("abcdefgh"), gap=0.06))
    _, _, stream = await gw.stream("fast", timeout=0.3)
    assert (text_of(stream), events(stream)[-1]) == ("abcdefgh", b"[DONE]")


async def test_a_provider_that_says_done_and_stays_does_not_hold_the_client(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.hang(after_events=8, of=Reply.stream(usage="always")))
    _, _, stream = await gw.stream("fast")
    assert (text_of(stream), events(stream)[-1]) == ("Hello from upstream.", b"[DONE]")
    (record,) = await nothing_left(gw)
    assert (record.status, record.attempts[0].kind) == (200, "ok")


@pytest.mark.parametrize("flaw", ["json", "utf8"])
async def test_a_broken_event_is_an_error_where_it_would_be_lost_text(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left, flaw: Any
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.malformed_sse(flaw, after_events=2))
    async with gw.session.post("/v1/messages", json={**MESSAGE, "model": "fast", "stream": True}) as response:
        stream = await response.read()
    assert "not JSON" in orjson.loads(events(stream)[-1])["error"]["message"]
    assert b"message_stop" not in stream
    (record,) = await nothing_left(gw)
    assert (record.status, record.attempts[0].kind) == (502, "garbage")


@pytest.mark.parametrize("flaw", ["json", "utf8"])
async def test_on_its_own_wire_a_broken_event_passes_as_it_came(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left, flaw: Any
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.malformed_sse(flaw, after_events=2))
    _, _, stream = await gw.stream("fast")
    assert [data for data in events(stream) if b"chatcmpl-broken" in data]
    assert events(stream)[-1] == b"[DONE]"
    (record,) = await nothing_left(gw)
    assert record.status == 200


async def test_a_half_event_at_the_end_is_never_passed_on(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.malformed_sse("unfinished", after_events=2))
    _, _, stream = await gw.stream("fast")
    assert text_of(stream) == "Hello"
    assert "error" in orjson.loads(events(stream)[-1])
    (record,) = await nothing_left(gw)
    assert record.status == 502


async def test_lines_that_are_no_events_do_no_harm(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.malformed_sse("field", after_events=2))
    _, _, stream = await gw.stream("fast")
    assert (text_of(stream), events(stream)[-1]) == ("Hello from upstream", b"[DONE]")


async def test_an_event_that_never_ends_is_garbage_not_memory(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.huge(6, stream=True))
    _, _, stream = await gw.stream("fast")
    assert "too large" in orjson.loads(events(stream)[-1])["error"]["message"]
    (record,) = await nothing_left(gw)
    assert record.status == 502
    await scripted_upstream.until_idle()


async def test_a_client_that_leaves_at_the_end_has_been_served(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.hang(after_events=8, of=Reply.stream(usage="always")))
    connection = await raw_client(gw)
    body = orjson.dumps({"model": "fast", "messages": HELLO, "stream": True})
    await connection.head(content_length=str(len(body)))
    await connection.send(body)
    async with asyncio.timeout(5.0):
        await connection.reader.readuntil(b"data: [DONE]")
    connection.leave()
    (record,) = await nothing_left(gw)
    assert (record.status, record.error_type, record.attempts[0].kind) == (200, None, "ok")
    assert not record.usage.estimated


async def test_a_provider_that_ends_its_streams_keeps_its_connection(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    for count in range(1, 6):
        await gw.stream("fast")
        await nothing_left(gw, count)
    assert scripted_upstream.connections_seen == 1
