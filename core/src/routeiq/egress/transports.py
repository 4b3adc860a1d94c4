"""Transports for libraries that bring their own HTTP client: the library speaks, `Egress` connects.

Each library's package is imported inside its function; no library is configured here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import aiohttp
from multidict import CIMultiDict

from routeiq.egress.call import DEFAULT_TIMEOUTS, Timeouts
from routeiq.egress.client import Egress
from routeiq.egress.fetch import REDIRECTS
from routeiq.egress.tenants import Reach

if TYPE_CHECKING:
    import httpx

# They describe one connection, and the client that really makes it writes its own.
CONNECTION_HEADERS = frozenset(
    {"host", "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)


def httpx_transport(egress: Egress, *, untrusted: bool = False, reach: Reach | None = None) -> httpx.AsyncBaseTransport:
    """A transport for `httpx.AsyncClient(transport=...)` under the gateway's rules; `untrusted` and `reach` as in
    `Egress.request`.

    Closing the client leaves `egress` open. A redirect arrives without its `Location`, so no client above follows it.
    """
    import httpx

    class EgressTransport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            url = egress.policy.parse(str(request.url.copy_with(fragment=None)))
            given = request.extensions.get("timeout", {})
            headers = [(name, value) for name, value in request.headers.multi_items() if name not in CONNECTION_HEADERS]
            try:
                response = await egress.request(
                    request.method,
                    url,
                    headers=CIMultiDict(headers),
                    data=_body(request),
                    timeout=Timeouts(
                        connect=given.get("connect", DEFAULT_TIMEOUTS.connect),
                        read=given.get("read", DEFAULT_TIMEOUTS.read),
                    ),
                    untrusted=untrusted,
                    reach=reach,
                    decompress=False,
                )
            except (aiohttp.ClientError, TimeoutError) as error:
                raise _translated(error, request) from error
            redirects = response.status in REDIRECTS
            return httpx.Response(
                response.status,
                headers=[
                    (name, value)
                    for name, value in response.raw_headers
                    if not (redirects and name.lower() == b"location")
                ],
                stream=ResponseStream(response, request),
                extensions={
                    "http_version": b"HTTP/1.1",
                    "reason_phrase": (response.reason or "").encode("latin-1", "replace"),
                },
            )

    class ResponseStream(httpx.AsyncByteStream):
        def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request) -> None:
            self._response = response
            self._request = request

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in self._response.content.iter_any():
                    yield chunk
            except (aiohttp.ClientError, TimeoutError) as error:
                raise _translated(error, self._request) from error

        async def aclose(self) -> None:
            self._response.release()

    return EgressTransport()


def httpx_client(egress: Egress, *, untrusted: bool = False, reach: Reach | None = None) -> httpx.AsyncClient:
    """A client as libraries expect it, on `httpx_transport`: no redirects, nothing from the environment."""
    import httpx

    return httpx.AsyncClient(
        transport=httpx_transport(egress, untrusted=untrusted, reach=reach),
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(DEFAULT_TIMEOUTS.read, connect=DEFAULT_TIMEOUTS.connect),
    )


def _body(request: httpx.Request) -> bytes | httpx.AsyncByteStream | None:
    """The body whole where httpx holds it whole, else as the stream it is."""
    import httpx

    try:
        return request.content or None
    except httpx.RequestNotRead:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        return request.stream


def _translated(error: Exception, request: httpx.Request) -> httpx.TransportError:
    """aiohttp's failure in httpx's words, which is what the library above retries on."""
    import httpx

    kind: type[httpx.TransportError]
    match error:
        case aiohttp.ConnectionTimeoutError():
            kind = httpx.ConnectTimeout
        case TimeoutError():
            kind = httpx.ReadTimeout
        case aiohttp.ClientConnectorError():
            kind = httpx.ConnectError
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            kind = httpx.RemoteProtocolError
        case _:
            kind = httpx.ReadError
    return kind(str(error) or type(error).__name__, request=request)
