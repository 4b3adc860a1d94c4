"""The default engine: one documented `hypercorn.asyncio.serve` on the inherited socket.

No process handling lives here: Hypercorn's own, for several workers, cuts live streams.
"""

from __future__ import annotations

import inspect
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp

from routeiq.server.engine import ENGINE_MARGIN_SECONDS
from routeiq.server.listener import BACKLOG
from routeiq.server.settings import ServerSettings
from routeiq.server.unread import Unread
from routeiq_sdk.errors import ConfigError


class HypercornEngine:
    name = "hypercorn"
    requires = "hypercorn"
    safe_alone = True

    async def serve(
        self,
        app: ASGIApp,
        sock: socket.socket,
        settings: ServerSettings,
        shutdown: Callable[[], Awaitable[None]],
    ) -> None:
        from hypercorn.asyncio import serve
        from hypercorn.config import Config

        config = Config()
        config.bind = [f"fd://{os.dup(sock.fileno())}"]  # Hypercorn owns and closes the descriptor it is given
        config.backlog = BACKLOG
        config.certfile, config.keyfile = settings.certfile, settings.keyfile
        config.accesslog = None
        config.errorlog = logging.getLogger("hypercorn.error")
        config.errorlog.setLevel(logging.WARNING)
        config.include_server_header = False
        config.graceful_timeout = settings.grace_seconds + ENGINE_MARGIN_SECONDS
        config.keep_alive_timeout = settings.keep_alive_seconds
        config.keep_alive_max_requests = sys.maxsize
        config.h11_max_incomplete_size = settings.head_kib * 1024
        # `read_timeout` stays unset: it also runs while an answer streams, and would cut long streams.

        config.alpn_protocols = ["http/1.1"]
        _offer_http1_only()

        async def trigger() -> None:
            await shutdown()
            sock.close()

        await serve(Unread(app), config, shutdown_trigger=trigger, mode="asgi")


def _offer_http1_only() -> None:
    """Hypercorn has no setting against `Upgrade: h2c` (its 101 opens a tunnel past a front proxy's rules), nor against
    HTTP/2 without asking (such a connection may stay silent for ever). One method looks for both. Without it these
    requests reach our guards as what they are, and get a 400."""
    from hypercorn.protocol.h11 import H11Protocol

    if not inspect.iscoroutinefunction(getattr(H11Protocol, "_check_protocol", None)):
        raise ConfigError(
            "this version of Hypercorn is unknown: it might accept HTTP/2 upgrades",
            mend='pip install "hypercorn>=0.18,<0.19"',
        )
    H11Protocol._check_protocol = _stay_with_http1


async def _stay_with_http1(protocol: object, request: object) -> None:
    pass
