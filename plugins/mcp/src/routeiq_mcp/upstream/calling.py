"""One HTTP call to a server: who is told to call, what may come back, and each failure in the gateway's words.

What the bodies say is the transports' business. The caller's own credentials never get into a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog

from routeiq_mcp.noting import note
from routeiq_mcp.seams import McpError
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.config import ServerSpec
from routeiq_mcp.upstream.patience import Patience
from routeiq_sdk import Context, Gateway, RequestError, RouteIQError, TraceContext
from routeiq_sdk.gateway import EgressResponse
from routeiq_sdk.values.delegation import Challenge, ConsentNeeded

log = structlog.get_logger("routeiq.mcp")

_REDIRECT = range(300, 400)
_NEVER_PASSED = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "host", "connection", "content-length",
     "content-type", "content-encoding", "transfer-encoding", "te", "upgrade", "accept", "accept-encoding",
     "last-event-id", "traceparent", "tracestate"}
)  # fmt: skip


class Answer:
    """What a server answered. Reading it raises `Failure` for a wire that breaks, is silent or says too much. `sent`
    are the headers that it answered to."""

    def __init__(
        self, response: EgressResponse, server: str, most: int, patience: Patience, sent: Mapping[str, str]
    ) -> None:
        self.sent = sent
        self._response = response
        self._server = server
        self._most = most
        self._patience = patience

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers, case-insensitive."""
        return self._response.headers

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self._response.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives."""
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise failures.not_the_protocol(self._server, "its answer is compressed although that was not asked for")
        arriving = self._response.chunks()
        while True:
            try:
                async with self._patience.waiting():
                    chunk = await anext(arriving, None)
            except Exception as error:
                raise failure_of(error, self._server) from None
            if chunk is None:
                return
            yield chunk

    async def read(self) -> bytes:
        """The whole body."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > self._most:
                raise failures.too_large(self._server, self._most)
        return bytes(body)

    async def json(self) -> Any:
        """The whole body as JSON."""
        return json_of(await self.read(), self._server)


class Caller:
    """Calls one server."""

    def __init__(self, spec: ServerSpec, gateway: Gateway) -> None:
        self._spec = spec
        self._gateway = gateway

    @property
    def name(self) -> str:
        """The server's name."""
        return self._spec.name

    @asynccontextmanager
    async def call(
        self,
        ctx: Context,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        patience: Patience,
        seconds: float,
        trace: TraceContext | None = None,
    ) -> AsyncIterator[Answer]:
        """The server's answer, with any status but a redirect. A refusal of the delegated token is met once with
        another."""
        note(**_place(url))
        sent = self._headers(ctx, headers, trace)
        sent |= await self._credentials(ctx, None)
        async with AsyncExitStack() as stack:
            answer = await self._start(stack, ctx, method, url, sent, body, patience, seconds)
            challenge = challenge_of(answer)
            if challenge is not None:
                if self._spec.auth.mode in ("none", "static"):
                    raise failures.unauthorized(self.name)
                await stack.aclose()
                sent |= await self._credentials(ctx, challenge)
                answer = await self._start(stack, ctx, method, url, sent, body, patience, seconds)
                if challenge_of(answer) is not None:
                    raise failures.unauthorized(self.name)
            if answer.status in _REDIRECT:
                raise failures.redirecting(self.name)
            yield answer

    def passed_on(self, ctx: Context, *, renamed: bool = False) -> dict[str, str]:
        """The client's headers that go upstream as the operator said, besides what delegation adds. `renamed`: only
        those that the client gave for this very server."""
        found: dict[str, str] = {}
        for name, upstream in self._spec.forward_headers.items():
            low = name.lower()
            value = ctx.headers.get(low) if not renamed or low != upstream.lower() else None
            if value is not None and low not in _NEVER_PASSED and not low.startswith("mcp-"):
                found[upstream.lower()] = value
        return found

    async def farewell(self, method: str, url: str, headers: Mapping[str, str], seconds: float) -> None:
        """A last word that nobody waits for; the server need not hear it."""
        try:
            async with self._gateway.egress.call(
                method, url, headers=headers, timeout_seconds=seconds, untrusted=not self._spec.trusted
            ):
                return
        except Exception as error:
            log.debug("a session was not ended", server=self.name, error=type(error).__name__)

    async def _start(
        self,
        stack: AsyncExitStack,
        ctx: Context,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        patience: Patience,
        seconds: float,
    ) -> Answer:
        spec = self._spec
        principal = ctx.identified
        try:
            async with patience.waiting():
                response = await stack.enter_async_context(
                    self._gateway.egress.call(
                        method,
                        url,
                        headers=headers,
                        body=body,
                        timeout_seconds=seconds,
                        max_bytes=spec.max_bytes,
                        untrusted=not spec.trusted,
                        tenants=() if principal is None else principal.tenants,
                    )
                )
        except Exception as error:
            raise failure_of(error, spec.name) from None
        return Answer(response, spec.name, spec.max_bytes, patience, headers)

    def _headers(self, ctx: Context, headers: Mapping[str, str], trace: TraceContext | None) -> dict[str, str]:
        passed = self.passed_on(ctx)
        self._no_credentials(ctx, passed)
        sent = {name.lower(): value.reveal() for name, value in self._spec.headers.items()}
        sent |= passed
        sent |= {name.lower(): value for name, value in headers.items()}
        return sent | trace_headers(trace or ctx.trace)

    async def _credentials(self, ctx: Context, refused: Challenge | None) -> dict[str, str]:
        auth = self._spec.auth
        if auth.mode == "none":
            return {}
        if auth.mode == "static":  # the gateway's own, unless the client has one for this very server
            own = {name.lower(): value.get_secret_value() for name, value in auth.headers.items()}
            return own | self.passed_on(ctx, renamed=True)
        delegation = self._gateway.delegation
        if delegation is None:
            raise failures.unauthorized(self.name)
        given = await delegation.headers(ctx, self._spec.delegate, refused=refused)
        self._no_credentials(ctx, given)
        return {name.lower(): value for name, value in given.items()}

    def _no_credentials(self, ctx: Context, headers: Mapping[str, str]) -> None:
        """Whatever a plugin or the operator thinks, what the caller proves itself with stays here."""
        told = ctx.credential.reveal() if ctx.credential is not None else ""
        if told and any(told in value for value in headers.values()):
            raise failures.passed_on(self.name)


def _place(url: str) -> Mapping[str, str]:
    """Where a server is called, for the record of a call."""
    found = {"upstream_transport": "tcp", "upstream_protocol": "http"}
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return found  # that it cannot be called is told where that is tried
    return {**found, "upstream_address": parts.hostname, "upstream_port": str(port)} if parts.hostname else found


def trace_headers(trace: TraceContext) -> dict[str, str]:
    """W3C Trace Context; the same words stand in `_meta`."""
    told = {"traceparent": trace.traceparent(sampled=trace.sampled is not False)}
    if trace.state:
        told["tracestate"] = trace.state
    return told


def trace_of(ctx: Context, params: Mapping[str, Any]) -> TraceContext:
    """The trace of a call. A client that names its span in `_meta` alone is followed there."""
    meta = params.get("_meta")
    parent = meta.get("traceparent") if isinstance(meta, Mapping) else None
    if not isinstance(parent, str) or "traceparent" in ctx.headers:
        return ctx.trace
    state = meta.get("tracestate") if isinstance(meta, Mapping) else None
    return TraceContext.begin(parent, state if isinstance(state, str) else None)


def challenge_of(answer: Answer) -> Challenge | None:
    """What the server said against our token, if it did."""
    told = answer.headers.get("www-authenticate", "")
    if answer.status == 401 or (answer.status == 403 and "insufficient_scope" in told):
        return Challenge(answer.status, told)
    return None


def failure_of(error: Exception, server: str) -> Exception:
    """What a call ended with, in our words; errors that are in our words already stay."""
    if isinstance(error, McpError | ConsentNeeded | RequestError):
        return error
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return failures.late(server)
    if isinstance(error, RouteIQError):
        return failures.refused(server)
    return failures.away(server)


def json_of(data: bytes | str, server: str) -> Any:
    """A text as JSON. Raises `Failure`."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise failures.not_json(server) from None
