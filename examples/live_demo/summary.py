"""Sums the answers up, and works out what the dearest model would have cost and known.

That is possible because the models are simulated: what a model would have said is known without asking it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from live_demo.asking import Answer
from routeiq_testkit import MODELS, SimulatedModel
from routeiq_testkit.simulated import simulate

_MILLION = 10**6


@dataclass(frozen=True, slots=True)
class Part:
    """What one model did. Money is in US dollars."""

    model: str
    questions: int
    good: int
    cost: Decimal
    seconds: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole run beside "always the dearest model"."""

    parts: tuple[Part, ...]
    strategies: tuple[str, ...]
    questions: int
    good: int
    cost: Decimal
    dearest: str
    dearest_cost: Decimal
    dearest_good: int

    @property
    def saved(self) -> float:
        """The share of the dearest model's cost that was not spent."""
        return 1 - float(self.cost / self.dearest_cost)

    def as_json(self) -> dict[str, Any]:
        """Plain data; money as decimal strings of US dollars."""
        return {
            "simulated": True,
            "questions": self.questions,
            "answered_well": self.good,
            "cost_usd": f"{self.cost:f}",
            "strategies": list(self.strategies),
            "models": [
                {
                    "model": part.model,
                    "questions": part.questions,
                    "share": part.questions / self.questions,
                    "answered_well": part.good,
                    "cost_usd": f"{part.cost:f}",
                    "mean_seconds": round(part.seconds / part.questions, 4),
                }
                for part in self.parts
            ],
            "always_dearest": {
                "model": self.dearest,
                "cost_usd": f"{self.dearest_cost:f}",
                "answered_well": self.dearest_good,
            },
            "saved": round(self.saved, 4),
        }


def summarize(answers: Sequence[Answer]) -> Summary:
    """The summary of at least one answer; parts by share, largest first."""
    dearest = max(MODELS, key=lambda model: model.output_usd_per_mtok)
    instead = [simulate(dearest, answer.question.text) for answer in answers]
    parts = [_part(name, answers) for name in {answer.model for answer in answers}]
    return Summary(
        parts=tuple(sorted(parts, key=lambda part: (-part.questions, part.model))),
        strategies=tuple(sorted({answer.strategy for answer in answers})),
        questions=len(answers),
        good=sum(answer.good for answer in answers),
        cost=sum((answer.cost for answer in answers), Decimal(0)),
        dearest=dearest.name,
        dearest_cost=sum(
            (
                _price(dearest, answer.input_tokens, len(said.words))
                for answer, said in zip(answers, instead, strict=True)
            ),
            Decimal(0),
        ),
        dearest_good=sum(said.correct for said in instead),
    )


def _part(name: str, answers: Sequence[Answer]) -> Part:
    own = [answer for answer in answers if answer.model == name]
    return Part(
        model=name,
        questions=len(own),
        good=sum(answer.good for answer in own),
        cost=sum((answer.cost for answer in own), Decimal(0)),
        seconds=sum(answer.seconds for answer in own),
    )


def _price(model: SimulatedModel, input_tokens: int, output_tokens: int) -> Decimal:
    inputs = input_tokens * Decimal(str(model.input_usd_per_mtok))
    return (inputs + output_tokens * Decimal(str(model.output_usd_per_mtok))) / _MILLION
