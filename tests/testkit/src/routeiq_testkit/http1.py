"""A small HTTP/1.1 server over raw sockets, with every byte of a response under the reply's control.
It reads requests strictly and writes whatever it is told; what is told lives in `replies`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Self, cast

import h11

from .recording import Headers, RecordedRequest
from .replies.base import BaseReply
from .steps import Close, Hold, Pause, Send, Step

_CLOSING_SECONDS = 5.0
_HEAD_LIMIT = 1024 * 1024


class Http1Server(ABC):
    """Listens on a loopback port while entered; each connection is one task that the server owns."""

    def __init__(self, *, port: int = 0) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._request_numbers = count(1)
        self._connection_numbers = count(1)
        self._changed = asyncio.Event()
        self._failures: list[Exception] = []
        self.connections_seen = 0

    @abstractmethod
    def answer(self, request: RecordedRequest) -> BaseReply:
        """Choose the reply; called once the whole request has been read."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """The origin with `/v1`, as OpenAI clients want it; Anthropic clients take `origin`."""
        return f"{self.origin}/v1"

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = dict(self._connections)
        for task, connection in tasks.items():
            connection.abort()
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSING_SECONDS)
        if self._failures and error is None:
            raise ExceptionGroup("the test server failed to answer", self._failures)

    async def until(self, condition: Callable[[], bool], *, timeout: float = 20.0) -> None:
        """Wait until `condition` holds, looked at again after each event here; TimeoutError if it never does."""
        async with asyncio.timeout(timeout):
            while not condition():
                await self._changed.wait()

    async def until_idle(self, *, timeout: float = 20.0) -> None:
        """Wait until no client has a connection open."""
        await self.until(lambda: not self._connections, timeout=timeout)

    def notice(self) -> None:
        """Wake everyone who waits in `until`."""
        self._changed.set()
        self._changed = asyncio.Event()

    def adopt(self, connection: _Connection) -> int:
        task = asyncio.create_task(connection.serve())
        self._connections[task] = connection
        task.add_done_callback(self._released)
        self.connections_seen += 1
        self.notice()
        return next(self._connection_numbers)

    def next_number(self) -> int:
        return next(self._request_numbers)

    def _released(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task).abort()
        if not task.cancelled() and isinstance(failure := task.exception(), Exception):
            self._failures.append(failure)
        self.notice()


class _Connection(asyncio.Protocol):
    """One client connection: read a request, play its reply, and again."""

    def __init__(self, server: Http1Server) -> None:
        self._server = server
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._leftover = b""
        self._lost = asyncio.Event()
        self._writable = asyncio.Event()
        self._current: RecordedRequest | None = None
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # A write then waits until the kernel has it, so a cut comes after every byte before it.
        self._transport.set_write_buffer_limits(high=0)
        self._writable.set()
        self._number = self._server.adopt(self)

    def data_received(self, data: bytes) -> None:
        self._inbox.put_nowait(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        self._writable.set()
        self._inbox.put_nowait(b"")
        if self._current is not None and not self._current.answered.is_set():
            self._current.disconnected.set()
        self._server.notice()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        self._transport.abort()

    async def serve(self) -> None:
        try:
            while (request := await self._read()) is not None:
                self._current = request
                await self._play(request)
                if request.headers.get("connection", "").lower() == "close":
                    break
        except h11.RemoteProtocolError:
            if not self._lost.is_set():
                self._transport.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self._transport.close()
        await self._lost.wait()

    async def _read(self) -> RecordedRequest | None:
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)
        if self._leftover:
            parser.receive_data(self._leftover)
        head: h11.Request | None = None
        received_at = 0.0
        body = bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._transport.write(parser.send(go_on) or b"")
                parser.receive_data(await self._inbox.get())
            elif isinstance(event, h11.Request):
                head, received_at = event, time.monotonic()
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
            else:
                return None
        self._leftover = parser.trailing_data[0]
        return RecordedRequest(
            number=self._server.next_number(),
            connection=self._number,
            method=head.method.decode("ascii"),
            target=head.target.decode("latin-1"),
            headers=Headers(list(head.headers)),
            body=bytes(body),
            received_at=received_at,
        )

    async def _play(self, request: RecordedRequest) -> None:
        for step in self._server.answer(request).steps(request):
            await self._do(step, request)
            if self._transport.is_closing():
                break
        if not request.disconnected.is_set():
            request.answered.set()
        self._server.notice()

    async def _do(self, step: Step, request: RecordedRequest) -> None:
        match step:
            case Send(data):
                self._transport.write(data)
                await self._writable.wait()
            case Pause(seconds):
                await self._lost_within(seconds)
            case Hold():
                await self._lost.wait()
            case Close(reset):
                request.answered.set()
                if reset:
                    # Lingering for zero seconds turns the close into a reset.
                    raw: socket.socket = self._transport.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self._transport.abort()
                else:
                    self._transport.close()

    async def _lost_within(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._lost.wait(), seconds)
        except TimeoutError:
            pass
