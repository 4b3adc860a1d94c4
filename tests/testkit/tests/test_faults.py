"""Each fault is what it claims to be, as a real HTTP client sees it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import get_args

import aiohttp
import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.openai_wire import DONE
from routeiq_testkit.replies.faults import SseFlaw

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.fixture
def url(scripted_upstream: ScriptedUpstream) -> str:
    return f"{scripted_upstream.base_url}/chat/completions"


async def read_until_broken(response: aiohttp.ClientResponse) -> bytes:
    """What arrives before the body breaks off; fails if it does not."""
    got = b""
    with pytest.raises((aiohttp.ClientPayloadError, ConnectionResetError)):
        while part := await response.content.readany():
            got += part
    return got


async def test_latency_precedes_the_head(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.chat().delayed(0.2))
    started = time.monotonic()
    async with http.post(url, json=ASK):
        assert time.monotonic() - started >= 0.19


async def test_events_are_paced(scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str) -> None:
    scripted_upstream.script(Reply.stream(["a", "b"], first_delay=0.15, gap=0.05))
    started = time.monotonic()
    async with http.post(url, json=ASK) as response:
        times = [time.monotonic() - started async for line in response.content if line.startswith(b"data:")]
    assert len(times) == 5
    assert all(seen >= 0.14 + 0.05 * place for place, seen in enumerate(times))


@pytest.mark.parametrize("reply", [Reply.stream(first_delay=60), Reply.slow_body(gap=60)])
async def test_the_head_does_not_wait_for_a_slow_body(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str, reply: Reply
) -> None:
    scripted_upstream.script(reply)
    async with http.post(url, json=ASK) as response:
        assert response.status == 200
        response.close()
    await asyncio.wait_for(scripted_upstream.requests[0].disconnected.wait(), 5)


async def test_hang_holds_until_the_client_leaves_and_sees_it_leave(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.hang())
    call = asyncio.ensure_future(http.post(url, json=ASK))
    request = await scripted_upstream.until_requests(1)
    assert not call.done()
    assert not request.disconnected.is_set()
    call.cancel()
    await asyncio.wait_for(request.disconnected.wait(), 5)
    assert not request.answered.is_set()
    await scripted_upstream.until_idle()
    assert scripted_upstream.open_connections == 0


async def test_hang_after_events_falls_silent_in_mid_stream(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.hang(after_events=2))
    async with http.post(url, json=ASK) as response:
        for _ in range(4):
            assert await response.content.readline()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.readline(), 0.1)
        response.close()
    await asyncio.wait_for(scripted_upstream.requests[0].disconnected.wait(), 5)


async def test_cut_at_once_sends_nothing(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.cut())
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await http.post(url, json=ASK)
    assert not scripted_upstream.requests[0].disconnected.is_set()


async def test_a_cut_ends_the_connection_in_order_or_resets_it(scripted_upstream: ScriptedUpstream) -> None:
    scripted_upstream.script(Reply.cut(), Reply.cut(reset=True), Reply.cut(after_events=1, reset=True))
    assert await raw_exchange(scripted_upstream) == b""
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await raw_exchange(scripted_upstream)


async def test_cut_counts_bytes_on_the_wire_or_behind_the_head(scripted_upstream: ScriptedUpstream) -> None:
    scripted_upstream.script(Reply.cut(after_bytes=20), Reply.cut(after_body_bytes=20))
    assert await raw_exchange(scripted_upstream) == b"HTTP/1.1 200 OK\r\ncontent-type"[:20]
    head, _, body = (await raw_exchange(scripted_upstream)).partition(b"\r\n\r\n")
    assert b"content-length" in head
    assert len(body) == 20


async def test_cut_after_events_breaks_the_stream(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(
        Reply.cut(after_events=2), Reply.cut(after_events=0), Reply.cut(after_events=1, reset=True)
    )
    for events in (2, 0, 1):
        async with http.post(url, json=ASK) as response:
            assert response.status == 200
            got = await read_until_broken(response)
        assert got.count(b"data: ") == events
        assert DONE not in got


def test_cut_takes_one_measure() -> None:
    with pytest.raises(ValueError, match="one of"):
        Reply.cut(after_bytes=1, after_events=1)


async def test_garbage_is_not_http(scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str) -> None:
    scripted_upstream.script(Reply.garbage())
    with pytest.raises(aiohttp.ClientError):
        await http.post(url, json=ASK)


async def test_bodies_that_are_no_json(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.not_json(), Reply.html(503), Reply.empty())
    for status, kind, start in ((200, "application/json", '{"id"'), (503, "text/html", "<html>"), (200, None, "")):
        async with http.post(url, json=ASK) as response:
            text = await response.text()
        assert response.status == status
        assert text.startswith(start)
        assert kind is None or response.content_type == kind
        with pytest.raises(ValueError, match="Expecting"):
            json.loads(text)


async def test_a_redirect_points_elsewhere(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.redirect("http://169.254.1.1/"))
    async with http.post(url, json=ASK, allow_redirects=False) as response:
        assert (response.status, response.headers["location"]) == (307, "http://169.254.1.1/")


@pytest.mark.parametrize("flaw", get_args(SseFlaw))
async def test_malformed_streams_break_after_good_events(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str, flaw: SseFlaw
) -> None:
    scripted_upstream.script(Reply.malformed_sse(flaw, after_events=2))
    async with http.post(url, json=ASK) as response:
        body = await response.read()
    events = body.split(b"\n\n")
    assert all(json.loads(event.removeprefix(b"data: "))["object"] for event in events[:2])
    with pytest.raises(ValueError, match=r"."):
        json.loads(events[2].removeprefix(b"data: "))
    assert body.endswith(DONE) is (flaw != "unfinished")


@pytest.mark.parametrize("stream", [False, True])
async def test_huge_answers_are_valid_and_as_large_as_said(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str, stream: bool
) -> None:
    scripted_upstream.script(Reply.huge(3, stream=stream))
    async with http.post(url, json=ASK) as response:
        body = await response.read()
    if stream:
        answer = json.loads(body.split(b"\n\n")[1].removeprefix(b"data: "))["choices"][0]["delta"]
    else:
        answer = json.loads(body)["choices"][0]["message"]
    assert len(answer["content"]) == 3 * 1024 * 1024


async def test_a_huge_answer_nobody_reads_ends_when_the_client_leaves(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.huge(64))
    async with http.post(url, json=ASK) as response:
        response.close()
    await asyncio.wait_for(scripted_upstream.requests[0].disconnected.wait(), 5)


async def test_a_slow_body_comes_a_few_bytes_at_a_time(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.slow_body("slow", chunk_bytes=64, gap=0.05))
    started = time.monotonic()
    async with http.post(url, json=ASK) as response:
        body = await response.read()
    assert json.loads(body)["choices"][0]["message"]["content"] == "slow"
    assert time.monotonic() - started >= 0.05 * (len(body) // 64) * 0.9


async def test_chopped_bytes_are_the_same_bytes(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, url: str
) -> None:
    scripted_upstream.script(Reply.stream(["zażółć", "🦉"]).chopped(7), Reply.stream(["zażółć", "🦉"]))
    bodies = []
    for _ in range(2):
        async with http.post(url, json=ASK) as response:
            bodies.append(re.sub(r"scripted-\d+|\d{10}", "_", await response.text()))
    assert bodies[0] == bodies[1]
    assert "zażółć" in bodies[0]
    assert "🦉" in bodies[0]


async def test_raw_sends_exactly_what_it_was_given(scripted_upstream: ScriptedUpstream) -> None:
    scripted_upstream.script(Reply.raw(b"SSH-2.0-surprise\r\n"))
    assert await raw_exchange(scripted_upstream) == b"SSH-2.0-surprise\r\n"


async def raw_exchange(upstream: ScriptedUpstream) -> bytes:
    """Post over a plain socket and return every byte until the upstream closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(upstream.origin.rpartition(":")[2]))
    body = json.dumps(ASK).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    got = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return got
