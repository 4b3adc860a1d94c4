"""One record of outcomes as a checked row: a prompt, and for each model of it a score and a cost.

Where records come from is known in `sources`; which models and rows count is decided in `reading`.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from routeiq_routing_ml.model.costs import estimated_tokens
from routeiq_routing_ml.training.sources import MOST_LINE, Record, wrong
from routeiq_routing_ml.training.table import TrainingError

MOST_MODELS: Final = 1000
_LONGEST_NAME: Final = 200
_LONGEST_TASK: Final = 100
_HEAD, _TAIL = 20_000, 1_024
"""No feature looks at more of a prompt than its first 20,000 and its last 1,024 characters."""
_NUMBERS: Final = (float, int)
_MOST: Final = 1e15
"""No dollars and no count of tokens of one query are above it."""
_COUNT: Final = "give a number of at least 0, or leave it out."


class Row(NamedTuple):
    """`score`, `cost` and `tokens_out` go by the model's number in `Models`; NaN where nothing is known."""

    number: int
    text: str
    task: str
    tokens: float
    score: array[float]
    cost: array[float]
    tokens_out: array[float]


class Models:
    """Numbers models in the order in which they are met, and counts the rows in which each has a score and a cost."""

    def __init__(self, only: Collection[str] | None) -> None:
        self.number: dict[str, int] = {}
        self.rows: list[int] = []
        self._only = frozenset(only) if only is not None else None
        for model in only or ():
            self.add(model)

    def add(self, model: str) -> int:
        """The number of a new model. Raises `ValueError` that says why the name is none."""
        if self._only is not None and model not in self._only:
            raise ValueError(f"the model {model!r} is not one of {', '.join(sorted(self._only))}.")
        if not isinstance(model, str) or not 0 < len(model) <= _LONGEST_NAME or not model.isprintable():
            raise ValueError(f"{str(model)[:40]!r} is no name for a model: 1 to {_LONGEST_NAME} printable characters.")
        if len(self.number) == MOST_MODELS:
            raise ValueError(f"more than {MOST_MODELS} models.")
        self.rows.append(0)
        return self.number.setdefault(model, len(self.number))


class Checker:
    """Checks records of one file."""

    def __init__(self, path: Path, only: Collection[str] | None) -> None:
        self._path = path
        self.models = Models(only)

    def check(self, record: Record) -> None:
        """Raise `TrainingError` for what is wrong in a record, and count its models."""
        line, fields = record
        query = fields.get("query")
        if not isinstance(query, str) or not query or query.isspace():
            raise self._wrong(line, "no `query`.", "give each row the text that the models saw.")
        if len(query) > MOST_LINE:
            raise self._wrong(line, "a `query` of more than 1 MiB.", "shorten the prompt or drop the row.")
        scores, costs = fields.get("scores"), fields.get("cost")
        if not isinstance(scores, Mapping) or not isinstance(costs, Mapping):
            key = "cost" if isinstance(scores, Mapping) else "scores"
            raise self._wrong(line, f"no `{key}` by model.", 'write for instance {"scores": {"fast": 1, "strong": 0}}.')
        number, rows = self.models.number, self.models.rows
        for model, score in scores.items():
            if score is None:
                continue
            if type(score) not in _NUMBERS or not 0 <= score <= 1:
                mend = "scores are numbers from 0 (wrong) to 1 (right); scale, correct or drop the row."
                raise self._wrong(line, f"the score of {model!r} is {_shown(score)}.", mend)
            cost = costs.get(model)
            if cost is None:
                raise self._wrong(line, f"model {model!r} has no cost.", "give each score a cost in US dollars.")
            if type(cost) not in _NUMBERS or not 0 <= cost <= _MOST:
                raise self._wrong(line, f"the cost of {model!r} is {_shown(cost)}.", "costs are US dollars, 0 or more.")
            try:
                place = number[model] if model in number else self.models.add(model)
            except ValueError as error:
                raise self._wrong(line, str(error), "correct the model's name, or the list of models.") from None
            rows[place] += 1
        tokens = fields.get("tokens_in")
        if tokens is not None and (type(tokens) not in _NUMBERS or not 0 <= tokens <= _MOST):
            raise self._wrong(line, f"`tokens_in` is {_shown(tokens)}.", _COUNT)

    def row(self, number: int, record: Record) -> Row:
        """A checked record as a row; `number` counts rows from 0. Raises `TrainingError` for a broken token count."""
        line, fields = record
        query, task, tokens = fields["query"], fields.get("task"), fields.get("tokens_in")
        outs = fields.get("tokens_out")
        if outs is None:
            outs = fields.get("tokens_out_est")
        if not isinstance(outs, Mapping):
            outs = dict.fromkeys(fields["scores"], outs)
        known = {model: out for model, out in outs.items() if out is not None}
        for model, out in known.items():
            if type(out) not in _NUMBERS or not 0 <= out <= _MOST:
                raise self._wrong(line, f"`tokens_out` of {model!r} is {_shown(out)}.", _COUNT)
        return Row(
            number,
            query if len(query) <= _HEAD + _TAIL else f"{query[:_HEAD]} {query[-_TAIL:]}",
            str(task)[:_LONGEST_TASK] if task is not None else "",
            estimated_tokens(len(query)) if tokens is None else float(tokens),
            self._by_number(fields["scores"]),
            self._by_number({model: fields["cost"][model] for model, s in fields["scores"].items() if s is not None}),
            self._by_number(known),
        )

    def _by_number(self, values: Mapping[str, Any]) -> array[float]:
        found = array("d", [math.nan]) * len(self.models.number)
        for model, value in values.items():
            place = self.models.number.get(model)
            if place is not None and value is not None:
                found[place] = value
        return found

    def _wrong(self, line: int, message: str, mend: str) -> TrainingError:
        return wrong(self._path, line, message, mend)


def _shown(value: Any) -> str:
    return f"{value!r:.40}" if not isinstance(value, int) or abs(value) < 1 << 60 else "a huge number"
