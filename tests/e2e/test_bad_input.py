"""Promise: whatever a client sends, it gets an error in its own protocol's shape, one record is kept, nobody is called.
Bodies too large or too slow are `test_limits`'s, clients that leave are `test_disconnects`'s.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import anthropic_row, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


def _chat(**fields: Any) -> bytes:
    return json.dumps({"model": "fast", "messages": HELLO, **fields}).encode()


def _without(field: str) -> bytes:
    body = {"model": "fast", "messages": HELLO}
    del body[field]
    return json.dumps(body).encode()


BODIES: dict[str, tuple[bytes, str | None]] = {
    "nothing at all": (b"", "request_body"),
    "half an object": (b'{"model": "fast", "messages": [', "request_body"),
    "a list": (b"[1, 2]", "request_body"),
    "a string": (b'"model"', "request_body"),
    "null": (b"null", "request_body"),
    "two objects": (_chat() + _chat(), "request_body"),
    "a trailing comma": (b'{"model": "fast", "messages": [],}', "request_body"),
    "a form": (b"model=fast&messages=hello", "request_body"),
    "NaN": (_chat()[:-1] + b', "temperature": NaN}', "request_body"),
    "broken UTF-8": (_chat()[:-1] + b', "user": "\xff\xfe"}', "request_body"),
    "UTF-16": (_chat().decode().encode("utf-16"), "request_body"),
    "a nul byte": (_chat()[:-1] + b', "user": "\x00"}', "request_body"),
    "deep nesting": (_chat()[:-1] + b', "x": ' + b"[" * 200 + b"]" * 200 + b"}", "request_body"),
    "very deep nesting": (b'{"a":' * 100_000, "request_body"),
    "a lone surrogate as the model": (b'{"model": "\\ud800", "messages": []}', "request_body"),
    "a lone surrogate deep inside": (_chat()[:-3] + b', "x": ["\\ud800"]}]}', "request_body"),
    "a number too large": (_chat(num_retries=0)[:-2] + b"1e999}", "request_body"),
    "messages an object": (_chat(messages={}), "messages"),
    "messages a string": (_chat(messages="hello"), "messages"),
    "messages null": (_chat(messages=None), "messages"),
    "no messages": (_without("messages"), "messages"),
    "no model": (_without("model"), "model"),
    "model null": (_chat(model=None), "model"),
    "model empty": (_chat(model=""), "model"),
    "model a number": (_chat(model=3), "model"),
    "model a list": (_chat(model=["fast"]), "model"),
    "unknown model": (_chat(model="nobody"), "model"),
    "a model with a line break": (_chat(model="a\r\nx-evil: 1"), "model"),
    "stream a string": (_chat(stream="yes"), "stream"),
    "stream a number": (_chat(stream=1), "stream"),
    "num_retries a string": (_chat(num_retries="x"), "num_retries"),
    "num_retries negative": (_chat(num_retries=-1), "num_retries"),
    "num_retries a boolean": (_chat(num_retries=True), "num_retries"),
    "timeout a list": (_chat(timeout=[1]), "timeout"),
    "timeout negative": (_chat(timeout=-0.5), "timeout"),
    "fallbacks a string": (_chat(fallbacks="slow"), "fallbacks"),
    "fallbacks of numbers": (_chat(fallbacks=[1]), "fallbacks"),
    "an override that is a list": (_chat(router_settings_override=[]), "router_settings_override"),
    "an override with a wrong number": (
        _chat(router_settings_override={"num_retries": "x"}),
        "router_settings_override.num_retries",
    ),
    "an override with wrong fallbacks": (
        _chat(router_settings_override={"fallbacks": ["slow"]}),
        "router_settings_override.fallbacks",
    ),
    "an override with wrong targets": (
        _chat(router_settings_override={"context_window_fallbacks": {"fast": 3}}),
        "router_settings_override.context_window_fallbacks",
    ),
    "an address": (_chat(api_base="http://169.254.169.254/"), "api_base"),
    "a base URL": (_chat(base_url="http://127.0.0.1:1/"), "base_url"),
    "a provider's key": (_chat(api_key="sk-mine"), "api_key"),
    "provider headers": (_chat(extra_headers={"authorization": "x"}), "extra_headers"),
    "another provider": (_chat(custom_llm_provider="bedrock"), "custom_llm_provider"),
    "an address in a fallback": (_chat(fallbacks=[{"model": "fast", "api_base": "http://127.0.0.1:1/"}]), "api_base"),
}


@pytest.fixture
async def gw(gateway, scripted_upstream: ScriptedUpstream) -> Any:
    up = scripted_upstream
    return await gateway({"model_list": [openai_row("fast", up.base_url), anthropic_row("claude", up.origin)]})


@pytest.mark.parametrize("case", BODIES)
async def test_a_bad_body_is_a_400_in_the_openai_shape(
    gw: Any, raw_client, nothing_left, scripted_upstream: ScriptedUpstream, case: str
) -> None:
    body, param = BODIES[case]
    answer = await (await raw_client(gw)).post(body)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, "400")
    assert error["message"]
    assert "x-evil" not in answer.headers
    (record,) = await nothing_left(gw)
    assert (record.status, record.request_id) == (400, answer.headers["x-litellm-call-id"])
    assert record.attempts == ()
    assert scripted_upstream.connections_seen == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "claude", ',
        json.dumps({"model": "claude", "max_tokens": 5}).encode(),
        json.dumps({"model": "claude", "max_tokens": "5", "messages": HELLO}).encode(),
        json.dumps({"model": "claude", "max_tokens": 5, "messages": {}}).encode(),
        json.dumps({"model": 3, "max_tokens": 5, "messages": HELLO}).encode(),
        json.dumps({"model": "nobody", "max_tokens": 5, "messages": HELLO}).encode(),
        json.dumps({"model": "claude", "max_tokens": 5, "messages": HELLO, "stream": "yes"}).encode(),
        json.dumps({"model": "claude", "max_tokens": 5, "messages": HELLO, "api_key": "mine"}).encode(),
    ],
)
async def test_a_bad_body_is_a_400_in_the_anthropic_shape(
    gw: Any, raw_client, nothing_left, scripted_upstream: ScriptedUpstream, body: bytes
) -> None:
    answer = await (await raw_client(gw)).post(body, MESSAGES)
    assert answer.status == 400
    document = answer.json()
    assert (document["type"], document["error"]["type"]) == ("error", "invalid_request_error")
    (record,) = await nothing_left(gw)
    assert (record.status, record.surface) == (400, "messages")
    assert scripted_upstream.connections_seen == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", b'{"model": "fast"}'),
        ("/v1/completions", b'{"model": "fast", "prompt": {"a": 1}}'),
        ("/v1/embeddings", b'{"model": "fast"}'),
        ("/v1/embeddings", b'{"model": "fast", "input": 7}'),
    ],
)
async def test_each_surface_checks_its_own_field(gw: Any, raw_client, nothing_left, path: str, body: bytes) -> None:
    answer = await (await raw_client(gw)).post(body, path)
    assert answer.status == 400
    assert answer.json()["error"]["param"] in ("prompt", "input")
    await nothing_left(gw)


@pytest.mark.parametrize("value", ["x", "nan", "inf", "-1", "1e999", ""])
@pytest.mark.parametrize("name", ["x_litellm_timeout", "x_litellm_num_retries"])
async def test_a_header_that_is_no_number_is_a_400(gw: Any, raw_client, name: str, value: str) -> None:
    answer = await (await raw_client(gw)).post(_chat(), **{name: value})
    assert (answer.status, answer.json()["error"]["param"]) == (400, name.replace("_", "-"))


async def test_of_duplicate_keys_one_counts_for_all(gw: Any, raw_client, scripted_upstream: ScriptedUpstream) -> None:
    twice = b'{"model": "nobody", "model": "fast", "messages": {}, "messages": [{"role": "user", "content": "a"}]}'
    answer = await (await raw_client(gw)).post(twice)
    assert (answer.status, answer.json()["model"]) == (200, "fast")
    (asked,) = scripted_upstream.requests
    assert asked.body.count(b'"model"') == 1
    assert asked.json["messages"] == [{"role": "user", "content": "a"}]


@pytest.mark.parametrize("odd", [b"1e999", b"123456789012345678901234567890"])
@pytest.mark.parametrize("stream", [False, True])
async def test_values_that_only_the_provider_can_judge_pass_and_are_accounted(
    gw: Any, nothing_left, scripted_upstream: ScriptedUpstream, odd: bytes, stream: bool
) -> None:
    scripted_upstream.script(Reply.stream(usage=False) if stream else Reply.chat(usage=False))
    body = b'{"model": "fast", "stream": %b, "messages": [{"role": "user", "content": "hi", "x": %b}]}'
    data = body % (b"true" if stream else b"false", odd)
    async with gw.session.post(CHAT, data=data) as response:
        await response.read()
    assert response.status == 200
    assert odd in scripted_upstream.requests[0].body
    (record,) = await nothing_left(gw)
    assert (record.status, record.usage.estimated, record.attempts[0].kind) == (200, True, "ok")


async def test_a_connection_serves_on_after_a_bad_body(gw: Any, raw_client, nothing_left) -> None:
    connection = await raw_client(gw)
    for body in (b"{", _chat(model=3), _chat()):
        answer = await connection.post(body)
        assert answer.json()
    assert answer.status == 200
    assert [record.status for record in await nothing_left(gw, 3)] == [200, 400, 400]


async def test_a_model_name_without_end_is_refused_and_not_repeated(gateway: StartGateway) -> None:
    running = await gateway({"model_list": []})
    status, headers, told = await running.chat("m" * 2_000_000)
    assert (status, told["error"]["param"]) == (400, "model")
    assert len(str(told)) + sum(map(len, headers.values())) < 2000
