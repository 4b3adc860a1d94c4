"""An ASGI application on a free loopback port, for as long as a test holds it.

What the application does is its owner's business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp


class _Quiet(uvicorn.Server):
    """Leaves the process's signals to whoever owns the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def loopback_socket(port: int = 0) -> socket.socket:
    """A listening socket: clients may connect from now on, they are answered once the application runs."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(512)
    return made


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """`app` under the yielded base URL; streams that are still open at the end are cut."""
    listener = loopback_socket(port)
    config = uvicorn.Config(app, http="h11", log_level="critical", lifespan="auto", timeout_graceful_shutdown=0)
    server = _Quiet(config)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()
