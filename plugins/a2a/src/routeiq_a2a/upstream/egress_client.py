"""The HTTP client that the A2A library's transports get: every call goes through the gateway's egress.

What is sent and what it means is the transports' business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import httpx

from routeiq_a2a.upstream.failures import Refused, WrongAnswer
from routeiq_sdk.gateway import EgressResponse, EgressService
from routeiq_sdk.values.delegation import Challenge

_JSON = ("application/json", "application/a2a+json", "application/problem+json")
_EVENTS = "text/event-stream"
_FIRST_ERROR = 400
_REDIRECTS = range(300, 400)
_HEADERS_OF_OURS = frozenset({"host", "content-length", "accept-encoding", "user-agent", "connection"})
_MOST_ERROR_BYTES = 64 * 1024


class EgressClient:
    """Has of `httpx.AsyncClient` what the transports use. It makes no connection: `gateway.egress` does."""

    is_closed = False

    def __init__(
        self,
        egress: EgressService,
        *,
        timeout: float,
        most_bytes: int,
        untrusted: bool,
        tenants: Iterable[str] = (),
        stream_bytes: int = 0,
    ) -> None:
        self._egress = egress
        self._timeout = timeout
        self._most = most_bytes
        self._stream_most = stream_bytes or most_bytes
        self._untrusted = untrusted
        self._tenants = tuple(tenants)

    def build_request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Any = None,
        timeout: Any = None,
    ) -> httpx.Request:
        """The request that the transports ask for."""
        return httpx.Request(method, url, params=params or None, headers=headers, json=json)

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Make the call. Raises `Refused`, `WrongAnswer`, and what the egress raises."""
        stack = AsyncExitStack()
        try:
            answer = await stack.enter_async_context(
                self._egress.call(
                    request.method,
                    str(request.url),
                    headers={n: v for n, v in request.headers.items() if n.lower() not in _HEADERS_OF_OURS},
                    body=request.content or None,
                    timeout_seconds=self._timeout,
                    max_bytes=self._most,
                    untrusted=self._untrusted,
                    tenants=self._tenants,
                )
            )
            kind = _checked(answer)
            if stream and kind == _EVENTS:
                body = _Events(answer, stack, self._most, self._stream_most)
                return httpx.Response(answer.status, headers={"content-type": kind}, stream=body, request=request)
            raw = await answer.read()
        except BaseException:
            await stack.aclose()
            raise
        await stack.aclose()
        return httpx.Response(
            answer.status, headers={"content-type": kind or "text/plain"}, content=raw, request=request
        )


def _checked(answer: EgressResponse) -> str:
    """The media type of an answer that may be one of A2A."""
    status = answer.status
    if status in (401, 403):
        raise Refused(Challenge(status, answer.headers.get("www-authenticate", "")))
    if status in _REDIRECTS:
        raise WrongAnswer("redirects, which is not followed")
    kind = str(answer.headers.get("content-type", "")).partition(";")[0].strip().lower()
    if status < _FIRST_ERROR and kind not in (*_JSON, _EVENTS, ""):
        raise WrongAnswer(f"answered with {kind[:80]!r}, which is neither JSON nor an event stream")
    if status >= _FIRST_ERROR and kind not in _JSON:
        raise WrongAnswer(f"answered with status {status}")
    return kind


class _Events(httpx.AsyncByteStream):
    """A stream of events, bounded in each event and in all."""

    def __init__(self, answer: EgressResponse, stack: AsyncExitStack, event_bytes: int, all_bytes: int) -> None:
        self._answer = answer
        self._stack = stack
        self._event_bytes = event_bytes
        self._all_bytes = all_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = since_line = 0
        async for chunk in self._answer.chunks():
            total += len(chunk)
            end = chunk.rfind(b"\n")
            since_line = since_line + len(chunk) if end < 0 else len(chunk) - end - 1
            if since_line > self._event_bytes or total > self._all_bytes:
                raise WrongAnswer("sends more than the gateway takes")
            yield chunk

    async def aclose(self) -> None:
        await self._stack.aclose()
