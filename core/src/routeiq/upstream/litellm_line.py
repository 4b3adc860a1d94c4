"""The connections that litellm opens: each belongs to a call of the gateway, and goes out through the egress.

Nothing about models or messages lives here, and no transport but the egress's own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import AsyncIterator
from contextvars import ContextVar

import httpx

from routeiq.egress import Egress, EgressRefused, Reach, httpx_transport

_ERROR_BODY = 1 << 20
_BLOCKING_SECONDS = 600.0
_TAIL_PARTS = 4

_line: ContextVar[Line | None] = ContextVar("litellm_line", default=None)


class LineBroken(httpx.ReadError):
    """What the library above is told of every failure of a connection.

    litellm sends a request again after `ConnectError` and `RemoteProtocolError`; whether to do that is decided by the
    attempt loop alone.
    """


class AnswerTooLarge(Exception):
    """A whole answer beyond the bound."""


class Line:
    """What one call of litellm sends and gets, remembered so that a failure can be told as it was.

    `answer` is the newest answer with a status of 300 or more, with its body, `tail` the newest bytes of any other;
    `failure` is what broke a connection.
    """

    def __init__(
        self, egress: Egress, max_bytes: int | None, *, untrusted: bool = False, reach: Reach | None = None
    ) -> None:
        self._transport = httpx_transport(egress, untrusted=untrusted, reach=reach)
        self._loop = asyncio.get_running_loop()
        self._max_bytes = max_bytes
        self._open: list[httpx.AsyncByteStream] = []
        self._blocking: set[concurrent.futures.Future[httpx.Response]] = set()
        self._closed = False
        self.sent = 0
        self.headers: dict[str, str] = {}
        self.answer: httpx.Response | None = None
        self.failure: Exception | None = None
        self.tail: deque[bytes] = deque(maxlen=_TAIL_PARTS)

    def use(self) -> None:
        """Let connections of the running task, and of threads it starts, go out here."""
        _line.set(self)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request of the library's."""
        if self._closed:
            raise LineBroken("the call is over", request=request)
        self.answer = self.failure = None
        self.tail.clear()
        try:
            response = await self._transport.handle_async_request(request)
        except (EgressRefused, httpx.TransportError) as error:
            raise self.broken(error, request) from error
        self.sent += 1
        self.headers = dict(response.headers)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        if self._closed:  # meanwhile; nobody would give this connection back
            await response.stream.aclose()
            raise LineBroken("the call is over", request=request)
        self._open.append(response.stream)
        watched = _Watched(self, response.stream, request, self._max_bytes)
        if response.status_code < 300:
            return httpx.Response(
                response.status_code,
                headers=response.headers.multi_items(),
                stream=watched,
                extensions=response.extensions,
            )
        told = await _told(response, watched)
        self.answer = _decoded(response, told)
        return httpx.Response(
            response.status_code,
            headers=response.headers.multi_items(),
            stream=httpx.ByteStream(told),
            extensions=response.extensions,
        )

    def send_and_wait(self, request: httpx.Request) -> httpx.Response:
        """Send a request of a thread's. On the event loop itself it is refused, since nothing else could run."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise LineBroken("a blocking call on the event loop is refused", request=request)
        future = asyncio.run_coroutine_threadsafe(self._whole(request), self._loop)
        self._blocking.add(future)
        try:
            return future.result(_BLOCKING_SECONDS)
        except concurrent.futures.CancelledError:
            raise LineBroken("the call is over", request=request) from None
        except TimeoutError:
            future.cancel()
            raise LineBroken("a blocking call took too long", request=request) from None
        finally:
            self._blocking.discard(future)

    async def _whole(self, request: httpx.Request) -> httpx.Response:
        response = await self.send(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        parts = [part async for part in response.stream]
        return httpx.Response(
            response.status_code,
            headers=response.headers.multi_items(),
            stream=httpx.ByteStream(b"".join(parts)),
            extensions=response.extensions,
        )

    def broken(self, error: Exception, request: httpx.Request) -> LineBroken:
        """Note what broke a connection, and say it in the library's words."""
        self.failure = error
        return LineBroken(str(error) or type(error).__name__, request=request)

    async def close(self) -> None:
        """Give every connection back; those with an unread rest are cut."""
        self._closed = True
        for future in tuple(self._blocking):
            future.cancel()
        for stream in self._open:
            await stream.aclose()
        self._open.clear()


class _Watched(httpx.AsyncByteStream):
    def __init__(self, line: Line, inner: httpx.AsyncByteStream, request: httpx.Request, bound: int | None) -> None:
        self._line = line
        self._inner = inner
        self._request = request
        self._bound = bound

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for part in self._inner:
                size += len(part)
                if self._bound is not None and size > self._bound:
                    raise AnswerTooLarge(f"the provider's answer is larger than {self._bound >> 20} MiB")
                self._line.tail.append(part)
                yield part
        except (AnswerTooLarge, httpx.TransportError) as error:
            raise self._line.broken(error, self._request) from error

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _told(response: httpx.Response, stream: httpx.AsyncByteStream) -> bytes:
    body = bytearray()
    async for part in stream:
        body += part
        if len(body) > _ERROR_BODY:
            break
    await stream.aclose()
    return bytes(body)


def _decoded(response: httpx.Response, body: bytes) -> httpx.Response:
    try:
        return httpx.Response(response.status_code, headers=response.headers.multi_items(), content=body)
    except httpx.DecodingError:
        return httpx.Response(response.status_code, headers={})


def _line_of(request: httpx.Request) -> Line:
    line = _line.get()
    if line is None:
        raise LineBroken("litellm may connect only on behalf of a request", request=request)
    return line


class Door(httpx.AsyncBaseTransport):
    """The transport of all of litellm's async clients: every request takes the line of the call it belongs to."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await _line_of(request).send(request)


class BlockingDoor(httpx.BaseTransport):
    """The same for its blocking clients, which fetch tokens for some providers in a thread of their own."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = httpx.Request(
            request.method,
            request.url,
            headers=request.headers.multi_items(),
            content=request.read(),
            extensions=request.extensions,
        )
        return _line_of(request).send_and_wait(asked)
