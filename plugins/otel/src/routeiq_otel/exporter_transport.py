"""The way to a span exporter of the OpenTelemetry ecosystem: blocking code of strangers, run in threads.

What waits for it, and what is counted and logged when it fails, is the outbox's business, as for any other way.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from routeiq_otel.privacy import shown
from routeiq_otel.readable import Readable
from routeiq_otel.replies import Refused

log = structlog.get_logger("routeiq.otel")

T = TypeVar("T")
_CLOSE_SECONDS = 2.0


class ExporterTransport:
    """Hands batches to one exporter, one after the other.

    A thread cannot be cancelled. When the one who waits is, the batch stays with the thread; `send` looks after it when
    it comes again, so that no batch is exported twice and no two at once.
    """

    def __init__(self, name: str, exporter: SpanExporter, readable: Readable) -> None:
        self.name = name
        self._exporter = exporter
        self._readable = readable
        self._running: tuple[bytes, asyncio.Future[str]] | None = None

    async def send(self, body: bytes) -> tuple[int, str]:
        """Export spans (fields of `ScopeSpans`). Raises `Refused`: exporters try again by themselves, if at all."""
        problem = ""
        if self._running is not None:
            begun, _ = self._running
            problem = await self._finish()
            body = body.removeprefix(begun)
        if body:
            self._running = body, in_thread(lambda: self._export(body), f"otel exporter {self.name}")
            problem = await self._finish() or problem
        if problem:
            raise Refused(f"the exporter {self.name}: {problem}")
        return 0, ""

    async def close(self) -> None:
        """Shut the exporter down. One that hangs is left alone after two seconds."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                problem = await in_thread(self._shutdown, f"otel exporter {self.name}")
        except TimeoutError:
            problem = "it does not end"
        if problem:
            log.warning("an exporter was not shut down", exporter=self.name, reason=problem)

    async def _finish(self) -> str:
        assert self._running is not None
        problem = await asyncio.shield(self._running[1])
        self._running = None
        return problem

    def _export(self, body: bytes) -> str:
        try:
            result = self._exporter.export(self._readable.spans(body))
        except BaseException as error:
            return told_of(error)
        return "it reports a failure" if result is SpanExportResult.FAILURE else ""

    def _shutdown(self) -> str:
        try:
            self._exporter.shutdown()
        except BaseException as error:
            return told_of(error)
        return ""


def in_thread(call: Callable[[], T], name: str) -> asyncio.Future[T]:
    """The result of `call`, which never raises. Unlike those of `asyncio.to_thread`, a thread whose call never ends
    does not keep the process from ending, and takes no place that others wait for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(result: T) -> None:
        if not future.done():
            future.set_result(result)

    def run() -> None:
        result = call()
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def told_of(error: BaseException) -> str:
    """What went wrong in foreign code, for a log."""
    return shown(f"{type(error).__name__}: {error}")
