"""Fixtures of the end-to-end tests: real clients of a gateway, raw connections to it, and a look for leaks.
The gateway and the upstreams themselves come from the test kit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import CodeType
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio

from routeiq_sdk import Record
from routeiq_testkit.gateway import TestGateway

OpenAIClient = Callable[..., openai.AsyncOpenAI]
AnthropicClient = Callable[..., anthropic.AsyncAnthropic]


@pytest_asyncio.fixture
async def openai_client() -> AsyncIterator[OpenAIClient]:
    """A function that makes the official client of a gateway; it does not retry by itself."""
    async with AsyncExitStack() as stack:

        def make(gw: TestGateway, **options: Any) -> openai.AsyncOpenAI:
            told = {"api_key": gw.key, "base_url": f"{gw.url}/v1", "max_retries": 0, **options}
            client = openai.AsyncOpenAI(**told)
            stack.push_async_callback(client.close)
            return client

        yield make


@pytest_asyncio.fixture
async def anthropic_client() -> AsyncIterator[AnthropicClient]:
    """A function that makes the official client of a gateway; it does not retry by itself."""
    async with AsyncExitStack() as stack:

        def make(gw: TestGateway, **options: Any) -> anthropic.AsyncAnthropic:
            told = {"api_key": gw.key, "base_url": gw.url, "max_retries": 0, **options}
            client = anthropic.AsyncAnthropic(**told)
            stack.push_async_callback(client.close)
            return client

        yield make


@dataclass(frozen=True)
class RawAnswer:
    """What came back over a raw connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    closed: bool

    def json(self) -> Any:
        return json.loads(self.body)


class RawConnection:
    """One TCP connection to a gateway, for what no HTTP client would send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self.reader = reader
        self.writer = writer
        self._key = key

    async def head(self, path: str = "/v1/chat/completions", **headers: str) -> None:
        """Send the head of a POST with the key."""
        told = {"host": "localhost", "authorization": f"Bearer {self._key}", "content-type": "application/json"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def post(self, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> RawAnswer:
        """Send a whole request, whatever its bytes are, and read the answer."""
        await self.head(path, content_length=str(len(body)), **headers)
        await self.send(body)
        return await self.answer()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, seconds: float = 5.0) -> RawAnswer:
        """The next answer; its body must have a length."""
        async with asyncio.timeout(seconds):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return RawAnswer(int(first.split()[1]), headers, body, self.reader.at_eof())

    async def until_closed(self, seconds: float = 5.0) -> bytes:
        """All that comes until the gateway closes the connection."""
        async with asyncio.timeout(seconds):
            return await self.reader.read()

    def leave(self) -> None:
        """Go away without a word."""
        self.writer.transport.abort()


RawClient = Callable[[TestGateway], Awaitable[RawConnection]]


@pytest_asyncio.fixture
async def raw_client() -> AsyncIterator[RawClient]:
    """A function that opens a raw connection to a gateway."""
    opened: list[RawConnection] = []

    async def connect(gw: TestGateway) -> RawConnection:
        host, _, port = gw.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        opened.append(RawConnection(reader, writer, gw.key))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.leave()


def _code(task: asyncio.Task[Any]) -> CodeType | None:
    return getattr(task.get_coro(), "cr_code", None)


def _of_a_request(task: asyncio.Task[Any]) -> bool:
    code = _code(task)
    return code is not None and any(
        f"/routeiq/{room}/" in code.co_filename for room in ("request", "upstream", "limits")
    )


NothingLeft = Callable[..., Awaitable[Sequence[Record]]]


@pytest.fixture
def nothing_left() -> NothingLeft:
    """A function that waits until a gateway is at rest, looks for leaks, and returns the records: exactly `count`."""

    async def look(gw: TestGateway, count: int = 1) -> Sequence[Record]:
        records = await gw.recorded(count)
        shared = gw.runtime.shared
        async with asyncio.timeout(5.0):
            while shared.in_flight.now or shared.background.running or any(map(_of_a_request, asyncio.all_tasks())):
                await asyncio.sleep(0.005)
        assert len(gw.records()) == count
        return records

    return look
