"""The plugin: hands finished requests to the pipeline, tells providers of the trace, keeps texts when asked to.

What is exported and how is in `pipeline`. Without a receiver nothing of that is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from routeiq_otel.config import OtelConfig
from routeiq_otel.sampling import Sampling
from routeiq_otel.settings import Settings, settle
from routeiq_otel.taking import Taken, parameters_of
from routeiq_sdk import (
    Attempt,
    Context,
    Event,
    Gateway,
    Need,
    Plugin,
    PluginError,
    Record,
    Reject,
    Replace,
    RouteIQError,
    hookimpl,
)
from routeiq_sdk.messages import Messages
from routeiq_sdk.values.trace import new_span_id

if TYPE_CHECKING:
    from routeiq_otel.pipeline import Pipeline

log = structlog.get_logger("routeiq.otel")


class _SpanIds(dict[int, str]):
    """Span ids that providers were told, by the attempt's number."""


class Otel(Plugin[OtelConfig]):
    """Exports traces, metrics and logs over OTLP, and traces to other exporters. Idle until it knows where to."""

    needs = frozenset({Need.READS_BODY, Need.READS_RESPONSE, Need.READS_STREAM_TEXT})

    def __init__(self, config: OtelConfig) -> None:
        super().__init__(config)
        self._settings: Settings | None = None
        self._problem = ""
        try:
            self._settings = settle(config, os.environ)
        except ValueError as error:
            self._problem = str(error)
        settings = self._settings
        self._messages = Messages(config.messages, turned_off=config.turn_off_message_logging)
        self._head = settings.head if settings is not None and settings.traced else None
        self._sampling = Sampling(self._head, config.tail) if self._head is not None else None
        self._texts = self._head is not None and not self._messages.never
        self._pipeline: Pipeline | None = None

    @property
    def idle_hooks(self) -> frozenset[str]:
        """Without a receiver all but the line that says so; else what the signals do not need."""
        settings = self._settings
        idle = set()
        if settings is None or settings.idle:
            idle |= {"record", "emit"}
        if not self._texts:
            idle |= {"stream_filter", "guard_response"}
        if not self.config.propagates:
            idle.add("before_attempt")
        return frozenset(idle)

    @property
    def origins(self) -> Iterable[str]:
        """The receivers that are called over HTTP."""
        settings = self._settings
        return () if settings is None else [to.url for to in settings.destinations if to.protocol == "http/protobuf"]

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        settings = self._settings
        if settings is None:
            raise PluginError(gateway.plugin, f"{self._problem}.", mend="correct the variable, or write it in the YAML")
        for notice in settings.notices:
            log.warning(notice)
        if settings.idle:
            log.info("opentelemetry is idle", reason=settings.why_idle)
            return
        await _check_unpinned(gateway, settings)
        from routeiq_otel.pipeline import Pipeline

        pipeline = self._pipeline = Pipeline(gateway, self.config, settings)
        if settings.exporters:
            from routeiq_otel.exporters import opened

            for way in await opened(gateway.plugin, settings.exporters, pipeline.resource):
                pipeline.add_exporter(way)
                log.info("opentelemetry exports", signal="traces", exporter=way.name)
        pipeline.start(gateway)
        for to in settings.destinations:
            log.info("opentelemetry exports", signal=to.signal, endpoint=to.url.partition("?")[0], protocol=to.protocol)

    @hookimpl
    async def teardown(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            await pipeline.stop()

    @hookimpl
    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        """Make the attempt's span the parent of what the provider does."""
        trace, head = ctx.trace, self._head
        if trace.state:
            attempt.headers["tracestate"] = trace.state
        if head is None:  # no span of ours will be seen, so the caller's stays the parent
            attempt.headers["traceparent"] = trace.traceparent(trace.parent_span_id, sampled=bool(trace.sampled))
            return None
        ids = ctx.kept(self, _SpanIds)
        if ids is None:
            ids = _SpanIds()
            ctx.keep(self, ids)
        own = ids[attempt.number] = new_span_id()
        attempt.headers["traceparent"] = trace.traceparent(own, sampled=head.keeps(trace))
        return None

    @hookimpl
    async def guard_response(self, ctx: Context, response: Mapping[str, Any]) -> Reject | Replace | None:
        """Remember the answer; never object."""
        self._messages.keep_answer(ctx, response)
        return None

    @hookimpl
    def stream_filter(self, ctx: Context) -> Any:
        """Remember the text of a stream; let everything pass."""
        return self._messages.watch_stream(ctx)

    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            return
        if self._sampling is None or not self._sampling.keeps(record):
            pipeline.put(Taken(record, False, ctx.method))
            return
        parameters = parameters_of(ctx) if record.attempts else ()
        spans = ctx.kept(self, _SpanIds)
        if not self._texts:
            pipeline.put(Taken(record, True, ctx.method, parameters, spans))
            return
        wire = ctx.asked.wire if ctx.asked is not None else ""
        messages = self._messages
        pipeline.put(
            Taken(record, True, ctx.method, parameters, spans, messages.prompt(ctx), messages.answer(ctx), wire)
        )

    @hookimpl
    async def emit(self, events: Sequence[Event]) -> None:
        if self._pipeline is not None:
            self._pipeline.tell(events, self._sampling.keeps_call if self._sampling is not None else None)


async def _check_unpinned(gateway: Gateway, settings: Settings) -> None:
    """Look at the receivers that libraries connect to by themselves. Raises `PluginError`."""
    asked = [(f"the receiver of {to.signal}", to.url) for to in settings.destinations if to.protocol == "grpc"]
    if settings.exporters:
        from routeiq_otel.exporters import receivers

        asked += receivers(os.environ)
    for what, url in asked:
        try:
            await gateway.egress.check(url)
        except RouteIQError as error:
            raise PluginError(gateway.plugin, f"{what}: {error}", mend="name another receiver") from error
