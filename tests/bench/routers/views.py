"""A table as routers get to see it: cut into a training and a test part, as MiniLM vectors or as text.
What a router does with it is its own matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bench.routers.recipe import Array, Features
from bench.routers.tables import Rows, Table
from bench.routers.text_features import TextFeatures


class View(StrEnum):
    MINILM = "MiniLM"
    TEXT = "no download"


@dataclass(frozen=True)
class Part:
    """Some queries of a table; `features` are what rivals get, ours get them in the MiniLM view only."""

    texts: Sequence[str]
    tasks: Sequence[str]
    features: Features
    tokens: Array
    quality: Array
    cost: Array


@dataclass(frozen=True)
class Cut:
    """One training and one test part. `rivals_text` is fitted on the training part, `None` in the MiniLM view."""

    table: Table
    view: View
    seed: int
    train: Part
    test: Part
    rivals_text: TextFeatures | None


def views(table: Table) -> list[View]:
    return [View.TEXT] if table.minilm is None else [View.MINILM, View.TEXT]


def cut(table: Table, view: View, train: Rows, test: Rows, seed: int) -> Cut:
    if view is View.MINILM:
        if table.minilm is None:
            raise LookupError(f"no MiniLM vectors for {table.name}")
        known, asked, text = table.minilm[train], table.minilm[test], None
    else:
        text = TextFeatures().fit(table.texts_of(train), seed)
        known, asked = text.transform(table.texts_of(train)), text.transform(table.texts_of(test))
    return Cut(table, view, seed, _part(table, train, known), _part(table, test, asked), text)


def _part(table: Table, rows: Rows, features: Features) -> Part:
    tasks = [table.tasks[row] for row in rows]
    return Part(table.texts_of(rows), tasks, features, table.tokens[rows], table.quality[rows], table.cost[rows])


def unseen_tasks(table: Table) -> Iterator[tuple[str, Rows, Rows]]:
    """Each task family once as the test part, with all others to train on; the most frequent first."""
    families = np.array(table.task_families)
    names, counts = np.unique(families, return_counts=True)
    for name in names[np.argsort(-counts, kind="stable")]:
        yield str(name), np.flatnonzero(families != name), np.flatnonzero(families == name)
