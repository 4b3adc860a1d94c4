"""Experiments: units dealt to weighted variants, the same way on every worker; and exploration with known odds.

What a variant does with its requests is the caller's business, and so is measuring it.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, Literal, Protocol

from routeiq_sdk import Context

BUCKETS: Final = 10_000
Unit = Literal["key", "team", "user", "end_user", "session", "request"]
_NEXT: Final[Mapping[Unit, Unit]] = {
    "session": "end_user",
    "end_user": "user",
    "user": "key",
    "team": "key",
    "key": "request",
}
_SESSION_HEADER: Final = "x-litellm-session-id"


class Uniform(Protocol):
    """A source of numbers, such as `random.Random` or a numpy `Generator`."""

    def random(self) -> float:
        """The next one, uniform in 0 <= x < 1."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which variant a request got, and why: its bucket, 0..9999, and the unit that was hashed."""

    experiment: str
    variant: str
    bucket: int
    by: Unit
    weight: float
    total_weight: float

    def record(self) -> dict[str, Any]:
        """The fields of a decision record's `experiment`."""
        return {
            "experiment_id": self.experiment,
            "variant": self.variant,
            "weight": self.weight,
            "total_weight": self.total_weight,
            "hash_bucket": self.bucket,
            "hash_key_type": self.by,
        }


@dataclass(frozen=True, slots=True)
class Experiment:
    """`variants` are (name, weight) in an order that matters; `by` says what is dealt to them.

    A unit's bucket is a hash of the experiment's id and the unit, so equal configurations deal alike on every worker
    and after every restart, and two experiments deal independently. Buckets go to the variants in their order, in
    proportion to their weights, to the nearest ten-thousandth. Raises `ValueError` for what cannot be dealt.
    """

    id: str
    variants: tuple[tuple[str, float], ...]
    by: Unit = "key"

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("an experiment without an id")
        names = [name for name, _ in self.variants]
        if not names or not all(names) or len(set(names)) != len(names):
            raise ValueError(f"experiment {self.id!r} has no variants, one without a name, or one named twice")
        for name, weight in self.variants:
            if isinstance(weight, bool) or not 0 < weight < math.inf:
                raise ValueError(f"experiment {self.id!r}: variant {name!r} has the weight {weight}; give one above 0")
        if not math.isfinite(self.total_weight):
            raise ValueError(f"experiment {self.id!r}: the weights add up to more than a number can hold")
        ends = self._ends()
        for (name, _), before, end in zip(self.variants, (0, *ends), ends, strict=False):
            if before == end:
                raise ValueError(
                    f"experiment {self.id!r}: the weight of {name!r} is too small a part of {self.total_weight:g}; "
                    f"give it at least one ten-thousandth"
                )

    @property
    def total_weight(self) -> float:
        """The sum of all weights."""
        return sum(weight for _, weight in self.variants)

    def assign(self, ctx: Context) -> Assignment:
        """The variant of a request. A unit that the request does not have is replaced by the next that it has: session,
        end user, user, key, request; team, key, request.
        """
        by: Unit = self.by
        unit = _unit(ctx, by)
        while unit is None:
            by = _NEXT[by]
            unit = _unit(ctx, by)
        bucket = self.bucket(unit)
        name, weight = self.variants[bisect_right(self._ends(), bucket)]
        return Assignment(self.id, name, bucket, by, weight, self.total_weight)

    def bucket(self, unit: str) -> int:
        """The bucket of a unit, 0..9999."""
        key = f"{self.id}\0{unit}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % BUCKETS

    def _ends(self) -> tuple[int, ...]:
        """For each variant the bucket after its last."""
        total = self.total_weight
        sums = accumulate(weight for _, weight in self.variants)
        return tuple(round(BUCKETS * (reached / total)) for reached in sums)


def explore(rng: Uniform, epsilon: float, candidates: int, best: int = 0) -> tuple[int, float]:
    """The place to call among `candidates`, and the exact probability of that: a share `epsilon` of calls goes to one
    of all of them at random, the rest to `best`. With `epsilon` 0 nothing is drawn and the probability is 1.

    Raises `ValueError` when a number is out of its range.
    """
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon is {epsilon}: give a share of 0 to 1")
    if not 0 <= best < candidates:
        raise ValueError(f"the best is number {best} of {candidates} candidates")
    if not epsilon or candidates == 1:
        return best, 1.0
    chosen = best
    if rng.random() < epsilon:
        chosen = min(int(rng.random() * candidates), candidates - 1)
    by_lot = epsilon / candidates
    return chosen, by_lot + (1 - epsilon if chosen == best else 0.0)


def _unit(ctx: Context, by: Unit) -> str | None:
    """What of the request is dealt; `None` when it has no such thing. Names of clients count for each caller alone."""
    if by == "request":
        return ctx.request_id
    principal = ctx.identified
    if by == "end_user":
        return _of_caller(ctx, ctx.end_user)
    if by == "session":
        return _of_caller(ctx, _session(ctx))
    if principal is None:
        return None
    return {"key": principal.id, "team": principal.team, "user": principal.user}[by] or None


def _of_caller(ctx: Context, name: str | None) -> str | None:
    """Clients name their users and sessions as they like: one caller's are not another's."""
    if not name:
        return None
    principal = ctx.identified
    return name if principal is None else f"{principal.id}\0{name}"


def _session(ctx: Context) -> str | None:
    told = ctx.headers.get(_SESSION_HEADER)
    if told:
        return told
    if ctx.asked is None:
        return None
    for name in ("litellm_metadata", "metadata"):
        metadata = ctx.asked.param(name)
        session = metadata.get("session_id") if isinstance(metadata, Mapping) else None
        if isinstance(session, str) and session:
            return session
    return None
