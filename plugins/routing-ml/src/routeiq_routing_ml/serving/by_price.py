"""Two strategies that know nothing of prompts: always the cheapest model, always the dearest.

LLMRouter's `smallest` and `largest`, with the price for the size: it is what an operator has of every model.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from routeiq_sdk import Candidate, Context, Decision, Deployment, ModelGroup, Price


class ByPrice:
    """Ranks by the price of one input and one output token; unpriced models come last."""

    def __init__(self, name: str, *, dearest: bool) -> None:
        self._name = name
        self._dearest = dearest

    async def rank(self, ctx: Context, groups: Sequence[ModelGroup]) -> Decision | None:
        """All groups by price."""
        ranked = sorted(groups, key=lambda group: (*self._key(group.price), group.name))
        word = "dearest" if self._dearest else "cheapest"
        candidates = tuple(Candidate(group.name, -float(place)) for place, group in enumerate(ranked))
        return Decision(self._name, candidates, f"{ranked[0].name} is the {word} candidate")

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """The first deployment by price."""
        return min(deployments, key=lambda deployment: (*self._key(deployment.price), deployment.id))

    def _key(self, price: Price | None) -> tuple[bool, Fraction]:
        if price is None:
            return True, Fraction(0)
        rate = Fraction(price.input + price.output, price.scale)
        return False, -rate if self._dearest else rate
