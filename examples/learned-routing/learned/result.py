"""What the example found, as numbers: one row a way to answer, and one explained decision.

Showing it is `screen`'s business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from learned.asking import Answer


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer the held-out questions. `cost` is in US dollars, `shares` counts answers by model."""

    name: str
    questions: int
    good: int
    cost: Decimal
    shares: Mapping[str, int]

    @classmethod
    def of(cls, name: str, answers: Sequence[Answer]) -> Way:
        """The sum of some answers."""
        return cls(
            name,
            len(answers),
            sum(answer.good for answer in answers),
            sum((answer.cost for answer in answers), Decimal(0)),
            Counter(answer.model for answer in answers),
        )

    def saved(self, other: Way) -> float:
        """The share of another way's cost that this one did not spend; below 0 when it spent more."""
        return 1 - float(self.cost / other.cost)


@dataclass(frozen=True, slots=True)
class Result:
    """`best` is the model that answered best in the training data, always called; `decision` is a gateway's record."""

    trained_on: int
    best: Way
    singles: tuple[Way, ...]
    profiles: tuple[Way, ...]
    question: str
    decision: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Plain data; money as decimal strings of US dollars."""
        return {
            "simulated": True,
            "trained_on": self.trained_on,
            "held_out": self.best.questions,
            "best_single": self.best.name,
            "ways": [
                {
                    "name": way.name,
                    "answered_well": way.good,
                    "cost_usd": f"{way.cost:f}",
                    "saved": round(way.saved(self.best), 4),
                    "models": dict(way.shares),
                }
                for way in (*self.singles, *self.profiles)
            ],
            "explained": {"question": self.question, "decision": dict(self.decision)},
        }
