"""What a meter counts and how a hold on it is asked for, answered, and turned into what was used.

The atomic step itself is the state store's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Charge:
    """What a hold of `n` units takes from one meter: `base + n * rate`, within `limit`.

    Amounts are integers in the meter's own unit (nano-USD, tokens, requests, calls). With `limit` `None` the meter only
    counts. With `enforced` false a passed limit is told and refuses nothing (shadow mode). A window is part of the
    meter's name; `ends` is the Unix time in nanoseconds after which the meter may be forgotten.
    For a sliding window `previous` names the meter of the window before, of which `previous_weight` millionths still
    count (Cloudflare's sliding window counter; https://blog.cloudflare.com/counting-things-a-lot-of-different-things/).
    """

    meter: str
    limit: int | None = None
    base: int = 0
    rate: int = 0
    ends: int | None = None
    previous: str | None = None
    previous_weight: int = 0
    enforced: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """A request rate by the generic cell rate algorithm (ITU-T I.371): one takes `interval_ns`, `burst` may come at
    once. A hold takes `amount`, at once and for good; a release gives nothing back."""

    meter: str
    interval_ns: int
    burst: int
    amount: int = 1
    enforced: bool = True


@dataclass(frozen=True, slots=True)
class Posting:
    """An amount on a meter: what was used, or what a restored meter stands at. `ends` as in `Charge`."""

    meter: str
    amount: int
    ends: int | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """What a meter stands at: `taken` in all, of which `held` by reservations that are not settled."""

    taken: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A hold that was granted, with `units` of the most that was asked for.

    `left` is what each charge's meter still has below its limit (`None` without a limit), in the charges' order.
    `over` names the meters of charges in shadow mode that would have refused. `again` says that this part was granted
    before and this is its old answer.
    """

    units: int
    left: tuple[int | None, ...] = ()
    over: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A hold that was refused; nothing was taken. `meter` is the first that refused, at `taken`.

    `retry_after` is in seconds, known for a `Pace` only. `ended` says that the hold was settled already.
    """

    meter: str
    taken: int = 0
    retry_after: float | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Overdue:
    """A hold whose lease ran out: what it holds by meter, and the note its owner left."""

    hold: str
    amounts: Mapping[str, int]
    note: bytes
