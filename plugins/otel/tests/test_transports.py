"""Exports over real HTTP and real gRPC: what is sent, what is answered, and when it is sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from routeiq_otel.envelope import Envelope
from routeiq_otel.grpc_transport import GrpcTransport
from routeiq_otel.replies import Refused, Unavailable, rejected, retry_after, retry_delay
from routeiq_otel.settings import Destination
from routeiq_sdk import Secret
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .collector import Failure, GrpcCollector, HttpCollector, number, points, told

BODY = Envelope({"service.name": "x"}).around([])
PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
).SerializeToString()

Start = Callable[..., Awaitable[TestGateway]]


@pytest.fixture
def start(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Start:
    """Starts a gateway that exports in this way."""

    async def starting(**otel: Any) -> TestGateway:
        rows = [openai_row("fast", scripted_upstream.base_url)]
        return await gateway({"model_list": rows, "routeiq": {"plugins": {"otel": {"linger_seconds": 0.01, **otel}}}})

    return starting


def lost(collector: HttpCollector) -> dict[str, float]:
    return {
        told(each.attributes)["routeiq.what"]: number(each)
        for each in points(collector.metrics["gateway.telemetry.lost"])
    }


async def test_an_export_over_http_is_protobuf_with_the_operators_headers(
    start: Start, otlp_collector: HttpCollector
) -> None:
    running = await start(endpoint=f"{otlp_collector.url}/in", headers={"x-team": "red"}, metrics=False)
    await running.chat("fast")
    await otlp_collector.until(lambda: otlp_collector.spans)
    export = otlp_collector.exports[0]
    assert export.path == "/in/v1/traces"
    assert (export.headers["x-team"], export.headers["content-type"]) == ("red", "application/x-protobuf")
    resource = told(export.message.resource_spans[0].resource.attributes)
    assert resource["service.name"] == "routeiq"
    assert {"service.version", "service.instance.id", "host.name", "process.pid", "routeiq.worker"} <= resource.keys()
    assert export.message.resource_spans[0].scope_spans[0].scope.name == "routeiq"


async def test_an_export_may_be_compressed(start: Start, otlp_collector: HttpCollector) -> None:
    running = await start(endpoint=otlp_collector.url, compression="gzip", metrics=False)
    await running.chat("fast")
    await otlp_collector.until(lambda: otlp_collector.spans)
    assert otlp_collector.exports[0].headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_receiver_that_is_busy_gets_the_export_later(
    start: Start, otlp_collector: HttpCollector, status: int
) -> None:
    otlp_collector.fail(Failure(status, {"retry-after": "0"}), Failure(status, {"retry-after": "0"}))
    running = await start(endpoint=otlp_collector.url, metrics=False)
    await running.chat("fast")
    await otlp_collector.until(lambda: otlp_collector.spans)
    assert otlp_collector.calls == 3
    assert len(otlp_collector.servers()) == 1


async def test_what_the_receiver_refuses_is_counted_and_harms_nobody(
    start: Start, otlp_collector: HttpCollector
) -> None:
    otlp_collector.partial["traces"] = PARTIAL
    otlp_collector.fail(Failure(400, body=b"no"))
    running = await start(
        traces_endpoint=f"{otlp_collector.url}/v1/traces", metrics_endpoint=f"{otlp_collector.url}/v1/metrics"
    )
    assert (await running.chat("fast"))[0] == 200
    await otlp_collector.until(lambda: otlp_collector.calls == 1)
    assert (await running.chat("fast"))[0] == 200
    await otlp_collector.until(lambda: otlp_collector.spans)
    await running.app.stop()
    await otlp_collector.until(lambda: otlp_collector.metrics)
    assert lost(otlp_collector)["traces"] == 2  # one refused whole, one whose spans were


async def test_a_receiver_that_is_down_harms_no_request(start: Start, otlp_collector: HttpCollector) -> None:
    async with HttpCollector() as gone:
        pass
    running = await start(endpoint=gone.url, logs=True)
    for _ in range(3):
        assert (await running.chat("fast"))[0] == 200


def destination(collector: GrpcCollector, **options: Any) -> Destination:
    values: dict[str, Any] = {"signal": "traces", "url": collector.url, "protocol": "grpc", "headers": {}, **options}
    return Destination(**values)


@pytest_asyncio.fixture
async def over_grpc(grpc_collector: GrpcCollector) -> AsyncIterator[GrpcTransport]:
    """A way to a receiver over gRPC."""
    transport = GrpcTransport(destination(grpc_collector, headers={"X-Team": Secret("red")}))
    yield transport
    await transport.close()


async def test_an_export_over_grpc(grpc_collector: GrpcCollector, over_grpc: GrpcTransport) -> None:
    assert await over_grpc.send(BODY) == (0, "")
    (export,) = grpc_collector.exports
    assert (export.path, export.headers["x-team"]) == ("trace.v1.TraceService", "red")
    grpc_collector.partial["traces"] = PARTIAL
    assert await over_grpc.send(BODY) == (3, "too old")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
        (grpc.StatusCode.ABORTED, Unavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Refused),  # without a delay it is final
        (grpc.StatusCode.INVALID_ARGUMENT, Refused),
        (grpc.StatusCode.UNAUTHENTICATED, Refused),
    ],
)
async def test_which_failures_of_grpc_are_tried_again(
    grpc_collector: GrpcCollector, over_grpc: GrpcTransport, code: grpc.StatusCode, kind: type[Exception]
) -> None:
    grpc_collector.fail(code)
    with pytest.raises(kind, match=code.name):
        await over_grpc.send(BODY)


async def test_all_signals_travel_over_grpc(start: Start, grpc_collector: GrpcCollector) -> None:
    running = await start(endpoint=grpc_collector.url, protocol="grpc", logs=True, compression="gzip")
    await running.chat("fast")
    await grpc_collector.until(lambda: grpc_collector.spans and grpc_collector.logs)
    await running.app.stop()
    await grpc_collector.until(lambda: grpc_collector.metrics)
    assert "gateway.request.total" in grpc_collector.metrics


async def test_a_grpc_receiver_that_is_down_harms_no_request(start: Start) -> None:
    async with GrpcCollector() as gone:
        pass
    running = await start(endpoint=gone.url, protocol="grpc", timeout_seconds=1)
    assert (await running.chat("fast"))[0] == 200


def test_how_a_delay_is_read() -> None:
    assert retry_after("7") == 7
    assert retry_after("soon") is None
    assert retry_after(None) is None
    assert retry_after(format_datetime(datetime.now(UTC) - timedelta(days=1))) == 0
    later = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=90)))
    assert later is not None
    assert 80 < later <= 90
    status = Status(code=8)
    status.details.add().Pack(RetryInfo(retry_delay={"seconds": 2, "nanos": 500_000_000}))
    assert retry_delay(status.SerializeToString()) == 2.5
    assert retry_delay(Status(code=8).SerializeToString()) is None
    assert retry_delay(b"\xff") is None


def test_an_answer_that_is_none_refuses_nothing() -> None:
    assert rejected(b"") == (0, "")
    assert rejected(b"<html>") == (0, "")
    assert rejected(PARTIAL) == (3, "too old")
