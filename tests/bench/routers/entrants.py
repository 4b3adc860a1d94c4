"""Rivals and ours behind one face: trained on a cut, then asked for decisions at any weight of cost.
Figures are made of the decisions elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bench.routers import ours
from bench.routers.recipe import Array, Features, Recipe
from bench.routers.tables import Rows, Table
from bench.routers.views import Cut, Part, View
from routeiq_routing_ml.model.policy import Prediction
from routeiq_routing_ml.training import metrics


class Entrant(Protocol):
    """A trained router."""

    def scores(self, part: Part) -> tuple[Array, Array]:
        """Predicted quality-like score and cost, each (n, m)."""

    def decide(self, part: Part, lam: float) -> Rows:
        """Column of the chosen model (n,)."""

    def single(self, part: Part, row: int) -> Callable[[], object]:
        """One decision about one query of `part`, features given, ready to be timed."""

    def decide_texts(self, texts: Sequence[str], part: Part) -> Rows:
        """Decisions about other wordings of the queries of `part`, at lambda 0. In the text view only."""


@dataclass(frozen=True)
class Contestant:
    """A name, whether it is ours, and the training."""

    name: str
    ours: bool
    train: Callable[[Cut], Entrant]


@dataclass
class LentCost:
    """What a model costs by the length of the prompt, a straight line each. For recipes without a notion of cost."""

    lines: Array
    floor: Array

    @classmethod
    def learn(cls, tokens: Array, cost: Array) -> LentCost:
        """From tokens (n,) and cost (n, m) of the training part."""
        lines: Array = np.linalg.lstsq(_with_constant(tokens), cost, rcond=None)[0].astype(np.float64)
        return cls(lines, cost.min(axis=0))

    def __call__(self, tokens: Array) -> Array:
        return np.maximum(_with_constant(tokens) @ self.lines, self.floor)


def _with_constant(tokens: Array) -> Array:
    return np.column_stack([np.ones(len(tokens)), tokens])


@dataclass
class Rival:
    recipe: Recipe
    lent: LentCost
    text: Callable[[Sequence[str]], Features] | None
    _last: tuple[Part, tuple[Array, Array]] | None = field(init=False, default=None, repr=False)

    @classmethod
    def train(cls, recipe: Recipe, cut: Cut) -> Rival:
        recipe.fit(cut.train.features, cut.train.quality, cut.train.cost, cut.seed)
        text = cut.rivals_text.transform if cut.rivals_text else None
        return cls(recipe, LentCost.learn(cut.train.tokens, cut.train.cost), text)

    def scores(self, part: Part) -> tuple[Array, Array]:
        if self._last is None or self._last[0] is not part:
            self._last = part, self._scores(part.features, part.tokens)
        return self._last[1]

    def _scores(self, features: Features, tokens: Array) -> tuple[Array, Array]:
        predicted = self.recipe.predict(features)
        return predicted.quality, self.lent(tokens) if predicted.cost is None else predicted.cost

    def decide(self, part: Part, lam: float) -> Rows:
        return metrics.choose(*self.scores(part), lam)

    def single(self, part: Part, row: int) -> Callable[[], object]:
        features, tokens = part.features[row : row + 1], part.tokens[row : row + 1]
        return lambda: metrics.choose(*self._scores(features, tokens))

    def decide_texts(self, texts: Sequence[str], part: Part) -> Rows:
        if self.text is None:
            raise LookupError("no text features in this view")
        return metrics.choose(*self._scores(self.text(texts), part.tokens))


@dataclass
class Ours:
    trained: ours.Trained
    by_text: bool
    _last: tuple[Part, Prediction] | None = field(init=False, default=None, repr=False)

    @classmethod
    def train(cls, strategy: str, cut: Cut) -> Ours:
        by_text = cut.view is View.TEXT
        part = cut.train
        queries = _queries(part, by_text)
        made = ours.train(strategy, queries, part.quality, part.cost, part.tasks, cut.table.models, cut.seed)
        return cls(made, by_text)

    def scores(self, part: Part) -> tuple[Array, Array]:
        expected = self._expected(part)
        return expected.quality, expected.cost

    def decide(self, part: Part, lam: float) -> Rows:
        return self.trained.choose(self._expected(part), lam)

    def single(self, part: Part, row: int) -> Callable[[], object]:
        seen = self.trained.see(_queries(part, self.by_text)[row : row + 1])
        return lambda: self.trained.choose(self.trained.predict(seen))

    def decide_texts(self, texts: Sequence[str], part: Part) -> Rows:
        seen = self.trained.see(ours.Queries(list(texts), part.tokens, None))
        return self.trained.choose(self.trained.predict(seen))

    def _expected(self, part: Part) -> Prediction:
        if self._last is None or self._last[0] is not part:
            self._last = part, self.trained.predict(self.trained.see(_queries(part, self.by_text)))
        return self._last[1]


def _queries(part: Part, by_text: bool) -> ours.Queries:
    return ours.Queries(part.texts, part.tokens, None if by_text else part.features)


def our_contestant(strategy: str) -> Contestant:
    return Contestant(f"RouteIQ: {strategy}", True, lambda cut: Ours.train(strategy, cut))


def rival_contestant(name: str, make: Callable[[], Recipe]) -> Contestant:
    return Contestant(name, False, lambda cut: Rival.train(make(), cut))


def contestants(table: Table, rivals: Callable[[Table], list[Recipe]]) -> list[Contestant]:
    """Ours first, then the rivals; each training makes its recipe anew."""
    names = [recipe.name for recipe in rivals(table)]

    def maker(index: int) -> Callable[[], Recipe]:
        return lambda: rivals(table)[index]

    own = [our_contestant(strategy) for strategy in ours.STRATEGIES]
    return own + [rival_contestant(name, maker(index)) for index, name in enumerate(names)]
