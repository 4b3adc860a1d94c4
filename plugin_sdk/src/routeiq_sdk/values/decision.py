"""A routing choice that can be explained, audited and learned from.

How a choice is made is a strategy's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model a strategy could have chosen.

    `score` orders candidates (higher is better). `quality` is a predicted probability of a good answer (0..1), `cost`
    an
    expected cost in nano-USD, `uncertainty` one standard deviation of the quality; `None` where a strategy does not
    say.
    """

    model: str
    score: float
    quality: float | None = None
    cost: int | None = None
    uncertainty: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A ranked choice: `candidates[0]` is called first, the others are the order of retreat.

    `propensity` is the probability with which this strategy picks the chosen model for this request (1.0 when it is
    deterministic); learning from logged decisions needs it. `reason` is one sentence a person can read.
    """

    strategy: str
    candidates: tuple[Candidate, ...]
    reason: str = ""
    propensity: float = 1.0
    version: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chosen(self) -> Candidate:
        """The candidate to call first."""
        return self.candidates[0]
