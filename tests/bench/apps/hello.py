"""The server's own floor: read the body, answer a fixed completion of about 570 bytes.
No upstream, no parsing, no streaming."""

from __future__ import annotations

import orjson

from bench.apps.asgi import Receive, Scope, Send, accept_lifespan, read_body

MESSAGE = {"role": "assistant", "content": "x" * 420}
ANSWER = orjson.dumps(
    {"id": "chatcmpl-hello", "object": "chat.completion", "choices": [{"index": 0, "message": MESSAGE}]}
)
HEAD = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await accept_lifespan(receive, send)
        return
    await read_body(receive)
    await send({"type": "http.response.start", "status": 200, "headers": HEAD})
    await send({"type": "http.response.body", "body": ANSWER})
