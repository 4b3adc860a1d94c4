"""Windows of quotas: when a meter counts, by the calendar of a time zone, by duration, rolling or for ever.

What is counted is the rules' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from routeiq_governance.identity import durations

NANO = 1_000_000_000
SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 2_592_000}
_MILLION = 1_000_000
Length = Literal["minute", "hour", "day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Span:
    """One window: Unix ns from `start` to `end` (`None`: never). For a sliding count `previous_start` begins the window
    before, of which `previous_weight` millionths still count."""

    start: int
    end: int | None
    previous_start: int | None = None
    previous_weight: int = 0


class Window(Protocol):
    """Cuts time."""

    def span(self, now: int) -> Span:
        """The window that holds `now` (Unix ns)."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A minute, hour, day, week (from Monday) or month by the clocks of a zone. A day on which the clocks change has 23
    or 25 hours."""

    length: Length
    zone: ZoneInfo

    def span(self, now: int) -> Span:
        if self.length in ("minute", "hour"):
            # Zones whose offset is no whole hour begin their hours elsewhere; instants, not wall time, are added.
            here = datetime.fromtimestamp(now // NANO, UTC).astimezone(self.zone)
            into = here.second + (here.minute * 60 if self.length == "hour" else 0)
            start = now // NANO - into
            return Span(start * NANO, (start + SECONDS[self.length]) * NANO)
        here = datetime.fromtimestamp(now // NANO, UTC).astimezone(self.zone)
        begun = here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self.length == "week":
            begun = _midnight(begun - timedelta(days=begun.weekday()))
            ended = _midnight(begun + timedelta(days=7))
        elif self.length == "month":
            begun = begun.replace(day=1)
            ended = _midnight((begun + timedelta(days=32)).replace(day=1))
        else:
            ended = _midnight(begun + timedelta(days=1))
        return Span(int(begun.timestamp()) * NANO, int(ended.timestamp()) * NANO)


def _midnight(day: datetime) -> datetime:
    return day.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last `seconds`, as a sliding count over two fixed windows."""

    seconds: int

    def span(self, now: int) -> Span:
        size = self.seconds * NANO
        start = now // size * size
        weight = (start + size - now) * _MILLION // size
        return Span(start, start + size, start - size, weight)


@dataclass(frozen=True, slots=True)
class Every:
    """LiteLLM's: each `duration` since a moment (Unix ns)."""

    duration: str
    since: int

    def span(self, now: int) -> Span:
        return Span(*durations.window(self.duration, self.since, now))


_EVER = Span(0, None)


@dataclass(frozen=True, slots=True)
class Forever:
    """One window without an end."""

    def span(self, now: int) -> Span:
        return _EVER
