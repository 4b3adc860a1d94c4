"""The small parts: frames however they are cut, the pool of sessions, headers of tools, silence."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_mcp.upstream.patience import Patience
from routeiq_mcp.upstream.sessions import IDLE_SECONDS, SessionKey, Sessions
from routeiq_mcp.upstream.tool_headers import ToolHeaders, header_paths
from routeiq_mcp.wire.sse import Event, Reader, TooLarge
from routeiq_sdk.testing.services import FakeClock

STREAM = (
    b"\xef\xbb\xbf: hello\r\nid: 1\r\nretry: 250\r\ndata: \r\n\r\n"
    b'event: message\ndata: {"a":\ndata: 1}\n\n'
    b"id: 2\rdata:x\r\rdata: \xc3\xa9\n\nevent: other\ndata: y\n\ndata: cut off"
)
EVENTS = [
    Event("", "message", "1", 250),
    Event('{"a":\n1}', "message", "1"),
    Event("x", "message", "2"),
    Event("é", "message", "2"),
    Event("y", "other", "2"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    reader, found = Reader(1000), []
    places = [0, *sorted(cuts), len(STREAM)]
    for begin, end in pairwise(places):
        found += reader.feed(STREAM[begin:end])
    assert found == EVENTS


@given(st.integers(1, 200))
def test_no_frame_above_the_bound_is_held(size: int) -> None:
    reader, held = Reader(1000), 0
    with pytest.raises(TooLarge):
        for _ in range(2000):
            reader.feed(b"data: " if held == 0 else b"")
            reader.feed(b"a" * size)
            held += size
    assert held <= 1000 + size


@dataclass(eq=False)
class Session:
    """A session of the test."""

    number: int
    alive: bool = True


class Pool:
    """A pool, and what it opened and closed."""

    def __init__(self, most: int = 3) -> None:
        self.clock = FakeClock()
        self.opened = 0
        self.closed: list[int] = []
        self.pool: Sessions[Session] = Sessions(self.clock, lambda session: self.closed.append(session.number), most)

    async def open(self) -> Session:
        self.opened += 1
        await asyncio.sleep(0)
        return Session(self.opened)

    async def use(self, caller: str) -> int:
        async with self.pool.use(SessionKey(caller, ""), self.open) as session:
            await asyncio.sleep(0)
            return session.number


async def test_one_session_is_opened_however_many_ask_at_once() -> None:
    pool = Pool()
    assert set(await asyncio.gather(*(pool.use("a") for _ in range(20)))) == {1}


async def test_the_pool_is_bounded_and_the_oldest_goes_first() -> None:
    pool = Pool(most=3)
    for name in ("a", "b", "c", "a", "d", "e"):
        await pool.use(name)
    assert pool.closed == [2, 3]
    assert await pool.use("a") == 1


async def test_a_session_that_nobody_used_for_long_is_ended() -> None:
    pool = Pool()
    await pool.use("a")
    pool.clock.advance(IDLE_SECONDS + 1)
    await pool.use("b")
    assert pool.closed == [1]
    assert await pool.use("a") == 3


async def test_a_session_in_use_is_not_ended() -> None:
    pool = Pool(most=1)
    async with pool.pool.use(SessionKey("a", ""), pool.open) as session:
        pool.clock.advance(IDLE_SECONDS * 2)
        for name in ("b", "c"):
            await pool.use(name)
        assert session.number not in pool.closed


async def test_a_session_that_could_not_be_opened_leaves_nothing_behind() -> None:
    pool = Pool()

    async def fails() -> Session:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        async with pool.pool.use(SessionKey("a", ""), fails):
            raise AssertionError
    assert len(pool.pool) == 0
    assert await pool.use("a") == 1


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    "bad",
    [
        schema(a={"type": "number", "x-mcp-header": "A"}),
        schema(a={"type": "string", "x-mcp-header": ""}),
        schema(a={"type": "string", "x-mcp-header": "a b"}),
        schema(a={"type": "string", "x-mcp-header": 1}),
        schema(a={"type": ["string"], "x-mcp-header": "A"}),
        schema(a={"type": "string", "x-mcp-header": "A"}, b={"type": "string", "x-mcp-header": "a"}),
        schema(a={"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}),
        {"type": "object", "x-mcp-header": "A"},
        {"type": "object", "anyOf": [schema(a={"type": "string", "x-mcp-header": "A"})]},
    ],
)
def test_a_tool_whose_annotations_are_not_valid_is_left_out(bad: dict[str, Any]) -> None:
    assert header_paths(bad) is None
    assert ToolHeaders().learn([{"name": "t", "inputSchema": bad}]) == []


def test_arguments_that_are_not_there_have_no_header() -> None:
    headers = ToolHeaders()
    told = schema(a={"type": "string", "x-mcp-header": "A"}, n={"type": "integer", "x-mcp-header": "N"})
    assert len(headers.learn([{"name": "t", "inputSchema": told}])) == 1
    assert headers.headers("t", {"a": " x", "n": 3}) == {"mcp-param-a": "=?base64?IHg=?=", "mcp-param-n": "3"}
    assert headers.headers("t", {"a": None, "n": [1]}) == {}
    assert headers.headers("other", {"a": "x"}) == {}
    assert headers.headers("t", "no object") == {}


async def test_patience_ends_renews_and_is_suspended() -> None:
    loop = asyncio.get_running_loop()
    patience = Patience(0.2)
    began = loop.time()
    with pytest.raises(TimeoutError):
        async with patience.waiting():
            await asyncio.sleep(0.1)
            patience.renew()
            with patience.suspended():
                await asyncio.sleep(0.4)
            await asyncio.Event().wait()
    assert loop.time() - began >= 0.69
    async with Patience(None).waiting():
        await asyncio.sleep(0)
