"""One HTTP exchange with a native provider: send, wait for the first valid event or the whole answer, hand the rest on.

No retries and no choice of target; a failure is one `UpstreamError`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache

import aiohttp
import msgspec
import orjson

from routeiq.egress import (
    Credentials,
    Egress,
    EgressRefused,
    PendingResponse,
    Timeouts,
    Url,
    parse_operator_url,
)
from routeiq.errors import UpstreamError
from routeiq.upstream.base import Codec, Limits, Reply, Whole
from routeiq.upstream.classify import egress_refusal, http_failure, stream_failure
from routeiq.wires.body import Body
from routeiq.wires.sse import SseSplitter, frames, parse_frame
from routeiq_sdk import Attempt, Context, Deployment

_ERROR_BODY = 1 << 20
_SYNTAX = msgspec.json.Decoder(msgspec.Raw)
_ERROR_EVENT = re.compile(rb'^(?:event:\s*error\s*$|data:\s*\{\s*"(?:error|type)"\s*:\s*(?:\{|"error"))', re.MULTILINE)


class Target:
    """Where a deployment is called and with which key. Built once; the key is bound to its origin.

    `untrusted` says that the address is nobody's word but a database's.
    """

    __slots__ = ("_base", "_urls", "credentials", "untrusted")

    def __init__(self, base: str, key_headers: Mapping[str, str], *, untrusted: bool = False) -> None:
        self.untrusted = untrusted
        self._base = base.rstrip("/")
        self._urls: dict[str, Url] = {}
        self.credentials = Credentials(parse_operator_url(self._base).origin, key_headers)

    def url(self, path: str) -> Url:
        """The address of one of the wire's paths."""
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = parse_operator_url(self._base + path)
        return url


class HttpAdapter:
    """Calls deployments of one native wire through the gateway's egress."""

    def __init__(self, codec: Codec, egress: Egress, targets: Mapping[str, Target]) -> None:
        self._codec = codec
        self._egress = egress
        self._targets = targets

    async def exchange(
        self, ctx: Context, deployment: Deployment, attempt: Attempt, body: Body, limits: Limits
    ) -> Reply:
        """One call. The reply's wire is the codec's choice for this client."""
        call = self._codec.call(deployment, attempt, body)
        target = self._targets[deployment.id]
        wire = self._codec.reply_wire(body.wire)
        try:
            async with asyncio.timeout(limits.answer):
                pending = self._egress.request(
                    "POST",
                    target.url(call.path),
                    headers=call.headers,
                    data=call.body,
                    timeout=_timeouts(limits.connect),
                    credentials=target.credentials,
                    untrusted=target.untrusted,
                    reach=limits.reach,
                )
                return await _open(pending, wire, body.stream, limits)
        except TimeoutError:
            raise UpstreamError("timeout", 0, "Timeout", f"no answer within {limits.answer:g} s") from None
        except EgressRefused as error:
            raise egress_refusal(error) from None
        except aiohttp.ClientConnectorError:
            raise UpstreamError(
                "error", 0, "APIConnectionError", "the provider cannot be reached", dispatched=False
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError("cut", 0, "APIConnectionError", _cut_text(error)) from None

    async def close(self) -> None:
        """Nothing of its own to close: the egress owns the connections."""


@lru_cache(maxsize=64)
def _timeouts(connect: float) -> Timeouts:
    return Timeouts(connect=connect, read=None)  # the deadline of the whole answer is the attempt's


async def _open(pending: PendingResponse, wire: str, stream: bool, limits: Limits) -> Reply:
    response = await pending
    whole = False
    try:
        if response.status >= 400:
            raise http_failure(response.status, response.headers, await _read(response, _ERROR_BODY, cut_at_bound=True))
        if response.status >= 300:
            raise UpstreamError("garbage", response.status, "BadGatewayError", "the provider answered with a redirect")
        if not stream:
            answer = Whole(wire, _json(await _read(response, limits.max_bytes)), response.headers)
            whole = True
            return answer
        reply = HttpStream(response, wire, limits)
        await reply.begin()
        whole = True
        return reply
    finally:
        if not whole:
            _let_go(response)


async def _read(response: aiohttp.ClientResponse, bound: int, *, cut_at_bound: bool = False) -> bytes:
    length = response.content_length
    if length is not None and length <= bound:
        return await response.read()
    if length is not None and not cut_at_bound:
        raise _too_large(response.status, bound)
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > bound:
            response.close()
            if cut_at_bound:
                break
            raise _too_large(response.status, bound)
    return b"".join(parts)


def _too_large(status: int, bound: int) -> UpstreamError:
    return UpstreamError(
        "garbage", status, "BadGatewayError", f"the provider's answer is larger than {bound >> 20} MiB"
    )


def _json(body: bytes) -> bytes:
    try:
        _SYNTAX.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    else:
        if body.lstrip()[:1] == b"{":
            return body
    what = "an HTML page" if body.lstrip()[:1] == b"<" else "something that is not a JSON object"
    raise UpstreamError("garbage", 200, "BadGatewayError", f"the provider answered with {what}")


def _let_go(response: aiohttp.ClientResponse) -> None:
    if response.content.at_eof():
        response.release()
    else:
        response.close()  # the rest of the answer is not wanted: the connection cannot be used again


def _cut_text(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "the provider closed the connection before its answer was complete"
    return "the connection to the provider broke"


def _is_event(rest: bytes) -> bool:
    """Whether a last event only lacks its blank line; half an event is never passed on."""
    data = parse_frame(rest)[1]
    if data == b"[DONE]":
        return True
    try:
        _SYNTAX.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


class HttpStream:
    """A running answer. Blocks hold complete events only, so that they can be looked at and changed as they pass."""

    __slots__ = ("_first", "_idle", "_response", "_splitter", "headers", "wire")

    def __init__(self, response: aiohttp.ClientResponse, wire: str, limits: Limits) -> None:
        self._response = response
        self._idle = limits.idle
        self._splitter = SseSplitter()
        self._first = b""
        self.wire = wire
        self.headers: Mapping[str, str] = response.headers

    async def begin(self) -> None:
        """Wait for the first event and look whether it is one."""
        content_type = self._response.content_type
        if content_type != "text/event-stream":
            body = await _read(self._response, _ERROR_BODY, cut_at_bound=True)
            _json(body)
            raise UpstreamError("garbage", 200, "BadGatewayError", "the provider did not answer with a stream")
        async for chunk in self._response.content.iter_any():
            block = self._feed(chunk)
            self._first += block
            for raw in frames(block):
                _, data = parse_frame(raw)
                if data:
                    self._check(raw, data)
                    return
            # only comments or keep-alives so far
        raise UpstreamError("cut", 0, "APIConnectionError", "the provider closed the stream before its first event")

    def _check(self, raw: bytes, data: bytes) -> None:
        if data == b"[DONE]":
            return
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise UpstreamError("garbage", 200, "BadGatewayError", "the provider's stream is not JSON") from None
        if not isinstance(document, dict):
            raise UpstreamError("garbage", 200, "BadGatewayError", "the provider's stream is not JSON objects")
        if _ERROR_EVENT.search(raw):
            error = document.get("error")
            if isinstance(error, dict):
                raise stream_failure(error)

    def _feed(self, chunk: bytes) -> bytes:
        try:
            return self._splitter.block(chunk)
        except ValueError:
            raise UpstreamError(
                "garbage", 200, "BadGatewayError", "an event of the provider's stream is too large"
            ) from None

    async def blocks(self) -> AsyncIterator[bytes]:
        """The events after one another; the first ones have arrived already."""
        if self._first:
            first, self._first = self._first, b""
            yield first
        content = self._response.content
        idle = self._idle
        try:
            while True:
                async with asyncio.timeout(idle):
                    chunk = await content.readany()
                if not chunk:
                    break
                block = self._feed(chunk)
                if block:
                    yield block
        except TimeoutError:
            raise UpstreamError("timeout", 0, "Timeout", f"the provider was silent for {idle:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError("cut", 0, "APIConnectionError", _cut_text(error)) from None
        rest = self._splitter.remainder
        if _is_event(rest):
            yield rest + b"\n\n"

    async def close(self) -> None:
        """Return the connection when the answer is complete, cut it otherwise."""
        _let_go(self._response)
