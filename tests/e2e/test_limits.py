"""Promise: the road's own bounds hold, and a request they refuse is answered, logged and found like any other.
What a body says is `test_bad_input`'s; raw HTTP on every engine is tested with the server.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import openai
import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
MIB = 1 << 20
TOO_LARGE = {"error": "Request size is too large. Max size is 1 MB"}
BASE_HEADERS = (
    "x-litellm-call-id",
    "x-routeiq-request-id",
    "x-litellm-version",
    "x-routeiq-version",
    "x-routeiq-config",
)


async def _gateway(gateway: Any, up: ScriptedUpstream, **limits: Any) -> Any:
    return await gateway({"model_list": [openai_row("fast", up.base_url)], "routeiq": {"limits": limits}})


async def test_a_huge_body_is_refused_by_its_told_length(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream, body_mib=1)
    connection = await raw_client(gw)
    await connection.head(content_length=str(100 * MIB))
    answer = await connection.answer()  # before a byte of it is sent
    assert (answer.status, answer.json()) == (413, TOO_LARGE)
    assert all(name in answer.headers for name in BASE_HEADERS)
    await connection.until_closed()
    (record,) = await nothing_left(gw)
    assert (record.status, record.error_type) == (413, "request_too_large")


async def test_a_huge_chunked_body_is_refused_when_the_bound_is_reached(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream, body_mib=1)
    connection = await raw_client(gw)
    await connection.head(transfer_encoding="chunked")
    block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    for _ in range(17):
        await connection.send(block)
    answer = await connection.answer()
    assert (answer.status, answer.json()) == (413, TOO_LARGE)
    await connection.until_closed()
    (record,) = await nothing_left(gw)
    assert record.status == 413
    assert scripted_upstream.connections_seen == 0


@pytest.mark.parametrize("chunked", [False, True])
async def test_real_clients_see_the_413_of_a_hundred_megabytes(
    gateway, scripted_upstream: ScriptedUpstream, chunked: bool
) -> None:
    gw = await _gateway(gateway, scripted_upstream, body_mib=1)

    async def blocks() -> Any:
        for _ in range(100):
            yield b"x" * MIB

    async with gw.session.post("/v1/chat/completions", data=blocks() if chunked else b"x" * (100 * MIB)) as response:
        assert (response.status, await response.json()) == (413, TOO_LARGE)


async def test_an_anthropic_client_sees_its_own_413(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client
) -> None:
    gw = await _gateway(gateway, scripted_upstream, body_mib=1)
    much: Any = [{"role": "user", "content": "x" * (3 * MIB)}]
    with pytest.raises(anthropic.APIStatusError) as caught:
        await anthropic_client(gw).messages.create(model="fast", max_tokens=5, messages=much)
    assert caught.value.status_code == 413
    assert caught.value.body["error"]["type"] == "request_too_large"


async def test_a_body_just_within_the_bound_passes(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await _gateway(gateway, scripted_upstream, body_mib=1)
    status, _, _ = await gw.chat("fast", "x" * (MIB - 200))
    assert status == 200


async def test_litellms_own_key_for_the_bound_counts(gateway, scripted_upstream: ScriptedUpstream) -> None:
    rows = [openai_row("fast", scripted_upstream.base_url)]
    gw = await gateway({"model_list": rows, "general_settings": {"max_request_size_mb": 0.5}})
    status, _, body = await gw.chat("fast", "x" * MIB)
    assert (status, body) == (413, {"error": "Request size is too large. Max size is 0.5 MB"})


@pytest.mark.parametrize("sent", [b"", b'{"model": '])
async def test_a_slow_body_is_a_408_and_the_end_of_the_connection(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left, sent: bytes
) -> None:
    gw = await _gateway(gateway, scripted_upstream, body_seconds=0.2)
    connection = await raw_client(gw)
    await connection.head(content_length="100")
    await connection.send(sent)
    answer = await connection.answer()
    assert (answer.status, answer.json()["error"]["code"]) == (408, "408")
    assert answer.headers["connection"] == "close"
    await connection.until_closed()
    (record,) = await nothing_left(gw)
    assert record.status == 408


async def test_a_body_that_trickles_cannot_buy_time(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream, body_seconds=0.3)
    connection = await raw_client(gw)
    await connection.head(content_length="10000")

    async def trickle() -> None:
        while True:
            await connection.send(b" ")
            await asyncio.sleep(0.02)

    sending = asyncio.ensure_future(trickle())
    try:
        assert (await connection.answer(2.0)).status == 408
    finally:
        sending.cancel()
        await asyncio.wait((sending,))
    (record,) = await nothing_left(gw)
    assert record.latency_ms < 900


async def test_a_megabyte_of_headers_is_refused_at_the_door(
    gateway, scripted_upstream: ScriptedUpstream, raw_client
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    connection = await raw_client(gw)
    try:
        await connection.head(content_length="2", x_pad="y" * MIB)
    except ConnectionError:
        pass  # it hung up while we were still talking, which is its right
    answer = await connection.until_closed()
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    status, _, _ = await gw.chat("fast")
    assert status == 200
    assert len(scripted_upstream.requests) == 1


async def test_beyond_the_bound_of_requests_in_flight_comes_a_503(
    gateway, scripted_upstream: ScriptedUpstream, openai_client, nothing_left
) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up, in_flight=2)
    up.script(Reply.hang(after_events=2), Reply.hang(after_events=2))
    client = openai_client(gw)
    held = [await client.chat.completions.create(model="fast", messages=HELLO, stream=True) for _ in range(2)]
    await up.until_requests(2)
    with pytest.raises(openai.InternalServerError) as caught:
        await client.chat.completions.create(model="fast", messages=HELLO)
    headers = caught.value.response.headers
    assert (caught.value.status_code, caught.value.type) == (503, "overloaded_error")
    assert float(headers["retry-after"]) > 0
    assert all(headers[name] for name in BASE_HEADERS)
    assert headers["x-litellm-response-cost"] == "0"
    async with gw.session.get("/health/readiness") as response:
        assert response.status == 200  # probes need no place
    for stream in held:
        await stream.response.aclose()
    records = await nothing_left(gw, 3)
    assert sorted(record.status for record in records) == [499, 499, 503]
    refused = next(record for record in records if record.status == 503)
    assert refused.request_id == headers["x-litellm-call-id"]
    assert (await client.chat.completions.create(model="fast", messages=HELLO)).choices
    assert len(up.requests) == 3


async def test_a_refused_anthropic_client_sees_its_own_shape(
    gateway, scripted_upstream: ScriptedUpstream, anthropic_client, openai_client
) -> None:
    gw = await _gateway(gateway, scripted_upstream, in_flight=1)
    scripted_upstream.script(Reply.hang())
    holding = asyncio.ensure_future(gw.chat("fast"))
    await scripted_upstream.until_requests(1)
    with pytest.raises(anthropic.InternalServerError) as caught:
        await anthropic_client(gw).messages.create(model="fast", max_tokens=5, messages=HELLO)
    assert (caught.value.status_code, caught.value.body["error"]["type"]) == (503, "overloaded_error")
    holding.cancel()
    await asyncio.wait((holding,))


async def test_a_burst_is_served_to_the_bound_and_refused_beyond(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream, in_flight=4)
    scripted_upstream.default = Reply.chat().delayed(0.3)
    statuses = [status for status, _, _ in await asyncio.gather(*(gw.chat("fast") for _ in range(12)))]
    assert sorted(statuses) == [200] * 4 + [503] * 8
    records = await nothing_left(gw, 12)
    assert sorted(record.status for record in records) == sorted(statuses)
    assert gw.runtime.shared.in_flight.peak == 4


async def test_while_draining_readiness_fails_and_nobody_is_turned_away(
    gateway, scripted_upstream: ScriptedUpstream, openai_client, nothing_left
) -> None:
    up = scripted_upstream
    gw = await _gateway(gateway, up)
    up.script(Reply.stream(list("abcdefgh"), gap=0.05))
    stream = await openai_client(gw).chat.completions.create(model="fast", messages=HELLO, stream=True)
    gw.app.drain.begin()
    async with gw.session.get("/health/readiness") as response:
        assert response.status == 503
    async with gw.session.get("/health/liveliness") as response:
        assert (response.status, await response.json()) == (200, "I'm alive!")
    status, headers, _ = await gw.chat("fast")  # balancers need a moment to notice
    assert status == 200
    assert all(name in headers for name in BASE_HEADERS)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "abcdefgh"
    assert [record.status for record in await nothing_left(gw, 2)] == [200, 200]


async def test_a_deployments_parallel_requests_are_bounded(
    gateway, scripted_upstream: ScriptedUpstream, openai_client
) -> None:
    up = scripted_upstream
    row = openai_row("fast", up.base_url, max_parallel_requests=1)
    gw = await gateway(
        {
            "model_list": [row],
            "router_settings": {"num_retries": 0},
            "routeiq": {"compat": {"accept_unenforced": ["model_list[].litellm_params.max_parallel_requests"]}},
        }
    )
    client = openai_client(gw)
    up.script(Reply.hang(after_events=3))
    stream = await client.chat.completions.create(model="fast", messages=HELLO, stream=True)
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(model="fast", messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "1"
    assert len(up.requests) == 1
    await stream.response.aclose()
    await gw.recorded(2)
    assert (await client.chat.completions.create(model="fast", messages=HELLO)).choices
