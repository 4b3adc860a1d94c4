"""The least a gateway on Hypercorn can do: body in, one aiohttp call, bytes out as they come.
No keys, no models, no logs; the upstream is read from BENCH_UPSTREAM."""

from __future__ import annotations

import os

import aiohttp

from bench.apps.asgi import Receive, Scope, Send, accept_lifespan, read_body

HEADERS = {"authorization": "Bearer sk-upstream", "content-type": "application/json"}
_session: aiohttp.ClientSession | None = None


def session() -> aiohttp.ClientSession:
    global _session
    if _session is None:  # aiohttp wants a running loop
        connector = aiohttp.TCPConnector(limit=0)
        _session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
    return _session


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await accept_lifespan(receive, send)
        return
    body = await read_body(receive)
    url = os.environ["BENCH_UPSTREAM"] + scope["path"]
    async with session().post(url, data=body, headers=HEADERS) as answer:
        head = [(b"content-type", answer.headers["content-type"].encode())]
        if answer.content_length is not None:
            whole = await answer.read()
            head.append((b"content-length", b"%d" % len(whole)))
            await send({"type": "http.response.start", "status": answer.status, "headers": head})
            await send({"type": "http.response.body", "body": whole})
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        async for block in answer.content.iter_any():
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body"})
