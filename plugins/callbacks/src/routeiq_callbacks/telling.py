"""A queue for each target, so that one that is away holds up no other and no request.

What a target does with a batch is told in `targets`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from routeiq_callbacks.config import (
    AnyTarget,
    DatadogTarget,
    GcsTarget,
    LangfuseTarget,
    Outcomes,
    S3Target,
    WebhookTarget,
)
from routeiq_callbacks.payload import Finished
from routeiq_callbacks.targets.base import Target
from routeiq_sdk import BatchQueue, Gateway

log = structlog.get_logger("routeiq.callbacks")

_LOG_EVERY_SECONDS = 60.0
_A_BATCH = 100


def target_of(config: AnyTarget) -> Target:
    """The target of a configuration. Raises `PluginError` where its library is missing."""
    if isinstance(config, LangfuseTarget):
        from routeiq_callbacks.targets.langfuse import Langfuse

        return Langfuse(config)
    if isinstance(config, WebhookTarget):
        from routeiq_callbacks.targets.webhook import Webhook

        return Webhook(config)
    if isinstance(config, DatadogTarget):
        from routeiq_callbacks.targets.datadog import Datadog

        return Datadog(config)
    from routeiq_callbacks.targets.buckets import GcsBucket, S3Bucket

    if isinstance(config, S3Target):
        return S3Bucket(config)
    assert isinstance(config, GcsTarget)
    return GcsBucket(config)


class Telling:
    """Tells one target."""

    def __init__(self, target: Target, on: Outcomes, most: int) -> None:
        self.target = target
        self._on = on
        self._gateway: Gateway | None = None
        self._queue: BatchQueue[Finished] = BatchQueue(
            self._deliver, most=most, batch=_A_BATCH, linger_seconds=0.5, failed=self._failed
        )
        self._told_at = -_LOG_EVERY_SECONDS
        self._lost = 0
        self.problem = ""
        """Why the target takes nothing now, if so."""

    @property
    def lost(self) -> int:
        """Requests that it was never told of."""
        return self._queue.lost

    def open(self, gateway: Gateway) -> None:
        """Begin to deliver."""
        self._gateway = gateway
        gateway.spawn(f"tell {self.target.name}", self._queue.run)

    async def close(self, seconds: float) -> None:
        """Deliver what waits."""
        await self._queue.flush(seconds)

    def put(self, finished: Finished) -> None:
        """Queue a request, if the target is told of such."""
        if self._on == "all" or (self._on == "success") == finished.ok:
            self._queue.put(finished)

    async def _deliver(self, batch: Sequence[Finished]) -> None:
        assert self._gateway is not None
        await self.target.deliver(self._gateway, batch)
        if self.problem:
            log.info("the target takes requests again", target=self.target.name)
            self.problem = ""

    def _failed(self, error: Exception) -> None:
        self.problem = f"{self.target.name}: {type(error).__name__}: {error}"
        now = time.monotonic()
        if now - self._told_at >= _LOG_EVERY_SECONDS:
            self._told_at = now
            log.warning("a target does not take requests", target=self.target.name, reason=self.problem, lost=self.lost)
