"""Promise: the official OpenAI Python client works unmodified: plain, streamed, tools, errors, headers.
What the gateway does when a provider fails is tested beside this file.
"""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from routeiq_testkit import Reply, ScriptedUpstream, ToolCall, Usage
from routeiq_testkit.gateway import openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
PRICED = {"input_cost_per_token": 0.000002, "output_cost_per_token": 0.000008}


async def test_a_plain_answer_comes_back_whole(gateway, scripted_upstream: ScriptedUpstream, openai_client) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    up.script(Reply.chat("Bonjour.", usage=Usage(12, 3, cached_tokens=4)))
    answer = await openai_client(gw).chat.completions.create(model="fast", messages=HELLO, temperature=0.25, user="ada")
    assert answer.choices[0].message.content == "Bonjour."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "fast"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (12, 3)
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    (asked,) = up.requests
    assert asked.json == {"model": "scripted-model", "messages": HELLO, "temperature": 0.25, "user": "ada"}
    assert asked.headers["authorization"] == "Bearer sk-upstream"
    (record,) = await gw.recorded()
    assert (record.status, record.end_user, record.usage.cached_tokens) == (200, "ada", 4)


async def test_the_synchronous_client_works_too(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})

    def talk() -> tuple[str | None, str]:
        with openai.OpenAI(api_key=gw.key, base_url=f"{gw.url}/v1", max_retries=0) as client:
            plain = client.chat.completions.create(model="fast", messages=HELLO)
            chunks = client.chat.completions.create(model="fast", messages=HELLO, stream=True)
            return plain.choices[0].message.content, "".join(c.choices[0].delta.content or "" for c in chunks)

    assert await asyncio.to_thread(talk) == ("Hello from upstream.", "Hello from upstream.")


async def test_a_stream_keeps_pieces_order_and_end(gateway, scripted_upstream: ScriptedUpstream, openai_client) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    up.script(Reply.stream(["Grüße", " aus", " 東京", "!"]).chopped(7))
    stream = await openai_client(gw).chat.completions.create(model="fast", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content] == ["Grüße", " aus", " 東京", "!"]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {chunk.model for chunk in chunks} == {"fast"}
    (record,) = await gw.recorded()
    assert (record.status, record.stream, record.error_type) == (200, True, None)


async def test_a_client_that_did_not_ask_for_usage_gets_none_but_it_is_recorded(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    up.script(Reply.stream(usage=Usage(11, 5)))
    stream = await openai_client(gw).chat.completions.create(model="fast", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert up.requests[0].json["stream_options"] == {"include_usage": True}
    (record,) = await gw.recorded()
    assert (record.usage.input_tokens, record.usage.output_tokens, record.usage.estimated) == (11, 5, False)


@pytest.mark.parametrize(("profile", "told"), [("1.109", True), ("1.80", False)])
async def test_the_usage_chunk_comes_when_asked_with_its_cost_in_the_new_profile(
    gateway, scripted_upstream: ScriptedUpstream, openai_client, profile: str, told: bool
) -> None:
    up = scripted_upstream
    gw = await gateway(
        {
            "model_list": [openai_row("fast", up.base_url, **PRICED)],
            "routeiq": {"compat": {"litellm_profile": profile}},
        }
    )
    up.script(Reply.stream(usage=Usage(11, 5)))
    stream = await openai_client(gw).chat.completions.create(
        model="fast", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    last = chunks[-1]
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (11, 5)
    extra = last.usage.model_extra or {}
    assert extra.get("cost") == (pytest.approx(0.000062) if told else None)


async def test_tool_calls_arrive_plain_and_in_fragments(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    call = ToolCall("weather", {"city": "Zürich"}, id="call_9")
    client = openai_client(gw)
    up.script(Reply.chat(tool_calls=[call]))
    answer = await client.chat.completions.create(model="fast", messages=HELLO, tools=[WEATHER], tool_choice="auto")
    assert answer.choices[0].finish_reason == "tool_calls"
    (made,) = answer.choices[0].message.tool_calls
    assert (made.id, made.function.name, made.function.arguments) == ("call_9", "weather", call.arguments_text())
    assert up.requests[0].json["tools"] == [WEATHER]

    up.script(Reply.stream(tool_calls=[call, ToolCall("weather", {"city": "Bern"}, id="call_10")]))
    async with client.chat.completions.stream(model="fast", messages=HELLO, tools=[WEATHER]) as stream:
        final = await stream.get_final_completion()
    streamed = final.choices[0].message.tool_calls
    assert [c.id for c in streamed] == ["call_9", "call_10"]
    assert streamed[0].function.arguments == call.arguments_text()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_a_providers_error_is_the_clients_typed_exception(
    gateway, scripted_upstream: ScriptedUpstream, openai_client, status: int, expected: type[openai.APIStatusError]
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)], "router_settings": {"num_retries": 0}})
    up.script(Reply.error(status, "some_error", "It went wrong."))
    with pytest.raises(expected) as caught:
        await openai_client(gw).chat.completions.create(model="fast", messages=HELLO)
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert "It went wrong." in caught.value.body["message"]
    assert caught.value.body["code"] == str(status)
    assert caught.value.response.headers["x-litellm-call-id"]
    (record,) = await gw.recorded()
    assert (record.status, record.cost) == (status, None)


async def test_a_rate_limit_tells_when_to_come_back(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)], "router_settings": {"num_retries": 0}})
    up.script(Reply.rate_limited(7))
    with pytest.raises(openai.RateLimitError) as caught:
        await openai_client(gw).chat.completions.create(model="fast", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.type == "throttling_error"


async def test_a_wrong_key_is_an_authentication_error(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    with pytest.raises(openai.AuthenticationError):
        await openai_client(gw, api_key="sk-nobody-knows-this-one").chat.completions.create(
            model="fast", messages=HELLO
        )
    assert scripted_upstream.requests == []


async def test_the_raw_response_carries_the_headers_of_the_contract(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    row = openai_row("fast", up.base_url, timeout=20, **PRICED)
    row["model_info"] = {"id": "row-1"}
    gw = await gateway({"model_list": [row], "router_settings": {"num_retries": 1}})
    limits = {"x-ratelimit-remaining-requests": "99", "x-ratelimit-limit-tokens": "1000", "x-own": "kept"}
    up.script(Reply.chat(usage=Usage(100, 10)).with_headers(limits))
    raw = await openai_client(gw).chat.completions.with_raw_response.create(model="fast", messages=HELLO)
    headers = raw.headers
    assert raw.parse().choices[0].message.content
    (record,) = await gw.recorded()
    expected = {
        "x-litellm-call-id": record.request_id,
        "x-litellm-model-id": "row-1",
        "x-litellm-model-group": "fast",
        "x-litellm-model-api-base": up.base_url,
        "x-litellm-version": "1.109.1",
        "x-litellm-response-cost": "0.00028",
        "x-litellm-attempted-retries": "0",
        "x-litellm-attempted-fallbacks": "0",
        "x-litellm-max-retries": "1",
        "x-litellm-timeout": "20",
        "x-ratelimit-remaining-requests": "99",
        "x-ratelimit-limit-tokens": "1000",
        "llm_provider-x-ratelimit-remaining-requests": "99",
        "llm_provider-x-own": "kept",
        "x-routeiq-request-id": record.request_id,
        "x-routeiq-decision-id": record.decision_id,
        "x-routeiq-model": "fast",
        "x-routeiq-config": record.config[:16],
    }
    assert {name: headers.get(name) for name in expected} == expected
    assert headers["x-routeiq-version"]
    assert float(headers["x-litellm-response-duration-ms"]) >= float(headers["x-litellm-overhead-duration-ms"]) >= 0
    assert sum(len(name) + len(value) + 4 for name, value in headers.raw) < 4096
    assert headers["request-id"] == "req_scripted_1"


async def test_a_stream_has_the_same_headers_before_its_first_event(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    client = openai_client(gw)
    async with client.chat.completions.with_streaming_response.create(
        model="fast", messages=HELLO, stream=True
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["x-litellm-model-group"] == "fast"
        assert response.headers["x-litellm-call-id"]
        lines = [line async for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"


async def test_embeddings_come_as_floats_and_as_the_clients_own_base64(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("embed", up.base_url, "scripted-embedder")]})
    client = openai_client(gw)
    packed = await client.embeddings.create(model="embed", input=["one", "two"])
    plain = await client.embeddings.create(model="embed", input=["one", "two"], encoding_format="float")
    assert [len(item.embedding) for item in packed.data] == [8, 8]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding)
    assert packed.model == "embed"
    assert up.requests[0].path == "/v1/embeddings"
    records = await gw.recorded(2)
    assert {record.surface for record in records} == {"embeddings"}
    assert records[0].usage.input_tokens == packed.usage.prompt_tokens


async def test_legacy_completions_come_plain_and_streamed(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    client = openai_client(gw)
    plain = await client.completions.create(model="fast", prompt="Say hello")
    assert plain.choices[0].text == "Hello from upstream."
    stream = await client.completions.create(model="fast", prompt="Say hello", stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Hello from upstream."
    assert [request.path for request in up.requests] == ["/v1/completions", "/v1/completions"]
    assert plain.model == "fast"


async def test_models_are_listed_and_found_one_by_one(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    base = scripted_upstream.base_url
    gw = await gateway({"model_list": [openai_row("fast", base), openai_row("org/slow", base)]})
    client = openai_client(gw)
    assert [model.id async for model in client.models.list()] == ["fast", "org/slow"]
    assert (await client.models.retrieve("org/slow")).owned_by == "openai"
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("nobody")
    assert caught.value.param == "model"
