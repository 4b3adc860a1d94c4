"""A receiver of OTLP over real HTTP and real gRPC, which reads exports with OpenTelemetry's own message types."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SECONDS = 15.0
REQUESTS: Mapping[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
RESPONSES: Mapping[str, Any] = {
    "traces": ExportTraceServiceResponse,
    "metrics": ExportMetricsServiceResponse,
    "logs": ExportLogsServiceResponse,
}
_SERVICES = {"traces": "trace.v1.TraceService", "metrics": "metrics.v1.MetricsService", "logs": "logs.v1.LogsService"}


def value_of(value: AnyValue) -> Any:
    """An attribute's value as Python knows it."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    return getattr(value, kind) if kind is not None else None


def told(attributes: Any) -> dict[str, Any]:
    """Attributes as a dictionary; a name that comes twice is an error."""
    pairs: list[KeyValue] = list(attributes)
    names = [pair.key for pair in pairs]
    assert len(set(names)) == len(names), f"attributes come twice: {sorted(names)}"
    return {pair.key: value_of(pair.value) for pair in pairs}


@dataclass
class Export:
    """One call of the receiver."""

    signal: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    message: Any


@dataclass
class Failure:
    """What the receiver answers instead of taking an export."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Received:
    """All exports so far."""

    exports: list[Export] = field(default_factory=list)

    def of(self, signal: str) -> Iterator[Any]:
        return (export.message for export in self.exports if export.signal == signal)

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for message in self.of("traces")
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def logs(self) -> list[LogRecord]:
        return [
            log
            for message in self.of("logs")
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for log in scope.log_records
        ]

    @property
    def metrics(self) -> dict[str, Metric]:
        """The newest export of each metric."""
        return {
            metric.name: metric
            for message in self.of("metrics")
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def servers(self) -> list[Span]:
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]

    def children(self, parent: Span) -> list[Span]:
        found = [span for span in self.spans if span.parent_span_id == parent.span_id]
        return sorted(found, key=lambda span: told(span.attributes)["routeiq.attempt.number"])

    def everything(self) -> bytes:
        """All bytes that arrived, as they would be searched for a secret."""
        return b"\n".join(export.body for export in self.exports)


def points(metric: Metric) -> list[Any]:
    """The data points of a metric of any kind."""
    return list(getattr(metric, str(metric.WhichOneof("data"))).data_points)


def point(metric: Metric, **labels: Any) -> Any:
    """The only data point with these attributes (a dot is written as two underscores)."""
    wanted = {name.replace("__", "."): value for name, value in labels.items()}
    found = [each for each in points(metric) if wanted.items() <= told(each.attributes).items()]
    assert len(found) == 1, f"{len(found)} points of {metric.name} have {wanted}: {found}"
    return found[0]


def number(point: Any) -> float:
    """The value of a counter's or a gauge's point."""
    return float(getattr(point, point.WhichOneof("value")))


def payload_of(span: Span) -> dict[str, Any]:
    """The routing decision on a span."""
    (event,) = (event for event in span.events if event.name == "routeiq.router_decision.v1")
    decision: dict[str, Any] = json.loads(told(event.attributes)["routeiq.router_decision.payload"])
    return decision


class Collector(Received):
    """Takes exports until the context ends. `fail` queues answers for the coming calls."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.failures: list[Failure | grpc.StatusCode] = []
        self.partial: dict[str, bytes] = {}
        self.calls = 0
        self._changed = asyncio.Condition()

    def fail(self, *failures: Failure | grpc.StatusCode) -> None:
        self.failures.extend(failures)

    async def until(self, ready: Callable[[], Any]) -> None:
        """Wait until something has arrived."""
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(ready)

    async def take(self, signal: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        message = REQUESTS[signal].FromString(body)
        self.exports.append(Export(signal, path, headers, body, message))
        await self.notice()

    async def notice(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class HttpCollector(Collector):
    """Over HTTP, on a free port of loopback."""

    async def __aenter__(self) -> HttpCollector:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/{path:.*}", self._post)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *told: object) -> None:
        await self._runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        self.calls += 1
        body = await request.read()  # aiohttp undoes the compression
        if self.failures:
            failure = self.failures.pop(0)
            assert isinstance(failure, Failure)
            await self.notice()
            return web.Response(status=failure.status, headers=failure.headers, body=failure.body)
        assert request.headers["content-type"] == "application/x-protobuf"
        signal = request.path.rpartition("/")[2]
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("content-encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        await self.take(signal, request.path, headers, body)
        answer = self.partial.get(signal, RESPONSES[signal]().SerializeToString())
        return web.Response(body=answer, content_type="application/x-protobuf")


class GrpcCollector(Collector):
    """Over gRPC, on a free port of loopback."""

    async def __aenter__(self) -> GrpcCollector:
        self._server = grpc.aio.server()
        for signal, service in _SERVICES.items():
            method = grpc.unary_unary_rpc_method_handler(self._handler(signal))
            name = f"opentelemetry.proto.collector.{service}"
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": method}),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *told: object) -> None:
        await self._server.stop(grace=1)

    def _handler(self, signal: str) -> Any:
        async def export(body: bytes, context: Any) -> bytes:
            self.calls += 1
            if self.failures:
                code = self.failures.pop(0)
                await self.notice()
                await context.abort(code, "told to")
            headers = {key: str(value) for key, value in context.invocation_metadata()}
            await self.take(signal, _SERVICES[signal], headers, body)
            done: bytes = self.partial.get(signal, RESPONSES[signal]().SerializeToString())
            return done

        return export
