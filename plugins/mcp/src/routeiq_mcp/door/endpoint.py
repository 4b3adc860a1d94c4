"""The HTTP handlers of the door: which era a request speaks, and who answers it.

What the eras say is in `modern` and `legacy`; what a face answers is behind the seams.
"""

from __future__ import annotations

from typing import Final

from routeiq_mcp.door import modern, replies
from routeiq_mcp.door.calls import Calls
from routeiq_mcp.door.legacy import Legacy
from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.door.post import Post
from routeiq_mcp.door.readers import Elsewhere
from routeiq_mcp.door.requests import Modern
from routeiq_mcp.door.slots import Slots
from routeiq_mcp.seams import Face, Faces, McpError
from routeiq_mcp.wire import codes, fields, keys, messages, versions
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_ONLY_POST: Final = {"allow": "POST"}


class DoorAt:
    """The handlers of one path. `server` is the face's name when the path has no `{server}`."""

    def __init__(self, door: Door, server: str | None) -> None:
        self._door = door
        self._server = server

    async def post(self, request: HttpRequest) -> HttpResponse:
        """A message, or a batch of them."""
        return await self._door.posted(request, self._named(request))

    async def get(self, request: HttpRequest) -> HttpResponse:
        """A legacy client's stream of notifications."""
        return await self._door.opened(request, self._named(request))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """The end of a legacy session."""
        return await self._door.ended(request, self._named(request))

    def _named(self, request: HttpRequest) -> str | None:
        return request.path_params.get("server", self._server)


class Door(DoorAt):
    """All faces behind one set of handlers."""

    def __init__(self, faces: Faces, gateway: Gateway, options: DoorOptions) -> None:
        super().__init__(self, None)
        self._faces = faces
        self._options = options
        self._post = Post(gateway)
        self._calls = Calls(options)
        self._elsewhere = Elsewhere(self._calls, self._post, options)
        self._slots = Slots(options)
        self._legacy = Legacy(gateway, options, self._calls, self._post, self._elsewhere, self._slots)
        self._modern = Modern(gateway, options, self._calls, self._post, self._elsewhere, self._slots)

    def at(self, server: str) -> DoorAt:
        """Handlers for a path that serves the face `server` alone."""
        return DoorAt(self, server)

    def start(self) -> None:
        """Listen to the other replicas. Call it in `setup`."""
        self._post.start()

    async def close(self) -> None:
        """End all calls and streams. Call it in `teardown`."""
        await self._legacy.close()
        await self._modern.close()
        await self._elsewhere.close()
        await self._calls.close()

    async def posted(self, request: HttpRequest, server: str | None) -> HttpResponse:
        """Answer a POST at the path of `server`."""
        ctx, face, owner = self._found(request, server)
        if face is None:
            return _nobody()
        headers = request.headers
        if fields.accepts(headers.get("accept")) != (True, True):
            fault = McpError(codes.INVALID_REQUEST, f"a client has to accept both {fields.JSON} and {fields.EVENTS}")
            return replies.error(fault, status=406)
        if not fields.is_json(headers.get("content-type")):
            return replies.error(McpError(codes.INVALID_REQUEST, f"the body has to be {fields.JSON}"), status=415)
        try:
            message = messages.decode(request.body)
        except ValueError:
            return replies.error(McpError(codes.PARSE_ERROR, "the body is no JSON"))
        version = headers.get(keys.VERSION_HEADER)
        if version in versions.MODERN or modern.is_enveloped(message):
            return await self._modern.message(request, ctx, face, owner, message)
        if version is not None and version not in versions.LEGACY:
            id = message.get("id") if isinstance(message, dict) and messages.is_id(message.get("id")) else None
            return replies.error(modern.unsupported(version), id)
        return await self._legacy.message(request, ctx, face, owner, message)

    async def opened(self, request: HttpRequest, server: str | None) -> HttpResponse:
        """Answer a GET at the path of `server`."""
        ctx, face, owner = self._found(request, server)
        if face is None:
            return _nobody()
        wrong = _not_legacy(request)
        return wrong if wrong is not None else await self._legacy.stream(request, ctx, face, owner)

    async def ended(self, request: HttpRequest, server: str | None) -> HttpResponse:
        """Answer a DELETE at the path of `server`."""
        _, face, owner = self._found(request, server)
        if face is None:
            return _nobody()
        wrong = _not_legacy(request)
        return wrong if wrong is not None else await self._legacy.end(request, face, owner)

    def _found(self, request: HttpRequest, server: str | None) -> tuple[Context, Face | None, str]:
        ctx = request.context
        if ctx is None:
            raise RequestError(500, "a request without its context", type="api_error")
        face = self._faces.find(ctx, server)
        caller = request.principal.id if request.principal is not None else ""
        return ctx, face, f"{len(caller)} {caller}\n{face.name}" if face is not None else caller


def _not_legacy(request: HttpRequest) -> HttpResponse | None:
    version = request.headers.get(keys.VERSION_HEADER)
    if version in versions.MODERN:
        fault = McpError(codes.INVALID_REQUEST, f"version {version} of the protocol has only POST")
        return replies.plain(messages.error(None, fault.code, fault.message), 405, _ONLY_POST)
    if version is not None and version not in versions.LEGACY:
        return replies.error(modern.unsupported(version))
    return None


def _nobody() -> HttpResponse:
    return replies.error(McpError(codes.INVALID_REQUEST, "no MCP server is served here"), status=404)
