"""What waits to be sent to one receiver: bounded, sent in batches, tried again while the receiver is away.

What the pieces mean is not known here. A receiver that is down costs memory up to the bound, and nothing else.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from typing import NamedTuple

import structlog

from routeiq_otel.envelope import Frame
from routeiq_otel.replies import Unavailable
from routeiq_otel.transport import Transport

log = structlog.get_logger("routeiq.otel")

_MOST_BYTES = 64 * 1024 * 1024
_MOST_BODY = 3 * 1024 * 1024
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_LONGEST_WISH = 600.0
"""A receiver that wants to be asked later still is asked then."""
_LOG_EVERY_SECONDS = 60.0


class Piece(NamedTuple):
    """Encoded spans, logs or metrics of so many `requests`."""

    body: bytes
    requests: int


class Outbox:
    """`put` never waits; `run` sends for ever; `flush` sends what is left. `lost` counts requests, not bytes."""

    def __init__(
        self,
        what: str,
        transport: Transport,
        frame: Frame,
        *,
        most: int,
        batch: int = 512,
        linger_seconds: float = 1.0,
        replaces: bool = False,
    ) -> None:
        self._what = what
        self._transport = transport
        self._frame = frame
        self._most = most
        self._batch = batch
        self._linger_seconds = linger_seconds
        self._replaces = replaces
        self._waiting: deque[Piece] = deque()
        self._count = 0
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._ending = asyncio.Event()
        self._sending = asyncio.Lock()
        self._logged_at = -_LOG_EVERY_SECONDS
        self._lost_when_logged = 0
        self.lost = 0
        self.failures = 0

    def __len__(self) -> int:
        return self._count

    def put(self, body: bytes, count: int) -> None:
        """Take a piece. A newer one replaces what waits when the outbox is of that kind; else the oldest goes when
        there is no room."""
        if self._replaces:
            self._waiting.clear()
            self._count = self._bytes = 0
        self._waiting.append(Piece(body, count))
        self._count += count
        self._bytes += len(body)
        self._make_room()
        self._arrived.set()
        if self._count >= self._batch:
            self._full.set()

    async def run(self) -> None:
        """Send for ever. A failure is never fatal."""
        while True:
            await self._arrived.wait()
            await _reached(self._full, self._linger_seconds)
            await self._send_waiting()

    async def flush(self, seconds: float) -> None:
        """Send what waits, at most this long and without second tries; the rest is lost and counted."""
        self._ending.set()
        try:
            async with asyncio.timeout(seconds):
                await self._send_waiting()
        except TimeoutError:
            pass
        if self._waiting:
            self._lose(self._count, "the gateway ended before the receiver took it")
            self._waiting.clear()
            self._count = self._bytes = 0
        if self.lost > self._lost_when_logged:
            self._tell("telemetry was lost", "see the warnings before")

    async def close(self) -> None:
        """Close the way to the receiver."""
        await self._transport.close()

    async def _send_waiting(self) -> None:
        async with self._sending:
            self._arrived.clear()
            pause = _FIRST_PAUSE
            while self._waiting:
                self._full.clear()
                batch = self._next()
                try:
                    await self._send(batch)
                except Unavailable as error:
                    self._put_back(batch)
                    self._failed(str(error))
                    if self._ending.is_set():
                        return
                    wait = pause * random.uniform(0.5, 1.0) if error.after is None else error.after  # noqa: S311
                    await _reached(self._ending, min(wait, _LONGEST_WISH))
                    pause = min(pause * 2, _LONGEST_PAUSE)
                except BaseException:  # cancelled: whoever flushes next shall have them
                    self._put_back(batch)
                    raise
                else:
                    pause = _FIRST_PAUSE

    async def _send(self, batch: list[Piece]) -> None:
        count = sum(piece.requests for piece in batch)
        try:
            refused, why = await self._transport.send(self._frame([piece.body for piece in batch]))
        except Unavailable:
            raise
        except Exception as error:  # refused, or what no receiver will ever take: the next batch may fare better
            self._lose(count, str(error) or type(error).__name__)
            return
        if refused:
            self._lose(min(refused, count), f"the receiver refused {refused} items: {why}")

    def _next(self) -> list[Piece]:
        batch = list[Piece]()
        count = size = 0
        while self._waiting and (not batch or (count < self._batch and size < _MOST_BODY)):
            piece = self._waiting.popleft()
            batch.append(piece)
            count += piece.requests
            size += len(piece.body)
        self._count -= count
        self._bytes -= size
        return batch

    def _put_back(self, batch: list[Piece]) -> None:
        if self._replaces and self._waiting:
            return
        self._waiting.extendleft(reversed(batch))
        self._count += sum(piece.requests for piece in batch)
        self._bytes += sum(len(piece.body) for piece in batch)
        self._make_room()

    def _make_room(self) -> None:
        while len(self._waiting) > 1 and (self._count > self._most or self._bytes > _MOST_BYTES):
            piece = self._waiting.popleft()
            self._count -= piece.requests
            self._bytes -= len(piece.body)
            self._lose(piece.requests, "the receiver is away for too long")

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        self._failed(why)

    def _failed(self, why: str) -> None:
        self.failures += 1
        if time.monotonic() - self._logged_at >= _LOG_EVERY_SECONDS:
            self._tell("telemetry is not delivered", why)

    def _tell(self, what: str, why: str) -> None:
        self._logged_at = time.monotonic()
        self._lost_when_logged = self.lost
        log.warning(what, signal=self._what, reason=why, failures=self.failures, lost=self.lost, waiting=self._count)


async def _reached(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most this long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
