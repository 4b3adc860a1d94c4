"""The official Anthropic client takes every healthy reply on its wire, and sees stated errors as its own."""

from __future__ import annotations

from typing import Any

import aiohttp
import anthropic
import pytest

from routeiq_testkit import Reply, ScriptedUpstream, ToolCall, Usage

ASK: dict[str, Any] = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello?"}]}
WEATHER = ToolCall("weather", {"city": "Porto", "days": 3})


def kinds(message: anthropic.types.Message) -> list[str]:
    return [block.type for block in message.content]


async def test_a_message_carries_thinking_text_tools_and_usage(
    scripted_upstream: ScriptedUpstream, anthropic_client: anthropic.AsyncAnthropic
) -> None:
    usage = Usage(30, 6, cached_tokens=10, cache_write_tokens=5)
    scripted_upstream.script(Reply.message("Hi.", tool_use=WEATHER, thinking="Hm.", usage=usage))
    message = await anthropic_client.messages.create(**ASK)
    assert kinds(message) == ["thinking", "text", "tool_use"]
    assert message.content[2].type == "tool_use"
    assert message.content[2].input == WEATHER.arguments
    assert (message.model, message.stop_reason) == ("m", "tool_use")
    counted = message.usage
    assert (counted.input_tokens, counted.cache_read_input_tokens, counted.cache_creation_input_tokens) == (15, 10, 5)
    assert counted.output_tokens == 6


async def test_a_streamed_message_adds_up_to_the_same(
    scripted_upstream: ScriptedUpstream, anthropic_client: anthropic.AsyncAnthropic
) -> None:
    scripted_upstream.script(Reply.message_stream(["Hi", "."], tool_use=[WEATHER], thinking="Hm.", usage=Usage(9, 4)))
    async with anthropic_client.messages.stream(**ASK) as stream:
        message = await stream.get_final_message()
    assert kinds(message) == ["thinking", "text", "tool_use"]
    assert message.content[0].type == "thinking"
    assert message.content[0].signature
    assert message.content[1].type == "text"
    assert message.content[1].text == "Hi."
    assert message.content[2].type == "tool_use"
    assert message.content[2].input == WEATHER.arguments
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("tool_use", 9, 4)


async def test_stream_events_come_in_the_providers_order(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{scripted_upstream.base_url}/messages", json={**ASK, "stream": True}) as response:
        lines = (await response.text()).splitlines()
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names[:3] == ["message_start", "ping", "content_block_start"]
    assert set(names[3:-3]) == {"content_block_delta"}
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]


async def test_count_tokens_says_the_number(
    scripted_upstream: ScriptedUpstream, anthropic_client: anthropic.AsyncAnthropic
) -> None:
    scripted_upstream.script(Reply.count_tokens(42))
    question = {"model": "m", "messages": ASK["messages"]}
    assert (await anthropic_client.messages.count_tokens(**question)).input_tokens == 42
    assert (await anthropic_client.messages.count_tokens(**question)).input_tokens > 1


async def test_errors_become_the_clients_own_exceptions(
    scripted_upstream: ScriptedUpstream, anthropic_client: anthropic.AsyncAnthropic
) -> None:
    scripted_upstream.script(
        Reply.anthropic_error(429, "rate_limit_error", "Slow down.", headers={"retry-after": "7"}),
        Reply.anthropic_error(529, "overloaded_error", "Overloaded"),
        Reply.message_stream_error(["a"], message="Overloaded in flight"),
    )
    with pytest.raises(anthropic.RateLimitError) as limited:
        await anthropic_client.messages.create(**ASK)
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(anthropic.APIStatusError) as overloaded:
        await anthropic_client.messages.create(**ASK)
    assert overloaded.value.status_code == 529
    with pytest.raises(anthropic.APIStatusError, match="Overloaded in flight"):
        async with anthropic_client.messages.stream(**ASK) as stream:
            await stream.get_final_message()
