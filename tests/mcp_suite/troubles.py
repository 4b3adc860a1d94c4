"""Ways in which an upstream misbehaves on one request; `None` is to behave.

Which requests suffer is the recording upstream's business.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.types import Receive, Send

Trouble = Callable[[Mapping[str, Any], Receive, Send], Awaitable[bool]]
"""`(rpc, receive, send)` of one request, its body read; true if it has been answered, however badly."""

METADATA_ADDRESS = "http://169.254.169.254/latest/meta-data/"
_PIECE = 2**20


def status(code: int, body: bytes = b"", **headers: str) -> Trouble:
    """Answer with this status; underscores in header names stand for hyphens."""

    async def answer(rpc: Mapping[str, Any], receive: Receive, send: Send) -> bool:
        await _whole(send, code, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return answer


def html() -> Trouble:
    """A page instead of a message, as a captive portal sends it."""
    return status(200, b"<!doctype html><title>Welcome</title>", content_type="text/html")


def garbage() -> Trouble:
    """What claims to be JSON and is none."""
    return status(200, b'{"jsonrpc": "2.0", "id": 1, "result": {', content_type="application/json")


def redirect(location: str = METADATA_ADDRESS, code: int = 307) -> Trouble:
    """Send the caller elsewhere."""
    return status(code, location=location)


def delay(seconds: float) -> Trouble:
    """Answer as always, later."""

    async def wait(rpc: Mapping[str, Any], receive: Receive, send: Send) -> bool:
        await asyncio.sleep(seconds)
        return False

    return wait


def hang() -> Trouble:
    """Never answer; it is over when the caller hangs up."""

    async def wait(rpc: Mapping[str, Any], receive: Receive, send: Send) -> bool:
        while (await receive())["type"] != "http.disconnect":
            pass
        return True

    return wait


def drip(seconds: float = 0.05) -> Trouble:
    """A stream that is kept alive for ever and says nothing."""

    async def answer(rpc: Mapping[str, Any], receive: Receive, send: Send) -> bool:
        await _start(send, 200, {"content-type": "text/event-stream"})
        gone = asyncio.ensure_future(hang()(rpc, receive, send))
        try:
            while not gone.done():
                await send({"type": "http.response.body", "body": b": still here\r\n\r\n", "more_body": True})
                await asyncio.wait([gone], timeout=seconds)
        finally:
            gone.cancel()
        return True

    return answer


def cut() -> Trouble:
    """Hang up in the middle of an answer that promised to be longer."""

    async def answer(rpc: Mapping[str, Any], receive: Receive, send: Send) -> bool:
        await _start(send, 200, {"content-type": "application/json", "content-length": "1000"})
        await send({"type": "http.response.body", "body": b'{"jsonrpc": "2.0", ', "more_body": True})
        raise ConnectionAbortedError("as the test wished")

    return answer


def huge(size: int = 100 * 2**20, *, as_events: bool = False) -> Trouble:
    """A well-formed result of a tool whose text has `size` bytes, in pieces, without saying its length beforehand."""

    async def answer(rpc: Mapping[str, Any], receive: Receive, send: Send) -> bool:
        hole = "\0"
        content = [{"type": "text", "text": hole}]
        message = {"jsonrpc": "2.0", "id": rpc.get("id"), "result": {"resultType": "complete", "content": content}}
        head, tail = json.dumps(message).encode().split(json.dumps(hole)[1:-1].encode())
        if as_events:
            head, tail = b"event: message\r\ndata: " + head, tail + b"\r\n\r\n"
        kind = "text/event-stream" if as_events else "application/json"
        await _start(send, 200, {"content-type": kind})
        await send({"type": "http.response.body", "body": head, "more_body": True})
        left = size
        while left:
            piece = min(left, _PIECE)
            await send({"type": "http.response.body", "body": b"a" * piece, "more_body": True})
            left -= piece
        await send({"type": "http.response.body", "body": tail})
        return True

    return answer


def other_id() -> Trouble:
    """A well-formed answer to a question that nobody asked."""

    async def answer(rpc: Mapping[str, Any], receive: Receive, send: Send) -> bool:
        message = {"jsonrpc": "2.0", "id": "not-yours", "result": {"resultType": "complete", "content": []}}
        await _whole(send, 200, json.dumps(message).encode(), {"content-type": "application/json"})
        return True

    return answer


async def _start(send: Send, code: int, headers: Mapping[str, str]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": code, "headers": raw})


async def _whole(send: Send, code: int, body: bytes, headers: Mapping[str, str]) -> None:
    await _start(send, code, {**headers, "content-length": str(len(body))})
    await send({"type": "http.response.body", "body": body})
