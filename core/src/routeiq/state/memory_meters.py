"""Meters of a single process: the `MeterService` that needs no server. A new process starts with its meters lost.

No method awaits between reading and writing, so each is atomic on the one event loop that may use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from routeiq.state.errors import StateFull
from routeiq.state.expiring import NEVER, ExpiringMap
from routeiq_sdk import MetersLost
from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.meters import Charge, Held, Level, Overdue, Pace, Posting, Refused

REMEMBERED_SECONDS = 3600.0
"""How long an ended hold is remembered."""
_MILLION = 1_000_000
_MOST_METERS = 1_000_000
_MOST_HOLDS = 100_000


@dataclass(slots=True)
class _Meter:
    taken: int = 0
    held: int = 0


@dataclass(slots=True)
class _Hold:
    ends: float
    note: bytes
    amounts: dict[str, int] = field(default_factory=dict)
    parts: dict[int, Held] = field(default_factory=dict)


class MemoryMeters:
    """Meters in dictionaries. What was restored or taken lives until `ends` of its meter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._meters: ExpiringMap[_Meter] = ExpiringMap()
        self._paces: ExpiringMap[int] = ExpiringMap()
        self._holds: dict[str, _Hold] = {}
        self._ended: ExpiringMap[bool] = ExpiringMap()
        self._lost = True

    async def reserve(
        self,
        hold: str,
        charges: Sequence[Charge],
        paces: Sequence[Pace] = (),
        *,
        part: int = 0,
        most: int = 0,
        least: int = 0,
        seconds: float = 120.0,
        note: bytes = b"",
        forced: bool = False,
    ) -> Held | Refused:
        """As `MeterService.reserve`."""
        now = self._clock.monotonic()
        for pace in paces:
            if pace.amount > pace.burst:
                raise ValueError(f"{pace.meter} asks for {pace.amount} at once; its burst is {pace.burst}")
        if self._ended.get(hold, now):
            return Refused("", ended=True)
        known = self._holds.get(hold)
        if known is not None and part in known.parts:
            before = known.parts[part]
            return Held(before.units, before.left, before.over, again=True)
        if self._lost and not forced:
            raise MetersLost("the meters of this process are not restored yet")
        units, over = most, list[str]()
        if not forced:
            for charge in charges:
                fits = self._fitting(charge, most, now)
                if fits >= most:
                    continue
                if not charge.enforced:
                    over.append(charge.meter)
                elif fits < least:
                    return Refused(charge.meter, self._counted(charge, now))
                else:
                    units = min(units, fits)
            for pace in paces:
                wait = self._wait(pace)
                if wait > 0 and pace.enforced:
                    return Refused(pace.meter, pace.burst, retry_after=wait / 1e9)
                if wait > 0:
                    over.append(pace.meter)
        if known is None:
            if len(self._holds) >= _MOST_HOLDS:
                raise StateFull(f"{_MOST_HOLDS} holds are open")
            known = self._holds[hold] = _Hold(now + seconds, note)
        for charge in charges:
            self._take(known, charge, charge.base + units * charge.rate, now)
        for pace in paces:
            self._advance(pace)
        known.ends = now + seconds
        left = tuple(None if charge.limit is None else charge.limit - self._counted(charge, now) for charge in charges)
        answer = known.parts[part] = Held(units, left, tuple(over))
        return answer

    async def settle(self, hold: str, used: Sequence[Posting]) -> bool:
        """As `MeterService.settle`."""
        now = self._clock.monotonic()
        if self._ended.get(hold, now):
            return False
        known = self._holds.pop(hold, None)
        if known is not None:
            for name, amount in known.amounts.items():
                meter = self._meters.get(name, now)
                if meter is not None:
                    meter.taken -= amount
                    meter.held -= amount
        await self.adjust(used)
        self._ended.sweep(now)
        self._ended.set(hold, True, now + REMEMBERED_SECONDS)
        return True

    async def renew(self, holds: Sequence[str], seconds: float) -> list[str]:
        """As `MeterService.renew`."""
        now = self._clock.monotonic()
        unknown = []
        for name in holds:
            known = self._holds.get(name)
            if known is None:
                unknown.append(name)
            else:
                known.ends = now + seconds
        return unknown

    async def overdue(self, most: int = 100) -> list[Overdue]:
        """As `MeterService.overdue`."""
        now = self._clock.monotonic()
        late = sorted((hold.ends, name) for name, hold in self._holds.items() if hold.ends <= now)[:most]
        return [Overdue(name, dict(self._holds[name].amounts), self._holds[name].note) for _, name in late]

    async def levels(self, meters: Sequence[str]) -> list[Level]:
        """As `MeterService.levels`."""
        now = self._clock.monotonic()
        found = (self._meters.get(name, now) for name in meters)
        return [Level(meter.taken, meter.held) if meter is not None else Level() for meter in found]

    async def adjust(self, postings: Sequence[Posting]) -> None:
        """As `MeterService.adjust`."""
        now = self._clock.monotonic()
        for posting in postings:
            self._meter(posting.meter, posting.ends, now).taken += posting.amount

    async def lost(self) -> bool:
        """As `MeterService.lost`."""
        return self._lost

    async def restore(self, postings: Sequence[Posting]) -> bool:
        """As `MeterService.restore`."""
        if not self._lost:
            return False
        now = self._clock.monotonic()
        for name in list(self._meters.keys()):
            meter = self._meters.get(name, now)
            if meter is not None:
                meter.taken = meter.held
        await self.adjust(postings)
        self._lost = False
        return True

    def _fitting(self, charge: Charge, most: int, now: float) -> int:
        """The largest number of units up to `most` that the charge's limit allows; -1 when not even the base fits."""
        if charge.limit is None:
            return most
        room = charge.limit - self._counted(charge, now) - charge.base
        if room < 0:
            return most if charge.base <= 0 and charge.rate <= 0 else -1
        return most if charge.rate <= 0 else min(most, room // charge.rate)

    def _counted(self, charge: Charge, now: float) -> int:
        meter = self._meters.get(charge.meter, now)
        taken = meter.taken if meter is not None else 0
        if charge.previous is not None:
            before = self._meters.get(charge.previous, now)
            taken += max(0, before.taken) * charge.previous_weight // _MILLION if before is not None else 0
        return taken

    def _take(self, hold: _Hold, charge: Charge, amount: int, now: float) -> None:
        meter = self._meter(charge.meter, charge.ends, now)
        meter.taken += amount
        meter.held += amount
        hold.amounts[charge.meter] = hold.amounts.get(charge.meter, 0) + amount

    def _meter(self, name: str, ends: int | None, now: float) -> _Meter:
        meter = self._meters.get(name, now)
        if meter is None:
            self._meters.sweep(now)
            if len(self._meters) >= _MOST_METERS:
                raise StateFull(f"{_MOST_METERS} meters are in use")
            meter = _Meter()
            self._meters.set(name, meter, self._end(ends, now))
        return meter

    def _end(self, ends: int | None, now: float) -> float:
        return NEVER if ends is None else now + max(0.0, (ends - self._clock.now_ns()) / 1e9)

    def _wait(self, pace: Pace) -> int:
        """Nanoseconds until the pace allows its amount."""
        now_ns = self._clock.now_ns()
        due = max(self._paces.get(pace.meter, self._clock.monotonic()) or 0, now_ns)
        return max(0, due + pace.amount * pace.interval_ns - now_ns - pace.burst * pace.interval_ns)

    def _advance(self, pace: Pace) -> None:
        now_ns, now = self._clock.now_ns(), self._clock.monotonic()
        due = max(self._paces.get(pace.meter, now) or 0, now_ns) + pace.amount * pace.interval_ns
        self._paces.sweep(now)
        self._paces.set(pace.meter, due, now + (due - now_ns) / 1e9)
