"""The provider's id of its answer and its reason to end it reach the outcome of the attempt, on all wires."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq.request.frames import finish_reason, response_id
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


def test_the_first_id_is_the_answers() -> None:
    assert (
        response_id(b'data: {"id":"chatcmpl-1","choices":[{"delta":{"tool_calls":[{"id":"call-2"}]}}]}') == "chatcmpl-1"
    )
    assert response_id(b'data: {"type":"message_start","message":{"id":"msg-1"}}') == "msg-1"
    assert response_id(b": ping\n\n") is None


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
