"""A queue for each target, so that one that is away holds up no other and no request.

What a target does with a batch is told in `targets`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from routeiq_callbacks.config import Outcomes
from routeiq_callbacks.finished import Finished
from routeiq_callbacks.targets.base import NotTaken, Target
from routeiq_sdk import BatchQueue, Gateway, RouteIQError

log = structlog.get_logger("routeiq.callbacks")

_LOG_EVERY_SECONDS = 60.0
_A_BATCH = 100
_TRIES, _PAUSE_SECONDS = 8, 0.5  # about a minute in all


class Telling:
    """Tells one target, of requests with these outcomes and teams."""

    def __init__(self, target: Target, on: Outcomes, most: int, teams: Sequence[str] = ()) -> None:
        self.target = target
        self._on = on
        self._teams = frozenset(teams)
        self._gateway: Gateway | None = None
        self._queue: BatchQueue[Finished] = BatchQueue(
            self._deliver,
            most=most,
            batch=_A_BATCH,
            linger_seconds=0.5,
            tries=_TRIES,
            pause_seconds=_PAUSE_SECONDS,
            failed=self._failed,
        )
        self._runner: asyncio.Task[None] | None = None
        self._refused = 0
        self._logged_at = -_LOG_EVERY_SECONDS
        self._logged_lost = 0
        self.problem = ""
        """Why the target takes nothing now, if so."""

    @property
    def lost(self) -> int:
        """Requests that it was never told of: too many waited, it was away for too long, or it refused them."""
        return self._queue.lost + self._refused

    def open(self, gateway: Gateway) -> None:
        """Begin to deliver."""
        self._gateway = gateway
        gateway.spawn(f"tell {self.target.name}", self._run)

    async def close(self, seconds: float) -> None:
        """Deliver what waits, and stop."""
        runner = self._runner
        if runner is not None and not runner.done():
            runner.cancel()
            await asyncio.wait([runner], timeout=seconds)
        await self._queue.flush(seconds)
        if self.lost > self._logged_lost:
            self._log(self.problem or "too little time was left")

    def takes(self, finished: Finished) -> bool:
        """Whether the target is told of such a request."""
        if self._teams and finished.record.team not in self._teams:
            return False
        return self._on == "all" or (self._on == "success") == finished.ok

    def put(self, finished: Finished) -> None:
        """Queue a request."""
        self._queue.put(finished)

    async def _run(self) -> None:
        self._runner = asyncio.current_task()
        await self._queue.run()

    async def _deliver(self, batch: Sequence[Finished]) -> None:
        assert self._gateway is not None
        sound = await _with_payloads(batch)
        refused = len(batch) - len(sound)
        if sound:
            refused += await self.target.deliver(self._gateway, sound)
        if refused:
            self._refused += refused
            self.problem = f"{self.target.name}: refused {refused} of {len(batch)} requests for good"
            self._log_now_and_then()
        elif self.problem:
            log.info("a target takes requests again", target=self.target.name)
            self.problem = ""
        elif self.lost > self._logged_lost:
            self._log_now_and_then()

    def _failed(self, error: Exception) -> None:
        # Other errors than ours may show a URL, and many webhooks are known by theirs alone.
        why = str(error) if isinstance(error, NotTaken) else _reason(error)
        self.problem = f"{self.target.name}: {why}"
        self._log_now_and_then()

    def _log_now_and_then(self) -> None:
        if time.monotonic() - self._logged_at >= _LOG_EVERY_SECONDS:
            self._log(self.problem or "too many requests waited")

    def _log(self, reason: str) -> None:
        self._logged_at = time.monotonic()
        self._logged_lost = self.lost
        log.warning("a target does not take all requests", target=self.target.name, reason=reason, lost=self.lost)


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return f"{type(error).__name__}: {reason}" if isinstance(error, RouteIQError) and reason else type(error).__name__


async def _with_payloads(batch: Sequence[Finished]) -> list[Finished]:
    """Those whose payload can be made; all of them, unless we made a mistake. Where text is masked that burns CPU, so a
    thread does it."""
    if any(finished.masked for finished in batch):
        return await asyncio.to_thread(_made, batch)
    return _made(batch)


def _made(batch: Sequence[Finished]) -> list[Finished]:
    sound = []
    for finished in batch:
        try:
            assert finished.spelled
            sound.append(finished)
        except Exception as error:
            log.error("a request cannot be told of", request_id=finished.record.request_id, error=type(error).__name__)
    return sound
