"""Where gRPC is served: one listener in each worker, on one port.

What is answered there is `wire.grpc_door`'s business. Imported only when agents are served over gRPC.
"""

from __future__ import annotations

from pathlib import Path

import grpc
import grpc.aio

from routeiq_a2a.config import GrpcSettings
from routeiq_sdk import ConfigError

_MIB = 1 << 20
_GRACE_SECONDS = 5.0
_PLACE = "routeiq.plugins.a2a.grpc"
_OPTIONS = (
    ("grpc.so_reuseport", 1),  # workers share the port, and so do a plugin and its successor at a reload
    ("grpc.max_concurrent_streams", 100),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 300_000),
)


class GrpcListener:
    """A server that listens between `start` and `stop`."""

    def __init__(self, settings: GrpcSettings, handlers: grpc.GenericRpcHandler) -> None:
        self._settings = settings
        most = ("grpc.max_receive_message_length", int(settings.message_mib * _MIB))
        self._server = grpc.aio.server(options=(*_OPTIONS, most))
        self._server.add_generic_rpc_handlers((handlers,))
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises `ConfigError`."""
        settings = self._settings
        try:
            if settings.tls is None:
                self.port = self._server.add_insecure_port(settings.listen)
            else:
                pair = (_read(settings.tls.keyfile, "keyfile"), _read(settings.tls.certfile, "certfile"))
                self.port = self._server.add_secure_port(settings.listen, grpc.ssl_server_credentials((pair,)))
        except RuntimeError:
            raise ConfigError(
                f"{_PLACE}.listen: {settings.listen} cannot be listened on.",
                mend="name an address of this machine and a port that is free; with tls, a certificate and its key",
            ) from None
        await self._server.start()

    async def stop(self) -> None:
        """Listen no more, and let what is under way finish within a few seconds."""
        await self._server.stop(_GRACE_SECONDS)


def _read(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{_PLACE}.tls.{key}: {error.strerror}.", mend="name a PEM file that can be read") from None
