"""What a hold may take: the arithmetic of limits, sliding windows and paces, without any store.

Reading and writing the meters in one atomic step is the business of each store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from routeiq_sdk.values.meters import Charge, Pace, Refused

REMEMBERED_SECONDS = 3600.0
"""How long an ended hold is remembered."""
_INT64 = range(-(2**63), 2**63)
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Admission:
    """A hold that fits: its units, what each meter gives and has left, and when each pace is due next (Unix ns)."""

    units: int
    over: tuple[str, ...]
    amounts: Mapping[str, int]
    left: tuple[int | None, ...]
    dues: Mapping[str, int]


def check_asked(charges: Sequence[Charge], paces: Sequence[Pace]) -> None:
    """Raises `ValueError` for what no store could answer."""
    for pace in paces:
        if pace.amount > pace.burst:
            raise ValueError(f"{pace.meter} asks for {pace.amount} at once; its burst is {pace.burst}")
    if len({charge.meter for charge in charges}) != len(charges) or len({pace.meter for pace in paces}) != len(paces):
        raise ValueError("a hold names a meter twice")


def admit(
    charges: Sequence[Charge],
    paces: Sequence[Pace],
    taken: Mapping[str, int],
    dues: Mapping[str, int],
    now_ns: int,
    *,
    most: int,
    least: int,
    forced: bool,
) -> Admission | Refused:
    """Decide on meters that stand at `taken` and paces due at `dues` (0 for what is missing).

    Raises `OverflowError` when a meter would leave 64 bits.
    """
    units, over, late = most, list[str](), set[str]()
    if not forced:
        for charge in charges:
            fits = _fitting(charge, most, taken)
            if fits >= most:
                continue
            if not charge.enforced:
                over.append(charge.meter)
            elif fits < least:
                return Refused(charge.meter, counted(charge, taken))
            else:
                units = min(units, fits)
        for pace in paces:
            wait = max(dues.get(pace.meter, 0), now_ns) + (pace.amount - pace.burst) * pace.interval_ns - now_ns
            if wait > 0 and pace.enforced:
                return Refused(pace.meter, pace.burst, retry_after=wait / 1e9)
            if wait > 0:
                over.append(pace.meter)
                late.add(pace.meter)
    amounts = {charge.meter: charge.base + units * charge.rate for charge in charges}
    after = {**taken, **{meter: exact(meter, taken.get(meter, 0) + amount) for meter, amount in amounts.items()}}
    left = tuple(None if charge.limit is None else charge.limit - counted(charge, after) for charge in charges)
    # What an enforced pace would refuse takes nothing, so it takes nothing in shadow mode either.
    next_due = {
        pace.meter: exact(pace.meter, max(dues.get(pace.meter, 0), now_ns) + pace.amount * pace.interval_ns)
        for pace in paces
        if pace.meter not in late
    }
    return Admission(units, tuple(over), amounts, left, next_due)


def counted(charge: Charge, taken: Mapping[str, int]) -> int:
    """What counts against the charge's limit: its meter, and a part of the window before."""
    before = max(0, taken.get(charge.previous, 0)) if charge.previous is not None else 0
    return taken.get(charge.meter, 0) + before * charge.previous_weight // _MILLION


def exact(meter: str, value: int) -> int:
    """`value`, if 64 bits hold it. Raises `OverflowError`."""
    if value not in _INT64:
        raise OverflowError(f"meter {meter!r} would leave 64 bits")
    return value


def _fitting(charge: Charge, most: int, taken: Mapping[str, int]) -> int:
    """The largest number of units up to `most` that the charge's limit allows; -1 when not even the base fits."""
    if charge.limit is None or (charge.base <= 0 and charge.rate <= 0):
        return most
    room = charge.limit - counted(charge, taken) - charge.base
    if room < 0:
        return -1
    return most if charge.rate <= 0 else min(most, room // charge.rate)
