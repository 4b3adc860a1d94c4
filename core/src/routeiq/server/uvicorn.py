"""The uvicorn engine: httptools and uvloop, one `uvicorn.Server` on the inherited socket.

It cannot limit heads or their time, and merges trailers into headers: not for a network without a front proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

from starlette.types import ASGIApp

from routeiq.server.engine import ENGINE_MARGIN_SECONDS
from routeiq.server.listener import BACKLOG
from routeiq.server.settings import ServerSettings


class UvicornEngine:
    name = "uvicorn"
    requires = "uvicorn"
    safe_alone = False

    async def serve(
        self,
        app: ASGIApp,
        sock: socket.socket,
        settings: ServerSettings,
        shutdown: Callable[[], Awaitable[None]],
    ) -> None:
        import uvicorn

        class QuietServer(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                """Signals belong to the worker; uvicorn would raise them again at its end."""
                yield

        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        server = QuietServer(
            uvicorn.Config(
                cast("uvicorn._types.ASGIApplication", app),
                interface="asgi3",
                http="httptools",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
                timeout_graceful_shutdown=math.ceil(settings.grace_seconds + ENGINE_MARGIN_SECONDS),
                ssl_certfile=settings.certfile,
                ssl_keyfile=settings.keyfile,
            )
        )

        async def stop() -> None:
            await shutdown()
            server.should_exit = True

        stopper = asyncio.create_task(stop(), name="uvicorn-stop")
        try:
            await server.serve(sockets=[sock])
        except SystemExit:
            pass  # a failed lifespan start: the worker knows the reason and reports it
        finally:
            stopper.cancel()
            await asyncio.gather(stopper, return_exceptions=True)
