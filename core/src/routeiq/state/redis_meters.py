"""Meters and holds in Redis or Valkey: the `MeterService` of processes on several machines. A call is one round trip.

What a hold may take is decided by `redis_lua/reserve.lua`, which must agree with `admission`.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import msgpack

from routeiq.state.admission import REMEMBERED_SECONDS, check_asked, exact
from routeiq.state.redis_line import Word
from routeiq.state.redis_link import RedisLink
from routeiq.state.redis_scripts import Script, script
from routeiq_sdk import MetersLost
from routeiq_sdk.values.meters import Charge, Held, Level, Overdue, Pace, Posting, Refused

_PRELUDE = ("numbers", "meters")
_RESERVE = script(*_PRELUDE, "reserve", identified=True)
_RESTORE = script(*_PRELUDE, "restore", identified=True)
_SETTLE, _ADJUST, _LEVELS, _RENEW, _OVERDUE = (
    script(*_PRELUDE, name) for name in ("settle", "adjust", "levels", "renew", "overdue")
)
_MARK = "\0mark"
_PAGE = 2000
_STAGED_SECONDS = 600
_LONG = 10**15
"""Below it (15 digits) a script computes with doubles and is exact."""
_MILLION = 1_000_000


class RedisMeters:
    """Meters behind a `RedisLink`. All meters, holds, tombstones and the mark have one hash tag: one script sees them
    all, in a cluster, too, where they lie on one node.

    Amounts are exact over 64 bits, and time is the server's. The meters lie in one hash together with a mark that names
    the server process and its history. A flush, a restart (with or without a file), a failover and an eviction take the
    mark away or make it another's: then the meters are lost. Names must not be `"\\0mark"`.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._tag = tag = link.servers.tag
        self._keys = [f"{tag}meters", f"{tag}ends", f"{tag}leases"]
        self._hold, self._tombstone, self._pace = f"{tag}h:", f"{tag}t:", f"{tag}p:"

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
        check_asked(charges, paces)
        asked = (
            _number(most),
            _number(least),
            forced,
            _is_wide(charges, most),
            [_charge(charge) for charge in charges],
            [(pace.meter, pace.interval_ns, pace.burst, pace.amount, pace.enforced) for pace in paces],
        )
        words = (hold, part, math.ceil(seconds * 1000), note, msgpack.encode(asked))
        keys = [*self._keys, self._hold + hold, self._tombstone + hold, *(self._pace + pace.meter for pace in paces)]
        kind, *told = await self._identified(_RESERVE, keys, words)
        if kind in (b"held", b"again"):
            units, left, over = msgpack.decode(told[0])
            rest = tuple(None if each is False else int(each) for each in left)
            return Held(int(units), rest, tuple(over), again=kind == b"again")
        if kind == b"refused":
            return Refused(told[0].decode(), int(told[1]))
        if kind == b"paced":
            return Refused(told[0].decode(), int(told[1]), retry_after=int(told[2]) / 1e9)
        return Refused("", ended=True)

    async def settle(self, hold: str, used: Sequence[Posting]) -> bool:
        """As `MeterService.settle`. After `StoreUnavailable` it may have been done; asking again does no harm."""
        keys = [*self._keys, self._hold + hold, self._tombstone + hold]
        words = (hold, math.ceil(REMEMBERED_SECONDS), _postings(used))
        return bool(await self._link.run(_SETTLE, keys, words))

    async def renew(self, holds: Sequence[str], seconds: float) -> list[str]:
        """As `MeterService.renew`."""
        if not holds:
            return []
        unknown = await self._link.run(_RENEW, self._keys, (math.ceil(seconds * 1000), *holds))
        return [name.decode() for name in unknown]

    async def overdue(self, most: int = 100) -> list[Overdue]:
        """As `MeterService.overdue`. Also removes what is left of windows that are past."""
        found = await self._link.run(_OVERDUE, self._keys, (most, self._hold))
        return [Overdue(hold.decode(), _amounts(packed), note) for hold, note, packed in found]

    async def levels(self, meters: Sequence[str]) -> list[Level]:
        """As `MeterService.levels`."""
        if not meters:
            return []
        told = await self._link.run(_LEVELS, self._keys, meters)
        return [Level(int(taken), int(held)) for taken, held in zip(told[::2], told[1::2], strict=True)]

    async def adjust(self, postings: Sequence[Posting]) -> None:
        """As `MeterService.adjust`. After `StoreUnavailable` it may have been done."""
        if postings:
            await self._link.run(_ADJUST, self._keys, (_postings(postings),))

    async def lost(self) -> bool:
        """As `MeterService.lost`."""
        for _ in range(2):
            mark = await self._link.call("HGET", self._keys[0], _MARK)
            seen = self._link.identity
            if mark is not None and mark.decode() == seen:
                return False
            if not await self._link.refreshed(seen):
                break
        return True

    async def restore(self, postings: Sequence[Posting]) -> bool:
        """As `MeterService.restore`. The meters are written aside by pages, so that nobody waits long, and put in their
        place in one step."""
        aside = f"{self._tag}restored:{secrets.token_hex(8)}"
        staged = [f"{aside}:meters", f"{aside}:ends"]
        # The identity of a long-lived line may be old; the mark is what the server says now.
        await self._link.refreshed("")
        rows = [row for row in _sums(postings) if row[1] or row[2]]
        for first in range(0, len(rows), _PAGE):
            await self._stage(staged, rows[first : first + _PAGE])
        return bool(await self._link.run(_RESTORE, [*self._keys, *staged], (self._hold,)))

    async def _stage(self, staged: Sequence[str], rows: Sequence[tuple[str, int | str, int | bool]]) -> None:
        meters: list[Word] = []
        ends: list[Word] = []
        for meter, amount, end in rows:
            # A level, as the scripts pack it; nothing held.
            meters += (meter, b"".join(map(msgpack.encode, (amount, 0, end))))
            if end is not False:
                ends += (end, meter)
        for key, command, words in zip(staged, ("HSET", "ZADD"), (meters, ends), strict=True):
            if words:
                await self._link.call(command, key, *words)
                await self._link.call("EXPIRE", key, _STAGED_SECONDS)

    async def _identified(self, asked: Script, keys: Sequence[str], words: Sequence[Word]) -> Any:
        """Run a script that compares the mark. Raises `MetersLost`."""
        for _ in range(2):
            told = await self._link.run(asked, keys, words)
            if told[0] != b"lost" or not await self.lost():
                return told
        raise MetersLost("the meters of the state store are not restored yet")


def _is_wide(charges: Sequence[Charge], most: int) -> bool:
    """Whether what may be computed needs more than doubles."""
    return any(
        abs(charge.base) + abs(charge.rate) * max(1, most) >= _LONG or not 0 <= charge.previous_weight <= _MILLION
        for charge in charges
    )


def _charge(charge: Charge) -> tuple[object, ...]:
    """As the script reads it; `False` stands for nothing."""
    return (
        charge.meter,
        False if charge.limit is None else _number(charge.limit),
        _number(charge.base),
        _number(charge.rate),
        _end(charge.ends),
        False if charge.previous is None else charge.previous,
        _number(charge.previous_weight),
        charge.enforced,
    )


def _postings(postings: Sequence[Posting]) -> bytes:
    return msgpack.encode(list(_sums(postings)))


def _sums(postings: Sequence[Posting]) -> Iterator[tuple[str, int | str, int | bool]]:
    """Meter, sum and end of each meter; the first posting's end is the one of a new meter."""
    sums: dict[str, int] = {}
    ends: dict[str, int | None] = {}
    for posting in postings:
        sums[posting.meter] = sums.get(posting.meter, 0) + posting.amount
        ends.setdefault(posting.meter, posting.ends)
    return ((meter, _number(exact(meter, amount)), _end(ends[meter])) for meter, amount in sums.items())


def _number(value: int) -> int | str:
    """A number that a script can compute with, or the digits of one that it must take apart."""
    return value if -_LONG < value < _LONG else str(value)


def _end(ends: int | None) -> int | bool:
    """In microseconds, which a double holds exactly."""
    return False if ends is None else ends // 1000


def _amounts(packed: bytes) -> dict[str, int]:
    found = msgpack.decode(packed) if packed else {}
    return {meter: int(amount) for meter, amount in found.items()} if found else {}
