"""The provider's id of its answer and its reason to end it reach the outcome of the attempt, on all wires."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from routeiq.request.frames import finish_reason, response_id, whole_reason
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import anthropic_row, openai_row
from routeiq_testkit.pytest_plugin import StartGateway


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n', "stop"),
        (b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":null}]}\n\n', None),
        (b'{"stop_reason" : "end_turn"}', "end_turn"),
        (rb'{"content":"he said \"finish_reason\":\"stop\" aloud"}', None),
        (b"data: [DONE]\n\n", None),
    ],
)
def test_a_reason_is_a_field_and_never_a_text(block: bytes, reason: str | None) -> None:
    assert finish_reason(block) == reason


def test_a_tools_input_says_no_reason() -> None:
    called = b'{"content":[{"type":"tool_use","input":{"stop_reason":"lies"}}],"stop_reason":"tool_use","usage":{}}'
    assert whole_reason("anthropic-messages", called) == "tool_use"
    assert whole_reason("anthropic-messages", b'{"type":"error"}') is None
    spoken = b'{"choices":[{"native_finish_reason":"x","finish_reason":"length"}]}'
    assert whole_reason("openai-chat", spoken) == "length"


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (b'data: {"choices":[{"delta":{"tool_calls":[{"id":"call-2"}]}}],"id":"chatcmpl-1"}\n\n', "chatcmpl-1"),
        (b'data: {"choices":[{"delta":{"tool_calls":[{"id":"call-2"}]}}]}\n\n', None),
        (b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg-1"}}\n\n', "msg-1"),
        (b'data: {"id":"","choices":[]}\n\ndata: {"id":"chatcmpl-3","choices":[]}\n\n', "chatcmpl-3"),
        (b'data: {"id":7,"message":"hi"}\n\n', None),
        (b'data: {"id":"' + b"x" * 1000 + b'"}\n\n', "x" * 256),
        (b": ping\n\n", None),
    ],
)
def test_the_id_is_that_of_the_answer(block: bytes, told: str | None) -> None:
    assert response_id(block) == told


async def test_an_id_that_comes_late_is_found(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    """Azure's first event has no id: it tells what its filters found in the prompt."""
    chunks = ({"id": "", "choices": []}, {"id": "chatcmpl-late", "choices": [{"index": 0, "delta": {"content": "x"}}]})
    blocks = [b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    scripted_upstream.default = Reply.raw(head + b"".join(blocks) + b"data: [DONE]\n\n")
    running = await gateway({"model_list": [openai_row("m", scripted_upstream.base_url)]})
    await running.stream("m")
    (record,) = await running.recorded()
    assert (record.attempts[0].response_id, record.attempts[0].finish_reason) == ("chatcmpl-late", None)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", ["openai", "anthropic"])
async def test_the_outcome_has_both(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, wire: str, stream: bool
) -> None:
    if wire == "openai":
        row = openai_row("m", scripted_upstream.base_url)
        reply = Reply.stream("hello") if stream else Reply.chat("hello")
    else:
        row = anthropic_row("m", scripted_upstream.origin)
        reply = Reply.message_stream("hello") if stream else Reply.message("hello")
    scripted_upstream.default = reply
    running = await gateway({"model_list": [row]})
    told: Any
    if stream:
        _, _, told = await running.stream("m")
        shown = told.decode()
    else:
        _, _, told = await running.chat("m")
        shown = str(told["id"])
    (record,) = await running.recorded()
    (outcome,) = record.attempts
    assert outcome.response_id is not None
    assert outcome.response_id in shown, "it is the id that the client saw"
    assert outcome.finish_reason in ("stop", "end_turn")
    assert outcome.started_ms >= 0
