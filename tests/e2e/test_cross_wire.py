"""Promise: each client reaches providers of the other wire, plain, streamed and with tools, as if they spoke its own.
The translations' corners are tested beside `routeiq.wires`.
"""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from routeiq_testkit import Reply, ScriptedUpstream, ToolCall, Usage
from routeiq_testkit.gateway import anthropic_row, openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
CALL = ToolCall("weather", {"city": "Zürich"}, id="call_7")
MESSAGE: dict[str, Any] = {"model": "other", "max_tokens": 200, "messages": HELLO}


async def test_an_anthropic_client_reaches_an_openai_provider(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("other", up.base_url)]})
    up.script(Reply.chat("Bonjour.", usage=Usage(30, 4, cached_tokens=10)))
    answer = await anthropic_client(gw).messages.create(**MESSAGE, system="Be brief.", stop_sequences=["END"])
    assert (answer.content[0].text, answer.stop_reason, answer.model) == ("Bonjour.", "end_turn", "other")
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (20, 10, 4)
    asked = up.requests[0].json
    assert up.requests[0].path == "/v1/chat/completions"
    assert asked["messages"] == [{"role": "system", "content": "Be brief."}, *HELLO]
    assert (asked["max_completion_tokens"], asked["stop"]) == (200, ["END"])


async def test_an_anthropic_client_streams_from_an_openai_provider(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("other", up.base_url)]})
    up.script(Reply.stream(["Guten ", "Tag, 東京"], usage=Usage(12, 5)).chopped(9))
    async with anthropic_client(gw).messages.stream(**MESSAGE) as stream:
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert "".join(texts) == "Guten Tag, 東京"
    assert (final.stop_reason, final.model, final.usage.output_tokens) == ("end_turn", "other", 5)
    (record,) = await gw.recorded()
    assert (record.status, record.usage.input_tokens, record.usage.output_tokens) == (200, 12, 5)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_anthropic_client_calls_tools_of_an_openai_provider(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client, streamed: bool
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("other", up.base_url)]})
    tools: Any = [{"name": "weather", "description": "Asks the sky.", "input_schema": CITY}]
    client: anthropic.AsyncAnthropic = anthropic_client(gw)
    up.script(Reply.stream(tool_calls=[CALL]) if streamed else Reply.chat(tool_calls=[CALL]))
    if streamed:
        async with client.messages.stream(**MESSAGE, tools=tools) as stream:
            answer: Any = await stream.get_final_message()
    else:
        answer = await client.messages.create(**MESSAGE, tools=tools)
    (block,) = [block for block in answer.content if block.type == "tool_use"]
    assert (block.id, block.name, block.input) == ("call_7", "weather", {"city": "Zürich"})
    assert answer.stop_reason == "tool_use"
    function = {"name": "weather", "description": "Asks the sky.", "parameters": CITY}
    assert up.requests[0].json["tools"] == [{"type": "function", "function": function}]

    result: Any = [{"type": "tool_result", "tool_use_id": "call_7", "content": "sunny"}]
    turns = [*HELLO, {"role": "assistant", "content": answer.content}, {"role": "user", "content": result}]
    await client.messages.create(**{**MESSAGE, "messages": turns}, tools=tools)
    sent = up.requests[1].json["messages"]
    assert sent[1]["tool_calls"][0]["id"] == "call_7"
    assert sent[2] == {"role": "tool", "tool_call_id": "call_7", "content": "sunny"}


async def test_an_openai_client_reaches_an_anthropic_provider(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("other", up.origin)]})
    up.script(Reply.message("Bonjour.", usage=Usage(30, 4, cached_tokens=10)))
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, *HELLO]
    answer = await openai_client(gw).chat.completions.create(
        model="other", messages=messages, max_tokens=50, stop="END"
    )
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Bonjour.", "stop")
    assert (answer.model, answer.object) == ("other", "chat.completion")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (30, 4, 34)
    assert answer.usage.prompt_tokens_details.cached_tokens == 10
    (asked,) = up.requests
    assert (asked.path, asked.headers["anthropic-version"]) == ("/v1/messages", "2023-06-01")
    assert (asked.json["max_tokens"], asked.json["stop_sequences"]) == (50, ["END"])
    assert "Be brief." in repr(asked.json["system"])


@pytest.mark.parametrize("wants_usage", [False, True])
async def test_an_openai_client_streams_from_an_anthropic_provider(
    gateway, scripted_upstream: ScriptedUpstream, openai_client, wants_usage: bool
) -> None:
    up = scripted_upstream
    price = {"input_cost_per_token": 0.000003, "output_cost_per_token": 0.000015}
    gw = await gateway({"model_list": [anthropic_row("other", up.origin, **price)]})
    up.script(Reply.message_stream(["Guten ", "Tag, 東京"], usage=Usage(12, 5)).chopped(9))
    options: Any = {"stream_options": {"include_usage": True}} if wants_usage else {}
    stream = await openai_client(gw).chat.completions.create(model="other", messages=HELLO, stream=True, **options)
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Guten Tag, 東京"
    assert {chunk.model for chunk in chunks} == {"other"}
    told = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert [(usage.prompt_tokens, usage.completion_tokens) for usage in told] == ([(12, 5)] if wants_usage else [])
    assert [(usage.model_extra or {}).get("cost") for usage in told] == ([0.000111] if wants_usage else [])
    (record,) = await gw.recorded()
    assert (record.status, record.cost) == (200, 111_000)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_openai_client_calls_tools_of_an_anthropic_provider(
    gateway, scripted_upstream: ScriptedUpstream, openai_client, streamed: bool
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [anthropic_row("other", up.origin)]})
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
    client: openai.AsyncOpenAI = openai_client(gw)
    up.script(Reply.message_stream(["Let me look."], CALL) if streamed else Reply.message("Let me look.", CALL))
    if streamed:
        stream = await client.chat.completions.create(model="other", messages=HELLO, tools=[tool], stream=True)
        chunks = [chunk async for chunk in stream if chunk.choices]
        pieces = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
        made = (pieces[0].id, pieces[0].function.name, "".join(p.function.arguments or "" for p in pieces))
        finish = chunks[-1].choices[0].finish_reason
    else:
        answer = await client.chat.completions.create(model="other", messages=HELLO, tools=[tool])
        (call,) = answer.choices[0].message.tool_calls or ()
        made, finish = (call.id, call.function.name, call.function.arguments), answer.choices[0].finish_reason
    assert made[:2] == ("call_7", "weather")

    assert json.loads(made[2]) == {"city": "Zürich"}
    assert finish == "tool_calls"
    assert up.requests[0].json["tools"][0]["input_schema"] == CITY


async def test_legacy_completions_reach_an_anthropic_provider(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    gw = await gateway({"model_list": [anthropic_row("other", scripted_upstream.origin)]})
    client = openai_client(gw)
    plain = await client.completions.create(model="other", prompt="Say hello", max_tokens=20)
    assert (plain.choices[0].text, plain.object) == ("Hello from upstream.", "text_completion")
    stream = await client.completions.create(model="other", prompt="Say hello", max_tokens=20, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Hello from upstream."


async def test_errors_keep_the_clients_shape_whatever_the_provider_speaks(
    gateway, scripted_upstream: ScriptedUpstream, openai_client, anthropic_client
) -> None:
    up = scripted_upstream
    rows = [openai_row("oai", up.base_url), anthropic_row("ant", up.origin)]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0}})
    up.script(Reply.anthropic_error(429, "rate_limit_error", "Slow down.", {"retry-after": "3"}))
    with pytest.raises(openai.RateLimitError, match=r"Slow down\.") as limited:
        await openai_client(gw).chat.completions.create(model="ant", messages=HELLO)
    assert limited.value.response.headers["retry-after"] == "3"
    up.script(Reply.error(400, "invalid_request_error", "Not like this."))
    with pytest.raises(anthropic.BadRequestError, match=r"Not like this\.") as refused:
        await anthropic_client(gw).messages.create(**{**MESSAGE, "model": "oai"})
    assert refused.value.body["error"]["type"] == "invalid_request_error"


async def test_what_the_other_wire_cannot_say_is_refused_before_a_call(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    gw = await gateway({"model_list": [anthropic_row("other", scripted_upstream.origin)]})
    client = openai_client(gw)
    with pytest.raises(openai.BadRequestError) as refused:
        await client.completions.create(model="other", prompt="x", suffix="y")
    assert refused.value.param == "suffix"
    with pytest.raises(openai.BadRequestError, match="does not serve embeddings"):
        await client.embeddings.create(model="other", input="x")
    assert scripted_upstream.connections_seen == 0
    assert [record.status for record in await gw.recorded(2)] == [400, 400]
