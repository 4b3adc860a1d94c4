"""The official OpenAI client takes every healthy reply on its wire, and sees stated errors as its own."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from routeiq_testkit import Reply, ScriptedUpstream, ToolCall, Usage

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}
WEATHER = ToolCall("weather", {"city": "Porto", "days": 3})


async def test_chat_carries_text_usage_and_the_model_asked_for(
    scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI
) -> None:
    scripted_upstream.script(Reply.chat("Hi.", usage=Usage(20, 5, cached_tokens=8, reasoning_tokens=2)))
    answer = await openai_client.chat.completions.create(**ASK)
    assert (answer.model, answer.choices[0].message.content) == ("m", "Hi.")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.id.startswith("chatcmpl-")
    assert answer.created > 0
    assert answer.usage is not None
    assert answer.usage.total_tokens == 25
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 8
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2


async def test_usage_can_be_absent(scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI) -> None:
    scripted_upstream.script(Reply.chat(usage=False), Reply.stream(usage=False))
    assert (await openai_client.chat.completions.create(**ASK)).usage is None
    stream = await openai_client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
    assert [chunk.usage async for chunk in stream if chunk.usage] == []


@pytest.mark.parametrize(
    ("options", "policy", "seen"),
    [
        ({}, True, False),
        ({"stream_options": {"include_usage": True}}, True, True),
        ({"stream_options": {"include_usage": False}}, Usage(1, 2), False),
        ({}, "always", True),
    ],
)
async def test_a_stream_reports_usage_if_asked_or_forced(
    scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI, options: Any, policy: Any, seen: bool
) -> None:
    scripted_upstream.script(Reply.stream(["a", "b"], usage=policy))
    chunks = [chunk async for chunk in await openai_client.chat.completions.create(**ASK, stream=True, **options)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "ab"
    assert [chunk.usage is not None for chunk in chunks] == [False] * 4 + [True] * seen
    assert (chunks[-1].choices == []) is seen


async def test_tool_calls_arrive_whole_and_streamed(
    scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI
) -> None:
    scripted_upstream.script(Reply.chat(tool_calls=[WEATHER]), Reply.stream(tool_calls=[WEATHER, WEATHER]))
    whole = (await openai_client.chat.completions.create(**ASK)).choices[0]
    assert whole.finish_reason == "tool_calls"
    assert whole.message.content is None
    assert whole.message.tool_calls is not None
    call = whole.message.tool_calls[0]
    assert call.type == "function"
    assert json.loads(call.function.arguments) == WEATHER.arguments

    async with openai_client.chat.completions.stream(**ASK) as stream:
        final = (await stream.get_final_completion()).choices[0]
    assert final.finish_reason == "tool_calls"
    assert final.message.tool_calls is not None
    arguments = [json.loads(call.function.arguments) for call in final.message.tool_calls]
    assert arguments == [WEATHER.arguments, WEATHER.arguments]
    assert len({call.id for call in final.message.tool_calls}) == 2


async def test_legacy_completions_work_whole_and_streamed(
    scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI
) -> None:
    scripted_upstream.script(Reply.completion("Once upon"), Reply.completion_stream(["Once", " upon"]))
    whole = await openai_client.completions.create(model="m", prompt="Begin.")
    assert whole.choices[0].text == "Once upon"
    assert whole.usage is not None
    stream = await openai_client.completions.create(model="m", prompt="Begin.", stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Once upon"


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_embeddings_are_one_unit_vector_an_input_in_the_encoding_asked_for(
    scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI, encoding: Any
) -> None:
    scripted_upstream.default = Reply.embeddings(dim=4)
    raw = await openai_client.embeddings.with_raw_response.create(
        model="m", input=["one", "two", "one"], encoding_format=encoding
    )
    rows = raw.http_response.json()["data"]
    assert all(isinstance(row["embedding"], str if encoding == "base64" else list) for row in rows)
    assert rows[0]["embedding"] == rows[2]["embedding"] != rows[1]["embedding"]
    floats = await openai_client.embeddings.create(model="m", input="one")
    assert sum(value**2 for value in floats.data[0].embedding) == pytest.approx(1, abs=1e-5)


async def test_errors_become_the_clients_own_exceptions(
    scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI
) -> None:
    scripted_upstream.script(
        Reply.error(400, "invalid_request_error", "Too long.", code="context_length_exceeded", param="messages"),
        Reply.rate_limited(2.5),
        Reply.error(401, "invalid_request_error", "No such key.", headers={"x-hint": "rotate"}),
        Reply.error(503),
    )
    with pytest.raises(openai.BadRequestError) as bad:
        await openai_client.chat.completions.create(**ASK)
    assert (bad.value.code, bad.value.param, bad.value.type) == (
        "context_length_exceeded",
        "messages",
        "invalid_request_error",
    )
    with pytest.raises(openai.RateLimitError) as limited:
        await openai_client.chat.completions.create(**ASK)
    assert limited.value.response.headers["retry-after"] == "2.5"
    with pytest.raises(openai.AuthenticationError) as denied:
        await openai_client.chat.completions.create(**ASK)
    assert denied.value.response.headers["x-hint"] == "rotate"
    with pytest.raises(openai.InternalServerError):
        await openai_client.chat.completions.create(**ASK)


async def test_a_stream_can_turn_into_an_error(
    scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI
) -> None:
    scripted_upstream.script(Reply.stream_error(["a", "b"], message="Lost the engine."))
    said = []
    with pytest.raises(openai.APIError, match=r"Lost the engine\."):
        async for chunk in await openai_client.chat.completions.create(**ASK, stream=True):
            said.append(chunk.choices[0].delta.content)
    assert said == ["", "a", "b"]


async def test_models_lists_every_model_the_script_knows(
    scripted_upstream: ScriptedUpstream, openai_client: openai.AsyncOpenAI
) -> None:
    scripted_upstream.script_for("big", Reply.chat())
    scripted_upstream.default_for("small", Reply.error(500))
    assert [model.id async for model in openai_client.models.list()] == ["scripted-model", "big", "small"]
    assert scripted_upstream.unplayed == 1
