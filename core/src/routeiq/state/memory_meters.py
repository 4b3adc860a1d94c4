"""Meters of a single process: the `MeterService` that needs no server. A new process starts with its meters lost.

No method awaits between reading and writing, so each is atomic on the one event loop that may use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from routeiq.state.admission import REMEMBERED_SECONDS, admit, check_asked, exact
from routeiq.state.errors import StateFull
from routeiq.state.expiring import NEVER, ExpiringMap
from routeiq_sdk import MetersLost
from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.meters import Charge, Held, Level, Overdue, Pace, Posting, Refused

_MOST_METERS = 1_000_000
_MOST_HOLDS = 100_000


@dataclass(slots=True)
class _Meter:
    taken: int = 0
    held: int = 0


@dataclass(slots=True)
class _Hold:
    ends: float = 0.0
    note: bytes = b""
    amounts: dict[str, int] = field(default_factory=dict)
    parts: dict[int, Held] = field(default_factory=dict)


class MemoryMeters:
    """Meters in dictionaries. A meter lives until the `ends` that created it."""

    def __init__(self, clock: Clock, *, most_meters: int = _MOST_METERS, most_holds: int = _MOST_HOLDS) -> None:
        self._clock = clock
        self._most_meters = most_meters
        self._most_holds = most_holds
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
        """As `MeterService.reserve`. Raises `StateFull` when a bound of this process is reached."""
        check_asked(charges, paces)
        now, now_ns = self._clock.monotonic(), self._clock.now_ns()
        if self._ended.get(hold, now):
            return Refused("", ended=True)
        known = self._holds.get(hold)
        if known is not None and part in known.parts:
            before = known.parts[part]
            return Held(before.units, before.left, before.over, again=True)
        if self._lost and not forced:
            raise MetersLost("the meters of this process are not restored yet")
        named = [name for charge in charges for name in (charge.meter, charge.previous) if name is not None]
        dues = {pace.meter: self._paces.get(pace.meter, now) or 0 for pace in paces}
        got = admit(charges, paces, self._taken(named, now), dues, now_ns, most=most, least=least, forced=forced)
        if isinstance(got, Refused):
            return got
        if known is None and len(self._holds) >= self._most_holds:
            raise StateFull(f"{self._most_holds} holds are open")
        self._make_room(got.amounts, now)
        known = self._holds.setdefault(hold, _Hold())
        for charge in charges:
            amount = got.amounts[charge.meter]
            meter = self._meter(charge.meter, charge.ends, now)
            meter.taken += amount
            meter.held += amount
            known.amounts[charge.meter] = known.amounts.get(charge.meter, 0) + amount
        self._paces.sweep(now)
        for name, due in got.dues.items():
            self._paces.set(name, due, now + (due - now_ns) / 1e9)
        known.ends = now + seconds
        known.note = note if part == 0 or not known.parts else known.note
        answer = known.parts[part] = Held(got.units, got.left, got.over)
        return answer

    async def settle(self, hold: str, used: Sequence[Posting]) -> bool:
        """As `MeterService.settle`."""
        now = self._clock.monotonic()
        if self._ended.get(hold, now):
            return False
        known = self._holds.get(hold)
        back = known.amounts if known is not None else {}
        self._post(used, back, now)
        for name, amount in back.items():
            meter = self._meters.get(name, now)
            if meter is not None:
                meter.taken -= amount
                meter.held -= amount
        self._holds.pop(hold, None)
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
        self._post(postings, {}, self._clock.monotonic())

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
        self._post(postings, {}, now)
        self._lost = False
        return True

    def _post(self, postings: Sequence[Posting], back: dict[str, int], now: float) -> None:
        """Add all postings or none; `back` is what the same step is going to give back."""
        sums: dict[str, int] = {}
        for posting in postings:
            sums[posting.meter] = sums.get(posting.meter, 0) + posting.amount
        taken = self._taken(sums, now)
        for name, amount in sums.items():
            exact(name, taken[name] + amount - back.get(name, 0))
        self._make_room(sums, now)
        for posting in postings:
            self._meter(posting.meter, posting.ends, now).taken += posting.amount

    def _taken(self, names: Iterable[str], now: float) -> dict[str, int]:
        return {name: meter.taken if (meter := self._meters.get(name, now)) is not None else 0 for name in names}

    def _make_room(self, names: Iterable[str], now: float) -> None:
        new = sum(self._meters.get(name, now) is None for name in names)
        if len(self._meters) + new <= self._most_meters:
            return
        self._meters.sweep(now, steps=NEVER)
        if len(self._meters) + new > self._most_meters:
            raise StateFull(f"{self._most_meters} meters are in use")

    def _meter(self, name: str, ends: int | None, now: float) -> _Meter:
        meter = self._meters.get(name, now)
        if meter is None:
            self._meters.sweep(now)
            meter = _Meter()
            left = NEVER if ends is None else max(0.0, (ends - self._clock.now_ns()) / 1e9)
            self._meters.set(name, meter, now + left)
        return meter
