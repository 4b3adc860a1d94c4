"""From finished requests to exports: takes batches, counts them, encodes spans and logs, fills the outboxes.

It runs beside requests, a few at a time, so that none of them waits for a batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from routeiq_otel import tool_calls
from routeiq_otel.config import OtelConfig
from routeiq_otel.envelope import Envelope, Frame, joined, resource_of
from routeiq_otel.instruments import Instruments
from routeiq_otel.logs import RequestLogs, event_log, told_by_event
from routeiq_otel.measuring import Measuring
from routeiq_otel.metrics import Metrics
from routeiq_otel.outbox import Outbox
from routeiq_otel.places import Places
from routeiq_otel.settings import Destination, Settings, Signal
from routeiq_otel.spans import Spans
from routeiq_otel.taking import Taken
from routeiq_otel.transport import HttpTransport, Transport
from routeiq_sdk import BatchQueue, Event, Gateway, PluginError

log = structlog.get_logger("routeiq.otel")

_BATCH = 32
_LINGER_SECONDS = 0.1
_FLUSH_SECONDS = 4.0
_EXPORTER_BATCH = 256
"""Requests: with a span for each and one below it, as many spans as the SDK's own batches have."""
_DELTA_EXPORTS = 30
"""Exports of metrics that wait while the receiver is away, when each tells something else than the one before."""


class Pipeline:
    """One for a plugin that is set up."""

    def __init__(self, gateway: Gateway, config: OtelConfig, settings: Settings) -> None:
        """Raises `PluginError` when a way to a receiver cannot be made."""
        self._clock = gateway.clock
        self._request_logs = RequestLogs(client_address=config.client_address)
        places = Places(gateway)
        self.resource = resource_of(settings.resource, gateway.worker)
        """Who tells: this process, in the words of the conventions."""
        envelope = Envelope(self.resource)
        self._spans = Spans(places, client_address=config.client_address)

        def boxes(signal: Signal, frame: Frame, **bounds: Any) -> list[Outbox]:
            return [Outbox(signal, _transport(gateway, to), frame, **bounds) for to in settings.of(signal)]

        self._patient: dict[str, Any] = {"most": config.most_waiting, "linger_seconds": config.linger_seconds}
        self._traces = boxes("traces", envelope.around, **self._patient)
        self._logs = boxes("logs", envelope.around, **self._patient)
        at_once = {"most": _DELTA_EXPORTS, "batch": 1, "linger_seconds": 0.01}
        self._metric_boxes = boxes("metrics", joined, **at_once, replaces=settings.temporality == "cumulative")
        self._measuring: Measuring | None = None
        self._metrics: Metrics | None = None
        self._instruments: Instruments | None = None
        if self._metric_boxes:
            instruments = self._instruments = Instruments(config.most_series)
            self._measuring = Measuring(instruments, places, most=config.most_series)
            self._metrics = Metrics(
                gateway,
                instruments,
                envelope,
                self._metric_boxes,
                interval_seconds=settings.interval_seconds,
                temporality=settings.temporality,
                lost=self.losses,
            )
        self._broken = 0
        self._queue = BatchQueue[Taken](
            self._take, most=config.most_waiting, batch=_BATCH, linger_seconds=_LINGER_SECONDS, tries=1
        )
        self.put = self._queue.put

    def add_exporter(self, way: Transport) -> None:
        """Give traces to one more, before the start: bare, since it puts its own envelope around them."""
        self._traces.append(Outbox("traces", way, joined, batch=_EXPORTER_BATCH, **self._patient))

    def start(self, gateway: Gateway) -> None:
        """Begin to export."""
        gateway.spawn("requests", self._queue.run)
        for number, outbox in enumerate(self._outboxes):
            gateway.spawn(f"outbox {number}", outbox.run)
        if self._metrics is not None:
            gateway.spawn("metrics", self._metrics.run)

    async def stop(self) -> None:
        """Export what is left, within a few seconds, and close the ways to the receivers."""
        await self._queue.flush(_FLUSH_SECONDS)
        await asyncio.gather(*(outbox.flush(_FLUSH_SECONDS) for outbox in (*self._traces, *self._logs)))
        if self._metrics is not None:
            self._metrics.export()  # last, so that it tells what was lost at the end
        await asyncio.gather(*(outbox.flush(_FLUSH_SECONDS) for outbox in self._metric_boxes))
        await asyncio.gather(*(outbox.close() for outbox in self._outboxes))

    def tell(self, events: Sequence[Event], keeps_call: Callable[[Mapping[str, Any]], bool] | None) -> None:
        """Export events as log records, and calls of tools as spans (those that `keeps_call` keeps) and metrics."""
        now = self._clock.now_ns()
        for event in events:
            if event.name == tool_calls.NAME:
                self._call(event, keeps_call)
            elif event.name == tool_calls.SESSION and self._instruments is not None:
                tool_calls.add_session(self._instruments, event)
            if self._logs:
                body = event_log(event, now)
                for outbox in self._logs:
                    outbox.put(body, 1)

    def _call(self, event: Event, keeps: Callable[[Mapping[str, Any]], bool] | None) -> None:
        if self._instruments is not None:
            tool_calls.add_to(self._instruments, event)
        if self._traces and keeps is not None and event.payload.get("span_id") and keeps(event.payload):
            body = tool_calls.spans_of(event)
            for outbox in self._traces:
                outbox.put(body, 1)

    def losses(self) -> Mapping[str, int]:
        """How much was lost since the start: requests, by signal."""
        return {
            "requests": self._queue.lost + self._broken,
            "traces": sum(outbox.lost for outbox in self._traces),
            "logs": sum(outbox.lost for outbox in self._logs),
            "metrics": sum(outbox.lost for outbox in self._metric_boxes),
        }

    @property
    def _outboxes(self) -> list[Outbox]:
        return [*self._traces, *self._logs, *self._metric_boxes]

    async def _take(self, batch: Sequence[Taken]) -> None:
        spans, logs = list[bytes](), list[bytes]()
        for taken in batch:
            try:
                self._one(taken, spans, logs)
            except Exception as error:  # one odd request takes no others along
                self._broken += 1
                if self._broken & (self._broken - 1) == 0:  # the first, the second, the fourth ...
                    log.error("a request could not be told", error=type(error).__name__, detail=str(error))
        for outboxes, pieces in ((self._traces, spans), (self._logs, logs)):
            if pieces:
                body = b"".join(pieces)
                for outbox in outboxes:
                    outbox.put(body, len(pieces))
        await asyncio.sleep(0)  # requests first

    def _one(self, taken: Taken, spans: list[bytes], logs: list[bytes]) -> None:
        record = taken.record
        if self._measuring is not None:
            self._measuring.add(record, taken.sampled)
        if self._traces and taken.sampled:
            spans.append(self._spans.encode(taken))
        if self._logs and not told_by_event(record):
            logs.append(self._request_logs.encode(taken))


def _transport(gateway: Gateway, to: Destination) -> Transport:
    if to.protocol == "http/protobuf":
        return HttpTransport(gateway, to)
    try:
        from routeiq_otel.grpc_transport import GrpcTransport
    except ImportError as error:
        raise PluginError(
            gateway.plugin,
            "the protocol grpc needs a package that is not installed.",
            mend="pip install 'routeiq-otel[grpc]', or write protocol: http/protobuf",
        ) from error
    try:
        return GrpcTransport(to)
    except (ValueError, OSError) as error:
        raise PluginError(
            gateway.plugin, f"the endpoint of {to.signal} cannot be used: {error}.", mend="correct `endpoint`"
        ) from error
