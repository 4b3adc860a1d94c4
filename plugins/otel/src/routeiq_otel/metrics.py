"""Exports all metrics once an interval, as sums since the start or since the last export.

What is counted is in `measuring` and `levels`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from routeiq_otel import metric_encoding as encoding
from routeiq_otel.envelope import Envelope
from routeiq_otel.instruments import Instruments
from routeiq_otel.levels import Levels
from routeiq_otel.outbox import Outbox
from routeiq_otel.settings import Temporality
from routeiq_sdk import Gateway


class Metrics:
    """Reads the instruments. `lost` tells this plugin's own losses."""

    def __init__(
        self,
        gateway: Gateway,
        instruments: Instruments,
        envelope: Envelope,
        outboxes: Sequence[Outbox],
        *,
        interval_seconds: float,
        temporality: Temporality,
        lost: Callable[[], Mapping[str, int]],
    ) -> None:
        self._clock = gateway.clock
        self._instruments = instruments
        self._levels = Levels(gateway, delta=temporality == "delta")
        self._envelope = envelope
        self._outboxes = outboxes
        self._interval_seconds = interval_seconds
        self._delta = temporality != "cumulative"
        self._lost = lost
        self._start = self._clock.now_ns()

    async def run(self) -> None:
        """Export for ever."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            self.export()

    def export(self) -> None:
        """Put an export into the outboxes."""
        body = self._envelope.around(self._read())
        for outbox in self._outboxes:
            outbox.put(body, 1)

    def _read(self) -> list[bytes]:
        now, start = self._clock.now_ns(), self._start
        temporality = encoding.DELTA if self._delta else encoding.CUMULATIVE
        told = self._levels.encoded(now, self._lost())
        told += [encoding.sums(each, start, now, temporality) for each in self._instruments.sums]
        told += [encoding.histograms(each, start, now, temporality) for each in self._instruments.histograms]
        for metric in self._instruments.histograms:
            for series in metric.used():
                series.exemplars.clear()
                if self._delta:
                    series.reset()
        if self._delta:
            for counter in self._instruments.sums:
                for each in counter.used():
                    each.reset()
            self._start = now
        return told
