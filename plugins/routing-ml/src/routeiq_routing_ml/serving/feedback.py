"""Feedback: what is remembered of a decision, the score that comes later, and how every worker hears of it.

It keeps no prompt, only the few numbers that learning needs. What is learned from a score is `online`'s and `bandit`'s.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

import numpy as np

from routeiq_routing_ml.artifact import canonical
from routeiq_routing_ml.scorers.base import Floats
from routeiq_sdk import Principal, RequestError
from routeiq_sdk.gateway import StateService

TABLE: Final = "routing-ml.decisions.cache"
CHANNEL: Final = "routing-ml.feedback"
KEPT_SECONDS: Final = 7 * 24 * 3600.0
MOST_DIRECTIONS: Final = 512
_LONGEST_ID: Final = 200
_LONGEST_NAME: Final = 1000
_FIELDS: Final = frozenset({"decision_id", "score", "comment"})


@dataclass(frozen=True, slots=True)
class Remembered:
    """A decision that a score may still come for, and the score once it came.

    `chosen` was put first by the router, `called` answered in the end; both are training names. `predicted` is the
    quality that the artifact predicted for `called`, before corrections. `directions` (k,) is where the prompt lies,
    kept in half precision. `propensity` is that of `chosen`. `at` is Unix time in nanoseconds.
    """

    decision_id: str
    principal: str
    router: str
    digest: str
    chosen: str
    called: str
    predicted: float
    directions: tuple[float, ...]
    propensity: float
    at: int
    score: float | None = None

    @property
    def residual(self) -> float | None:
        """How much better the answer was than predicted; `None` before the score."""
        return None if self.score is None else self.score - self.predicted

    @property
    def vector(self) -> Floats:
        """The directions as an array (k,)."""
        return np.array(self.directions, np.float64)

    def encode(self) -> bytes:
        """Compact bytes for a record or a message. Raises `ValueError` for values that `decode` would refuse."""
        _check(self)
        halves = np.array(self.directions, "<f2").tobytes()
        return canonical.encode({**asdict(self), "directions": base64.b64encode(halves).decode()})

    @classmethod
    def decode(cls, data: bytes) -> Remembered:
        """What `encode` wrote. Raises `ValueError` for anything else."""
        told = canonical.decode(data)
        if not isinstance(told, dict) or told.keys() != {field.name for field in fields(cls)}:
            raise ValueError("not a remembered decision")
        if not isinstance(told["directions"], str):
            raise ValueError("directions that are no base64")
        halves = base64.b64decode(told["directions"], validate=True)
        if len(halves) % 2:
            raise ValueError("half a number among the directions")
        found = cls(**{**told, "directions": tuple(np.frombuffer(halves, "<f2").astype(float).tolist())})
        if found.encode() != data:  # there is one spelling of each decision
            raise ValueError("not a remembered decision in its own spelling")
        return found


@dataclass(frozen=True, slots=True)
class Feedback:
    """A caller's word on an answer: the decision it came from and a score, 0 (useless) to 1 (right)."""

    decision_id: str
    score: float

    @classmethod
    def parse(cls, body: bytes) -> Feedback:
        """Read `{"decision_id": ..., "score": 0..1, "comment": ...}`, whose comment is not kept. Raises `RequestError`:
        400 for anything else.
        """
        try:
            told = canonical.decode(body)
        except ValueError:
            raise RequestError(400, "The body is not valid JSON.", param="request_body") from None
        if not isinstance(told, dict):
            raise RequestError(400, "The body is not a JSON object.", param="request_body")
        unknown = sorted(told.keys() - _FIELDS)
        if unknown:
            raise RequestError(
                400, "Unknown field. Feedback has decision_id, score and, if you like, comment.", param=unknown[0][:100]
            )
        return cls(_decision_id(told), _score(told))


async def remember(state: StateService, decision: Remembered) -> None:
    """Keep a decision for seven days, or until newer ones need the room."""
    await state.put(TABLE, decision.decision_id, decision.encode(), ttl_seconds=KEPT_SECONDS)


async def give(state: StateService, feedback: Feedback, principal: Principal) -> Remembered:
    """Put a score to its decision, once, and return the decision with the score in it.

    Raises `RequestError`: 404 when there is no such decision (any more) or it was made for somebody else, which looks
    the same from outside; 409 when it has its score. Of two scores at once, on any workers, one wins.
    """
    while True:
        kept = await state.get(TABLE, feedback.decision_id)
        decision = _decoded(kept)
        if kept is None or decision is None or not _may(principal, decision):
            raise RequestError(
                404,
                "There is no such decision, or it is too old for feedback.",
                type="not_found_error",
                param="decision_id",
            )
        if decision.score is not None:
            raise RequestError(409, "This decision has its feedback already.", param="decision_id")
        scored = replace(decision, score=feedback.score)
        if await state.put_if(TABLE, decision.decision_id, scored.encode(), expected=kept):
            return scored


async def announce(state: StateService, scored: Remembered) -> None:
    """Tell every worker, this one too, of a decision that got its score. Raises `ValueError` when it has none."""
    if scored.score is None:
        raise ValueError("a decision without a score")
    await state.publish(CHANNEL, scored.encode())


async def listen(
    state: StateService, hear: Callable[[Remembered], None], ready: Callable[[], None] | None = None
) -> None:
    """Call `hear` for each announced decision, without end; `ready` once messages are received.

    A message that is none, as from a worker of another version, is passed over.
    """
    async with state.subscribe(CHANNEL) as messages:
        if ready is not None:
            ready()
        async for message in messages:
            scored = _decoded(message)
            if scored is not None and scored.score is not None:
                hear(scored)


def _decoded(data: bytes | None) -> Remembered | None:
    """A record of another version of this plugin counts as unknown."""
    if data is None:
        return None
    try:
        return Remembered.decode(data)
    except ValueError:
        return None


def _may(principal: Principal, decision: Remembered) -> bool:
    return principal.is_admin or principal.id == decision.principal


def _decision_id(told: Mapping[str, Any]) -> str:
    value = told.get("decision_id")
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID or not value.isprintable():
        raise RequestError(
            400, "decision_id is the text of the answer's x-routeiq-decision-id header.", param="decision_id"
        )
    return value


def _score(told: Mapping[str, Any]) -> float:
    value = told.get("score")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise RequestError(400, "score is a number from 0 (useless) to 1 (right).", param="score")
    return float(value)


def _check(decision: Remembered) -> None:
    for name in ("decision_id", "principal", "router", "digest", "chosen", "called"):
        value = getattr(decision, name)
        longest = _LONGEST_ID if name == "decision_id" else _LONGEST_NAME
        if not isinstance(value, str) or len(value) > longest or (name == "decision_id" and not value):
            raise ValueError(f"{name} is no text of at most {longest} characters")
    shares = {"predicted": decision.predicted, "propensity": decision.propensity}
    if decision.score is not None:
        shares["score"] = decision.score
    for name, share in shares.items():
        if not isinstance(share, float) or not 0 <= share <= 1 or (name == "propensity" and share == 0):
            raise ValueError(f"{name} is no number within its range")
    if type(decision.at) is not int or not 0 <= decision.at < 1 << 63:
        raise ValueError("at is no time")
    k = len(decision.directions)
    if k > MOST_DIRECTIONS or not all(math.isfinite(value) and abs(value) <= 2 for value in decision.directions):
        raise ValueError(f"{k} directions, or one that is too large")
