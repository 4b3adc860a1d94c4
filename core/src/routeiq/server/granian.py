"""The granian engine: its embeddable server, one worker in our own process, on the inherited socket.

Its multi-process mode is not used: the supervisor binds, starts and stops processes for every engine alike.
It hides a Content-Length that came with Transfer-Encoding: not for a network without a front proxy.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.types import ASGIApp

from routeiq.server.listener import BACKLOG
from routeiq.server.settings import ServerSettings

SMALLEST_BUFFER = 8192  # granian refuses less


class GranianEngine:
    name = "granian"
    requires = "granian"
    safe_alone = False

    async def serve(
        self,
        app: ASGIApp,
        sock: socket.socket,
        settings: ServerSettings,
        shutdown: Callable[[], Awaitable[None]],
    ) -> None:
        from granian.constants import HTTPModes, Interfaces
        from granian.http import HTTP1Settings
        from granian.net import SocketHolder
        from granian.server.embed import Server

        class InheritingServer(Server):  # type: ignore[misc]
            def _init_shared_socket(self) -> None:
                """granian has no documented way to take a bound socket. Were this method renamed, granian would bind
                the address itself, which is taken, and fail at start: the change cannot go unnoticed."""
                self._shd = SocketHolder(os.dup(sock.fileno()), sock.family == socket.AF_UNIX, BACKLOG)

        # Never its `uds`: the first worker to end would unlink the path that the others still serve.
        address, port = sock.getsockname()[:2] if sock.family != socket.AF_UNIX else ("an inherited path", 0)
        server = InheritingServer(
            app,
            address=address,
            port=port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            websockets=True,
            log_enabled=False,
            backlog=BACKLOG,
            # Concurrency is bounded by the application, which answers 503; granian would wait in silence.
            backpressure=2**16,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(settings.keep_alive_seconds * 1000),
                max_buffer_size=max(SMALLEST_BUFFER, settings.head_kib * 1024),
            ),
            ssl_cert=Path(settings.certfile) if settings.certfile else None,
            ssl_key=Path(settings.keyfile) if settings.keyfile else None,
        )

        async def stop() -> None:
            await shutdown()
            sock.close()
            server.stop()

        stopper = asyncio.create_task(stop(), name="granian-stop")
        try:
            await server.serve()
        finally:
            stopper.cancel()
            await asyncio.gather(stopper, return_exceptions=True)
