"""Whole and streamed answers, tools and embeddings reach a client of any wire in the JSON of OpenAI."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq.upstream.base import Whole
from routeiq_sdk import Secret
from routeiq_testkit import Reply, ToolCall, Usage

HELLO = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
COUNTS = Usage(10, 20, cached_tokens=4, reasoning_tokens=7)
FAMILIES = pytest.mark.parametrize("provider", ["openai", "anthropic"])


@FAMILIES
async def test_a_whole_answer_is_a_chat_completion(lane: Any, provider: str) -> None:
    reply = await lane.ask(provider=provider)
    assert isinstance(reply, Whole)
    assert reply.wire == "openai-chat"
    assert reply.headers["request-id"] == "req_scripted_1"
    answer = await lane.answer(provider=provider)
    assert answer["object"] == "chat.completion"
    assert answer["choices"] == [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello from upstream."}}
    ]
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]


@FAMILIES
async def test_a_stream_is_chunks_then_usage_then_done(lane: Any, provider: str) -> None:
    *chunks, usage, done = await lane.stream(provider=provider)
    assert done is None
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    choices = [chunk["choices"][0] for chunk in chunks]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "Hello from upstream."
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] > 0


async def test_the_details_of_usage_are_kept(lane: Any) -> None:
    lane.upstream.script(Reply.chat(usage=COUNTS), Reply.stream(usage=COUNTS))
    whole = (await lane.answer())["usage"]
    streamed = (await lane.stream())[-2]["usage"]
    for usage in (whole, streamed):
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (10, 20)
        assert usage["prompt_tokens_details"]["cached_tokens"] == 4
        assert usage["completion_tokens_details"]["reasoning_tokens"] == 7


async def test_tool_calls_come_back_whole_and_streamed(lane: Any) -> None:
    call = ToolCall("weather", {"city": "Bern"}, id="call_1")
    fields = {**HELLO, "tools": [WEATHER], "tool_choice": "auto"}
    lane.upstream.script(Reply.chat(tool_calls=[call]), Reply.stream(tool_calls=[call]))
    choice = (await lane.answer(fields))["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Bern"}'}
    assert lane.upstream.requests[0].fields["tools"] == [WEATHER]
    deltas = [chunk["choices"][0]["delta"] for chunk in (await lane.stream(fields))[:-2]]
    parts = [part for delta in deltas for part in delta.get("tool_calls") or ()]
    assert parts[0]["id"] == "call_1"
    assert "".join(part["function"].get("arguments") or "" for part in parts) == '{"city": "Bern"}'


async def test_tools_are_translated_for_a_provider_of_another_wire(lane: Any) -> None:
    lane.upstream.script(Reply.message(tool_use=ToolCall("weather", {"city": "Bern"}, id="toolu_1")))
    choice = (await lane.answer({**HELLO, "tools": [WEATHER]}, provider="anthropic"))["choices"][0]
    assert lane.upstream.requests[0].fields["tools"][0]["name"] == "weather"
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["id"] == "toolu_1"


async def test_reasoning_and_its_signature_are_kept(lane: Any) -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": "signed"},
            {"type": "text", "text": "Done."},
        ],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 5},
    }
    lane.upstream.script(Reply.json(message))
    said = (await lane.answer(provider="anthropic"))["choices"][0]["message"]
    assert said["content"] == "Done."
    assert said["reasoning_content"] == "Let me see."
    assert said["thinking_blocks"] == [{"type": "thinking", "thinking": "Let me see.", "signature": "signed"}]


async def test_embeddings(lane: Any) -> None:
    fields = {"model": "fast", "input": ["a", "b"], "encoding_format": "float"}
    reply = await lane.ask(fields, wire="openai-embedding")
    assert reply.wire == "openai-embedding"
    answer = await lane.answer(fields, wire="openai-embedding")
    assert [len(row["embedding"]) for row in answer["data"]] == [8, 8]
    assert answer["usage"]["prompt_tokens"] > 0
    assert lane.upstream.requests[0].path == "/v1/embeddings"


async def test_an_anthropic_client_is_asked_for_in_chat(lane: Any) -> None:
    fields = {
        "model": "fast",
        "max_tokens": 50,
        "system": "Be short.",
        "stop_sequences": ["END"],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }
    answer = await lane.answer(fields, wire="anthropic-messages")
    assert answer["choices"][0]["message"]["content"] == "Hello from upstream."
    sent = lane.upstream.requests[0].fields
    assert sent["messages"][0] == {"role": "system", "content": "Be short."}
    assert (sent["max_tokens"], sent["stop"]) == (50, ["END"])
    assert (await lane.stream(fields, wire="anthropic-messages"))[-2]["usage"]


async def test_a_completion_client_is_asked_for_in_chat(lane: Any) -> None:
    answer = await lane.answer({"model": "fast", "prompt": "Once", "max_tokens": 5}, wire="openai-completion")
    assert answer["object"] == "chat.completion"
    assert lane.upstream.requests[0].path == "/v1/chat/completions"
    assert lane.upstream.requests[0].fields["messages"] == [{"role": "user", "content": "Once"}]


async def test_a_third_family_of_handlers_is_served(lane: Any) -> None:
    lane.upstream.script(
        Reply.json(
            {
                "id": "c1",
                "finish_reason": "COMPLETE",
                "message": {"role": "assistant", "content": [{"type": "text", "text": "Bonjour."}]},
                "usage": {"tokens": {"input_tokens": 3, "output_tokens": 2}},
            }
        )
    )
    answer = await lane.answer(provider="cohere_chat", api_base=f"{lane.upstream.origin}/v2/chat")
    assert answer["choices"][0]["message"]["content"] == "Bonjour."
    assert lane.upstream.requests[0].headers["authorization"] == "Bearer sk-operators-own-key"


async def test_the_provider_gets_the_key_the_headers_and_the_deployments_own_fields(lane: Any) -> None:
    await lane.answer(
        {**HELLO, "temperature": 0.5, "metadata": {"a": 1}, "tags": ["t"], "num_retries": 9, "cache": {}},
        headers={"x-own": "1"},
        extra={"seed": 7},
        params={"temperature": 0.9, "top_p": 0.1, "extra_body": {"vendor": True}, "rpd": 5, "max_budget": 3},
    )
    request = lane.upstream.requests[0]
    assert request.headers["authorization"] == "Bearer sk-operators-own-key"
    assert request.headers["x-own"] == "1"
    sent = request.fields
    assert (sent["model"], sent["temperature"], sent["top_p"], sent["seed"], sent["vendor"]) == ("m", 0.5, 0.1, 7, True)
    assert sent.keys() == {"model", "messages", "temperature", "top_p", "seed", "vendor"}


async def test_the_same_body_can_be_sent_again(lane: Any) -> None:
    fields = {**HELLO, "messages": [{"role": "system", "content": "Be short."}, *HELLO["messages"]]}
    await lane.answer(fields, provider="anthropic")
    await lane.answer(fields, provider="anthropic")
    assert lane.upstream.requests[0].fields == lane.upstream.requests[1].fields


async def test_blanks_of_litellms_own_do_not_reach_the_client(lane: Any) -> None:
    part = {"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    counts = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    lane.upstream.script(Reply.json({"candidates": [part], "usageMetadata": counts}))
    answer = await lane.answer(provider="gemini", model="gemini-2.0-flash", api_base=lane.upstream.origin)
    assert answer.keys() == {"id", "created", "model", "object", "choices", "usage"}
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Hi"}


async def test_a_provider_with_signed_requests_is_served_through_the_egress(lane: Any) -> None:
    said = {"message": {"role": "assistant", "content": [{"text": "Hi from nova"}]}}
    counts = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    lane.upstream.script(Reply.json({"output": said, "stopReason": "end_turn", "usage": counts}))
    params = {
        "aws_access_key_id": "AKIA",
        "aws_secret_access_key": Secret("signing-key"),
        "aws_region_name": "eu-central-1",
        "aws_bedrock_runtime_endpoint": lane.upstream.origin,
    }
    answer = await lane.answer(
        provider="bedrock", model="amazon.nova-lite-v1:0", api_base=None, api_key=None, params=params
    )
    assert answer["choices"][0]["message"]["content"] == "Hi from nova"
    assert lane.upstream.requests[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA/")
