"""OTLP over gRPC: the library opens its own connections, so only the operator's own origin is ever called.

Imported only for a receiver that is configured so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from routeiq_otel.endpoints import grpc_target
from routeiq_otel.replies import Refused, Unavailable, rejected, retry_delay
from routeiq_otel.settings import Destination

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_AGAIN = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_DETAILS = "grpc-status-details-bin"
_MOST_MESSAGE = 64 * 1024 * 1024


class GrpcTransport:
    """Calls the `Export` method of a signal's service. Messages are encoded already, so no stubs are needed."""

    def __init__(self, to: Destination) -> None:
        """Raises `ValueError` for an address that may not be called, `OSError` for a certificate that is not there."""
        target, encrypted = grpc_target(to.url, to.insecure)
        options = (("grpc.max_send_message_length", _MOST_MESSAGE), ("grpc.enable_http_proxy", 0))
        if encrypted:
            authorities = Path(to.certificate).read_bytes() if to.certificate is not None else None
            credentials = grpc.ssl_channel_credentials(root_certificates=authorities)
            self._channel = grpc.aio.secure_channel(target, credentials, options=options)
        else:
            self._channel = grpc.aio.insecure_channel(target, options=options)
        self._export: Any = self._channel.unary_unary(_METHODS[to.signal])
        self._to = to
        self._compression = grpc.Compression.Gzip if to.gzip else None

    async def send(self, body: bytes) -> tuple[int, str]:
        """Send an export."""
        metadata = tuple((name.lower(), value.reveal()) for name, value in self._to.headers.items())
        try:
            answer = await self._export(
                body, timeout=self._to.timeout_seconds, metadata=metadata, compression=self._compression
            )
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from None
        return rejected(answer)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()


def _failure(error: Any) -> Exception:
    code = error.code()
    reason = f"gRPC status {code.name}: {error.details() or ''}"
    after = next((retry_delay(bytes(value)) for key, value in error.trailing_metadata() or () if key == _DETAILS), None)
    if code in _AGAIN or (code == grpc.StatusCode.RESOURCE_EXHAUSTED and after is not None):
        return Unavailable(reason, after)
    return Refused(reason)
