"""Hands sealed objects to one sink, in order, again and again until it has them.

Each sink has a shipper of its own: one that is away holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from routeiq_audit.outbox import Outbox
from routeiq_audit.sinks.base import Sink, SinkRefused, SinkUnavailable

log = structlog.get_logger("routeiq.audit")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LONGEST_WANTED = 300.0
_SHIP_SECONDS = 120.0
_LOOK_SECONDS = 5.0


class Shipper:
    """Ships one worker's outbox to one sink."""

    def __init__(self, sink: Sink, outbox: Outbox, sinks: Sequence[str]) -> None:
        self._sink = sink
        self._outbox = outbox
        self._sinks = tuple(sinks)
        self._sealed = asyncio.Event()
        self._failures = 0
        self._wanted = 0.0
        self.shipped = 0
        self.problem = ""
        """Why nothing arrives now, if so."""

    def look(self) -> None:
        """There may be something new."""
        self._sealed.set()

    async def run(self) -> None:
        """Ship for ever."""
        while True:
            self._sealed.clear()
            if await self.ship_all():
                self._failures = 0
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._sealed.wait()
                except TimeoutError:
                    pass
            else:
                self._failures += 1
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
                await asyncio.sleep(min(_LONGEST_WANTED, max(pause, self._wanted)))

    async def ship_all(self) -> bool:
        """Ship what waits; says whether the sink has all of it."""
        for number in await asyncio.to_thread(self._outbox.waiting):
            if await asyncio.to_thread(self._outbox.is_done, number, self._sink.name):
                continue
            sealed = await asyncio.to_thread(self._outbox.load, number)
            if sealed is None:
                continue
            try:
                async with asyncio.timeout(_SHIP_SECONDS):
                    await self._sink.ship(sealed)
            except TimeoutError:
                self._wanted = 0.0
                self._tell(f"it did not take an object within {_SHIP_SECONDS:g} s")
                return False
            except Exception as error:
                self._tell(f"{type(error).__name__}: {error}", refused=isinstance(error, SinkRefused))
                self._wanted = (error.retry_after or 0.0) if isinstance(error, SinkUnavailable) else 0.0
                return False
            self.shipped += 1
            await asyncio.to_thread(self._outbox.done, number, self._sink.name, self._sinks)
        self._tell("")
        return True

    def _tell(self, problem: str, refused: bool = False) -> None:
        if problem == self.problem:
            return
        if not problem:
            log.info("the audit sink takes objects again", sink=self._sink.name)
        else:
            write = log.error if refused else log.warning
            write("the audit sink does not take objects", sink=self._sink.name, reason=problem)
        self.problem = problem
