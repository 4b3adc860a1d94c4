"""Which reply a request gets, what is remembered of it, and how the server itself behaves."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from routeiq_testkit import RecordedRequest, Reply, ScriptedUpstream
from routeiq_testkit.replies import BaseReply


async def said(http: aiohttp.ClientSession, upstream: ScriptedUpstream, model: str = "m") -> str:
    async with http.post(f"{upstream.base_url}/chat/completions", json={"model": model, "messages": []}) as response:
        body = await response.json()
    return str(body["choices"][0]["message"]["content"] if response.ok else response.status)


async def test_replies_are_played_in_order_then_the_default(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession
) -> None:
    scripted_upstream.script(Reply.chat("one"), Reply.rate_limited(1))
    scripted_upstream.default = Reply.chat("else")
    assert [await said(http, scripted_upstream) for _ in range(4)] == ["one", "429", "else", "else"]
    assert scripted_upstream.unplayed == 0


async def test_a_models_own_script_and_default_come_first(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession
) -> None:
    scripted_upstream.script(Reply.chat("anyone"))
    scripted_upstream.script_for("a", Reply.error(500))
    scripted_upstream.default_for("a", Reply.chat("still a"))
    asked = ["a", "b", "a", "a", "b"]
    answers = [await said(http, scripted_upstream, model) for model in asked]
    assert answers == ["500", "anyone", "still a", "still a", "Hello from upstream."]
    assert [request.model for request in scripted_upstream.requests] == asked


async def test_the_request_is_remembered_as_it_came(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession
) -> None:
    sent = b'{"model": "m",  "odd":"spacing"}'
    headers = {"Authorization": "Bearer sk-x", "Content-Type": "application/json"}
    async with http.post(f"{scripted_upstream.base_url}/chat/completions?api=1", data=sent, headers=headers):
        pass
    request = scripted_upstream.requests[0]
    assert (request.method, request.path, request.query) == ("POST", "/v1/chat/completions", "api=1")
    assert request.body == sent
    assert request.json == json.loads(sent)
    assert request.headers["authorization"] == request.headers["AUTHORIZATION"] == "Bearer sk-x"
    assert "Cookie" not in request.headers
    assert request.received_at > 0
    assert request.answered.is_set()
    assert not request.disconnected.is_set()


async def test_chunked_uploads_and_large_bodies_arrive_whole(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession
) -> None:
    async def parts() -> object:
        for _ in range(40):
            yield b"x" * 100_000

    async with http.post(f"{scripted_upstream.base_url}/embeddings", data=parts(), expect100=True) as response:
        assert response.status == 200
    assert len(scripted_upstream.requests[0].body) == 4_000_000
    assert scripted_upstream.requests[0].fields == {}


async def test_a_connection_is_kept_for_the_next_request_until_a_reply_closes_it(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession
) -> None:
    await said(http, scripted_upstream)
    await said(http, scripted_upstream)
    assert scripted_upstream.connections_seen == 1
    assert [request.connection for request in scripted_upstream.requests] == [1, 1]
    scripted_upstream.script(Reply.raw(b"HTTP/1.1 503 Gone\r\ncontent-length: 0\r\n\r\n"))
    async with http.post(f"{scripted_upstream.base_url}/chat/completions") as response:
        assert response.status == 503
    await scripted_upstream.until_idle()
    await said(http, scripted_upstream)
    assert scripted_upstream.connections_seen == 2


async def test_a_reply_can_be_chosen_by_the_request(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession
) -> None:
    def by_model(request: RecordedRequest) -> BaseReply:
        return Reply.chat(f"I am {request.model}")

    scripted_upstream.default = Reply.choose(by_model)
    assert await said(http, scripted_upstream, "z") == "I am z"


@pytest.mark.parametrize(
    ("path", "stream", "status", "kind"),
    [
        ("/chat/completions", True, 200, "text/event-stream"),
        ("/completions", False, 200, "application/json"),
        ("/completions", True, 200, "text/event-stream"),
        ("/embeddings", False, 200, "application/json"),
        ("/messages", False, 200, "application/json"),
        ("/messages", True, 200, "text/event-stream"),
        ("/messages/count_tokens", False, 200, "application/json"),
        ("/nothing", False, 404, "application/json"),
    ],
)
async def test_without_a_script_the_answer_fits_the_path(
    scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession, path: str, stream: bool, status: int, kind: str
) -> None:
    async with http.post(scripted_upstream.base_url + path, json={"model": "m", "stream": stream}) as response:
        assert (response.status, response.content_type) == (status, kind)
        assert await response.read()


async def test_own_headers_win(scripted_upstream: ScriptedUpstream, http: aiohttp.ClientSession) -> None:
    scripted_upstream.script(Reply.chat().with_headers({"Content-Type": "text/plain", "x-request-id": "mine"}))
    async with http.post(f"{scripted_upstream.base_url}/chat/completions") as response:
        assert (response.content_type, response.headers["x-request-id"]) == ("text/plain", "mine")


async def test_a_bad_request_line_is_refused(scripted_upstream: ScriptedUpstream) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(scripted_upstream.origin.rpartition(":")[2]))
    writer.write(b"NOT HTTP AT ALL\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 400 ")
    writer.close()
    await writer.wait_closed()
    assert scripted_upstream.requests == []


async def test_leaving_closes_what_is_open_and_refuses_the_next(http: aiohttp.ClientSession) -> None:
    async with ScriptedUpstream(default=Reply.hang()) as upstream:
        call = asyncio.ensure_future(said(http, upstream))
        await upstream.until_requests(1)
    with pytest.raises(aiohttp.ClientError):
        await call
    assert upstream.open_connections == 0
    with pytest.raises(aiohttp.ClientConnectorError):
        await said(http, upstream)


async def test_a_reply_that_fails_to_render_fails_the_test(http: aiohttp.ClientSession) -> None:
    def broken(request: RecordedRequest) -> BaseReply:
        raise LookupError("no such reply")

    with pytest.raises(ExceptionGroup) as failed:
        async with ScriptedUpstream(default=Reply.choose(broken)) as upstream:
            with pytest.raises(aiohttp.ClientError):
                await said(http, upstream)
    assert failed.group_contains(LookupError, match="no such reply")


async def test_waiting_for_what_never_comes_ends(scripted_upstream: ScriptedUpstream) -> None:
    with pytest.raises(TimeoutError):
        await scripted_upstream.until_requests(1, timeout=0.05)
