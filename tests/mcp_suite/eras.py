"""What a server of one era alone says to a client of the other, on one HTTP path.

What it says within its own era is the server's business.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from mcp_types import HEADER_MISMATCH, INVALID_REQUEST, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Eras = Literal["both", "legacy", "modern"]
_HEADER = b"mcp-protocol-version"


def gated(app: ASGIApp, eras: Eras) -> ASGIApp:
    """`app`, which serves both eras, with the door to one of them closed."""
    return {"both": app, "legacy": _legacy_only(app), "modern": _modern_only(app)}[eras]


def _legacy_only(app: ASGIApp) -> ASGIApp:
    """A server that was written before 2026-07-28: a version that it does not know is a bad request to it."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        version = _version(scope)
        if scope["type"] == "http" and version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
            known = ", ".join(HANDSHAKE_PROTOCOL_VERSIONS)
            text = f"Bad Request: unsupported protocol version {version}. Supported versions: {known}"
            await _refusal(INVALID_REQUEST, text, request_id="server-error")(scope, receive, send)
            return
        await app(scope, receive, send)

    return serve


def _modern_only(app: ASGIApp) -> ASGIApp:
    """A server that has forgotten the handshake: no session, no stream to GET, no version before 2026-07-28."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        version = _version(scope)
        if scope["type"] != "http" or (version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS):
            await app(scope, receive, send)
            return
        if scope["method"] != "POST":
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
            return
        body = await _json_body(receive)
        params = body.get("params")
        requested = params.get("protocolVersion") if body.get("method") == "initialize" and params else version
        if requested is None:
            text = "Bad Request: the header MCP-Protocol-Version is missing"
            await _refusal(HEADER_MISMATCH, text, request_id=body.get("id"))(scope, receive, send)
            return
        data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": requested}
        text = f"Unsupported protocol version: {requested}"
        answer = _refusal(UNSUPPORTED_PROTOCOL_VERSION, text, request_id=body.get("id"), data=data)
        await answer(scope, receive, send)

    return serve


def _version(scope: Scope) -> str | None:
    values: list[bytes] = [value for name, value in scope.get("headers", ()) if name == _HEADER]
    return values[0].decode("latin-1") if values else None


async def _json_body(receive: Receive) -> dict[str, Any]:
    read = bytearray()
    while True:
        message: Message = await receive()
        read += message.get("body", b"")
        if not message.get("more_body"):
            break
    try:
        body = json.loads(bytes(read))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _refusal(code: int, message: str, *, request_id: Any, data: Any = None) -> Response:
    error = {"code": code, "message": message, **({"data": data} if data is not None else {})}
    return JSONResponse({"jsonrpc": "2.0", "id": request_id, "error": error}, status_code=400)
