"""Whatever a server does, its caller gets one clear error in time, and nothing of the server's address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from routeiq_mcp.seams import McpError
from routeiq_mcp.upstream import ServerSpec, WatchedUpstream, open_upstream
from routeiq_mcp.upstream.failures import Failure
from routeiq_sdk.testing import FakeGateway

from .parts import Client, caller, calling, text_of
from .servers import serving

Way = Callable[[dict[str, Any], Send], Awaitable[None]]
DISCOVERED = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete"}
DONE = {"content": [{"type": "text", "text": "done"}], "resultType": "complete"}
CALL = {"name": "t", "arguments": {}}


async def start(send: Send, status: int, headers: Mapping[str, str]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def whole(send: Send, status: int, body: bytes, **headers: str) -> None:
    await start(send, status, {name.replace("_", "-"): value for name, value in headers.items()})
    await send({"type": "http.response.body", "body": body})


def answer(id: Any, result: Mapping[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "result": result}).encode()


class Scripted:
    """A modern server that answers `server/discover` and then does what the test says."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.hits: list[str] = []
        self.gone = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.hits.append(scope["path"])
        body = b""
        while True:
            message: Message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        rpc = json.loads(body) if body else {}
        if rpc.get("method") == "server/discover":
            await whole(send, 200, answer(rpc["id"], DISCOVERED), content_type="application/json")
        else:
            watching = asyncio.ensure_future(self._watch(receive))
            try:
                await self.way(rpc, send)
            finally:
                watching.cancel()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()


@asynccontextmanager
async def behind(way: Way, **spec: Any) -> AsyncIterator[tuple[WatchedUpstream, Scripted, FakeGateway]]:
    app = Scripted(way)
    async with serving(app) as base, calling(base) as gateway:
        made = {"trusted": True, "timeout_seconds": 5.0, **spec}
        upstream = open_upstream(ServerSpec("odd", url=f"{base}/mcp", **made), gateway)
        yield upstream, app, gateway
        await upstream.close()


async def failure(way: Way, **spec: Any) -> Failure:
    async with behind(way, **spec) as (upstream, _, _), asyncio.timeout(20):
        with pytest.raises(Failure) as caught:
            await upstream.request(caller(), "tools/call", CALL, Client())
        assert upstream.health.last_error == caught.value.kind
        assert upstream.health.errors == 1
        assert "127.0.0.1" not in f"{caught.value} {caught.value.data}"
        assert "odd" in caught.value.message
        return caught.value


class Flood:
    """Sends pieces until its reader is gone, at most `most` of them."""

    def __init__(self, first: Callable[[dict[str, Any]], bytes], piece: bytes, kind: str, most: int) -> None:
        self.first, self.piece, self.kind, self.most = first, piece, kind, most
        self.sent = 0
        self.app: Scripted | None = None

    async def __call__(self, rpc: dict[str, Any], send: Send) -> None:
        await start(send, 200, {"content-type": self.kind})
        await send({"type": "http.response.body", "body": self.first(rpc), "more_body": True})
        while self.app is not None and not self.app.gone.is_set() and self.sent < self.most:
            await send({"type": "http.response.body", "body": self.piece, "more_body": True})
            self.sent += 1
            await asyncio.sleep(0)


LOG = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 1000}}).encode()


@pytest.mark.parametrize(
    ("flood", "most_bytes"),
    [
        (Flood(lambda rpc: answer(rpc["id"], DONE)[:-2], b" " * 2**20, "application/json", 100), 2**20),
        (Flood(lambda rpc: b"data: ", b"a" * 2**20, "text/event-stream", 100), 2**20),
        (Flood(lambda rpc: b"", b"data: a\n" * 2**17, "text/event-stream", 100), 2**20),
        (Flood(lambda rpc: b"", b"data: " + LOG + b"\n\n", "text/event-stream", 10_000), 10_000),
    ],
    ids=["one document", "one line", "one event of many lines", "messages without end"],
)
async def test_an_answer_of_100_megabytes_is_given_up_early(flood: Flood, most_bytes: int) -> None:
    async with behind(flood, max_bytes=most_bytes) as (upstream, app, _), asyncio.timeout(30):
        flood.app = app
        with pytest.raises(Failure) as caught:
            await upstream.request(caller(), "tools/call", CALL, Client())
        assert caught.value.kind == "too_large"
        await app.gone.wait()
        assert 0 < flood.sent < flood.most


async def test_silence_is_given_up() -> None:
    async def silent(rpc: dict[str, Any], send: Send) -> None:
        await asyncio.sleep(30)

    assert (await failure(silent, timeout_seconds=0.2)).kind == "late"


async def test_a_stream_that_only_lives_is_given_up_at_the_hard_limit() -> None:
    async def alive(rpc: dict[str, Any], send: Send) -> None:
        await start(send, 200, {"content-type": "text/event-stream"})
        for _ in range(600):
            await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True})
            await asyncio.sleep(0.05)

    assert (await failure(alive, timeout_seconds=1.0, most_seconds=0.7)).kind == "late"


@pytest.mark.parametrize(
    ("body", "headers", "kind"),
    [
        (b"<html>welcome</html>", {"content_type": "text/html"}, "content_type"),
        (b"{'no': json", {"content_type": "application/json"}, "not_json"),
        (b"data: {'no': json\n\n", {"content_type": "text/event-stream"}, "not_json"),
        (b"[1, 2]", {"content_type": "application/json"}, "protocol"),
        (b'data: {"jsonrpc":"2.0","id":', {"content_type": "text/event-stream"}, "away"),
        (b"", {"content_type": "text/event-stream"}, "away"),
        (b"\x1f\x8b\x08", {"content_type": "application/json", "content_encoding": "gzip"}, "protocol"),
    ],
)
async def test_what_is_no_answer_is_an_error(body: bytes, headers: dict[str, str], kind: str) -> None:
    async def odd(rpc: dict[str, Any], send: Send) -> None:
        await whole(send, 200, body, **headers)

    assert (await failure(odd)).kind == kind


@pytest.mark.parametrize("status", [202, 204, 429, 500, 503])
async def test_a_status_that_brings_no_answer_is_an_error(status: int) -> None:
    async def odd(rpc: dict[str, Any], send: Send) -> None:
        await whole(send, status, b"")

    assert (await failure(odd)).kind in ("protocol", f"status_{status}")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.7/", "/elsewhere", "//[::1]:1/"]
)
async def test_no_redirect_is_followed(code: int, location: str) -> None:
    async def elsewhere(rpc: dict[str, Any], send: Send) -> None:
        await whole(send, code, b"", location=location)

    async with behind(elsewhere) as (upstream, app, _):
        with pytest.raises(Failure) as caught:
            await upstream.request(caller(), "tools/call", CALL, Client())
        assert caught.value.kind == "redirect"
        assert set(app.hits) == {"/mcp"}


async def test_an_answer_to_another_question_is_not_taken() -> None:
    async def other(rpc: dict[str, Any], send: Send) -> None:
        wrong = answer("not-yours", {"content": [{"type": "text", "text": "stolen"}]})
        right = answer(rpc["id"], DONE)
        body = b"data: " + wrong + b"\n\ndata: " + right + b"\n\n"
        await whole(send, 200, body, content_type="text/event-stream")

    async with behind(other) as (upstream, _, _):
        assert text_of(await upstream.request(caller(), "tools/call", CALL, Client())) == "done"


async def test_of_two_answers_the_first_counts() -> None:
    async def twice(rpc: dict[str, Any], send: Send) -> None:
        second = answer(rpc["id"], {"content": [{"type": "text", "text": "second"}]})
        body = b"data: " + answer(rpc["id"], DONE) + b"\n\ndata: " + second + b"\n\n"
        await whole(send, 200, body, content_type="text/event-stream")

    async with behind(twice) as (upstream, _, _):
        for _ in range(3):
            assert text_of(await upstream.request(caller(), "tools/call", CALL, Client())) == "done"


async def test_fields_that_nobody_knows_pass() -> None:
    result = {**DONE, "futureField": {"a": [1, 2.5, None]}, "_meta": {"vendor/x": 1}}

    async def future(rpc: dict[str, Any], send: Send) -> None:
        body = answer(rpc["id"], {**result, "_meta": {**result["_meta"], "io.modelcontextprotocol/serverInfo": {}}})
        await whole(send, 200, body, content_type="application/json; charset=utf-8")

    async with behind(future) as (upstream, _, _):
        assert await upstream.request(caller(), "tools/call", CALL, Client()) == result


async def test_a_question_of_a_modern_server_is_not_answered() -> None:
    async def asks(rpc: dict[str, Any], send: Send) -> None:
        question = json.dumps({"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": {}}).encode()
        body = b"data: " + question + b"\n\ndata: " + answer(rpc["id"], DONE) + b"\n\n"
        await whole(send, 200, body, content_type="text/event-stream")

    async with behind(asks) as (upstream, app, _):
        client = Client()
        assert text_of(await upstream.request(caller(), "tools/call", CALL, client)) == "done"
        assert client.asked == []
        assert len(app.hits) == 2


async def test_a_dead_server_is_away() -> None:
    async def unused(rpc: dict[str, Any], send: Send) -> None:
        raise AssertionError

    async with serving(Scripted(unused)) as base:
        pass
    async with calling(base) as gateway:
        upstream = open_upstream(ServerSpec("odd", url=f"{base}/mcp", trusted=True), gateway)
        with pytest.raises(Failure) as caught:
            await upstream.request(caller(), "tools/list", {}, Client())
        assert caught.value.kind == "away"
        assert base.removeprefix("http://") not in caught.value.message


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_an_address_that_only_the_operator_may_call_is_refused_to_rows_of_others(transport: Any) -> None:
    async def unused(rpc: dict[str, Any], send: Send) -> None:
        raise AssertionError

    app = Scripted(unused)
    async with serving(app) as base, calling(base) as gateway:
        upstream = open_upstream(ServerSpec("odd", transport=transport, url=f"{base}/mcp", trusted=False), gateway)
        with pytest.raises(McpError) as caught:
            await upstream.request(caller(), "tools/list", {}, Client())
        assert isinstance(caught.value, Failure)
        assert caught.value.kind == "refused"
        assert app.hits == []


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/mcp", "http://10.1.2.3/mcp", "http://[::1]/mcp", "file:///etc/x"]
)
async def test_addresses_that_nobody_allowed_are_refused(url: str) -> None:
    async with calling() as gateway:
        upstream = open_upstream(ServerSpec("odd", url=url, trusted=True), gateway)
        with pytest.raises(Failure) as caught:
            await upstream.request(caller(), "tools/list", {}, Client())
        assert caught.value.kind == "refused"
