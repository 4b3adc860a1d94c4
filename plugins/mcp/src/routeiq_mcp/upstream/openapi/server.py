"""The `Upstream` in front of an HTTP API: lists its operations as tools and calls them.

The document comes from a file of the operator, read once, or from a URL, read again from time to time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import structlog

from routeiq_mcp.seams import Era, Json, McpError, Peer, ServerFacts
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.calling import Caller, failure_of
from routeiq_mcp.upstream.config import ServerSpec
from routeiq_mcp.upstream.openapi.calls import BadArguments, call_of, refusal, result_of
from routeiq_mcp.upstream.openapi.document import MOST_BYTES, BadDocument, read
from routeiq_mcp.upstream.openapi.operations import Operation, operations_of
from routeiq_mcp.upstream.patience import Patience
from routeiq_mcp.wire import versions
from routeiq_mcp.wire.codes import INVALID_PARAMS, METHOD_NOT_FOUND
from routeiq_sdk import ConfigError, Context, Gateway

log = structlog.get_logger("routeiq.mcp")

_FRESH_SECONDS: Final = 600.0
_RETRY_SECONDS: Final = 30.0
_MOST_INSTRUCTIONS: Final = 2000


class _Api:
    """A document that was read."""

    def __init__(self, spec: ServerSpec, document: Mapping[str, Any]) -> None:
        self.base_url = _base_url(spec, document)
        self.operations: dict[str, Operation] = operations_of(document, spec.operations, spec.name)
        info = document.get("info")
        self.info: Mapping[str, Any] = info if isinstance(info, dict) else {}


class OpenApiUpstream:
    """One API."""

    era: Era = "modern"
    version = versions.LATEST_MODERN

    def __init__(self, spec: ServerSpec, gateway: Gateway, api: _Api | None) -> None:
        self._spec = spec
        self._gateway = gateway
        self._caller = Caller(spec, gateway)
        self._api = api
        self._again_at = 0.0
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        """The server's name."""
        return self._spec.name

    async def facts(self, ctx: Context) -> ServerFacts:
        """What the document says of the API."""
        api = await self._read(ctx)
        told = api.info.get("description")
        info = {"name": str(api.info.get("title") or self.name), "version": str(api.info.get("version") or "")}
        text = told[:_MOST_INSTRUCTIONS] if isinstance(told, str) else None
        return ServerFacts({"tools": {}}, info, text, versions=versions.MODERN)

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """List the operations, or call one."""
        if method == "tools/list":
            api = await self._read(ctx)
            return {"resultType": "complete", "tools": [one.tool for one in api.operations.values()]}
        if method == "tools/call":
            api = await self._read(ctx)
            operation = api.operations.get(str(params.get("name")))
            if operation is None:
                raise McpError(INVALID_PARAMS, f"the server {self.name} has no such tool")
            arguments = params.get("arguments")
            return await self._call(ctx, api, operation, arguments if isinstance(arguments, Mapping) else {})
        raise McpError(METHOD_NOT_FOUND, f"no such method: {method}")

    async def listen(self, ctx: Context, wanted: Json) -> AsyncGenerator[tuple[str, Json], None]:
        """An API says nothing by itself."""
        return
        yield

    async def close(self) -> None:
        """Nothing is open."""

    async def _call(self, ctx: Context, api: _Api, operation: Operation, arguments: Mapping[str, Any]) -> Json:
        try:
            call = call_of(operation, api.base_url, arguments)
        except BadArguments as error:
            return refusal(str(error))
        spec = self._spec
        try:
            async with (
                asyncio.timeout(spec.most_seconds),
                self._caller.call(
                    ctx,
                    operation.method,
                    call.url,
                    headers=call.headers,
                    body=call.body,
                    patience=Patience(spec.timeout_seconds),
                    seconds=spec.most_seconds,
                ) as answer,
            ):
                body = await answer.read()
                uri = f"openapi://{self.name}/{operation.name}"
                return result_of(answer.status, answer.media_type, body, uri)
        except TimeoutError:
            raise failures.late(self.name) from None

    async def _read(self, ctx: Context) -> _Api:
        if self._spec.document is not None:
            assert self._api is not None
            return self._api
        async with self._lock:
            now = self._gateway.clock.monotonic()
            if self._api is not None and now < self._again_at:
                return self._api
            try:
                self._api = await self._fetch(ctx)
                self._again_at = now + _FRESH_SECONDS
            except McpError as error:
                if self._api is None:
                    raise
                self._again_at = now + _RETRY_SECONDS  # an older document is better than none
                log.warning("an OpenAPI document was not read again", server=self.name, reason=error.message)
            return self._api

    async def _fetch(self, ctx: Context) -> _Api:
        """No credential goes along: the document may be somebody else's than the API."""
        spec, principal = self._spec, ctx.identified
        try:
            async with self._gateway.egress.call(
                "GET",
                spec.url or "",
                timeout_seconds=spec.timeout_seconds,
                max_bytes=MOST_BYTES,
                untrusted=not spec.trusted,
                tenants=() if principal is None else principal.tenants,
            ) as response:
                if 300 <= response.status < 400:
                    raise failures.redirecting(self.name)
                if response.status != 200:
                    raise failures.status(self.name, response.status)
                data = await response.read()
        except Exception as error:
            raise failure_of(error, self.name) from None
        try:
            return await asyncio.to_thread(_Api, spec, await asyncio.to_thread(read, data))
        except BadDocument as error:
            log.warning("an OpenAPI document cannot be used", server=self.name, reason=str(error))
            raise failures.not_the_protocol(self.name, "its OpenAPI document cannot be used") from None


def open_document(spec: ServerSpec, gateway: Gateway) -> OpenApiUpstream:
    """The API of a row; a file is read now. Raises `ConfigError`."""
    where = f"mcp_servers.{spec.name}"
    if spec.document is None:
        if spec.url is None:
            raise ConfigError(f"{where} names no OpenAPI document", mend="write spec_path")
        return OpenApiUpstream(spec, gateway, None)
    if not spec.trusted:
        raise ConfigError(f"mcp server {spec.name} reads a file, and that is for rows of the YAML alone")
    try:
        with spec.document.open("rb") as file:
            api = _Api(spec, read(file.read(MOST_BYTES + 1)))
    except OSError as error:
        raise ConfigError(f"{where}: {spec.document} cannot be read: {error.strerror}") from None
    except BadDocument as error:
        raise ConfigError(f"{where}: {spec.document} cannot be used: {error}") from None
    return OpenApiUpstream(spec, gateway, api)


def _base_url(spec: ServerSpec, document: Mapping[str, Any]) -> str:
    """The operator's, or the document's own while it stays at the document's origin."""
    if spec.base_url is not None:
        return spec.base_url
    if spec.url is None:
        raise BadDocument("write the API's address (url) beside a document that is a file")
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else None
    written = first.get("url") if isinstance(first, Mapping) else None
    base = urljoin(spec.url, written) if isinstance(written, str) else urljoin(spec.url, "/")
    if urlsplit(base)[:2] != urlsplit(spec.url)[:2] or "{" in base:
        raise BadDocument("its API is at another address; name that in the row")
    return base
