"""From examples to weights: counts of hashed n-grams, logistic regression, eight bits a weight.

The file that comes out is what `model` reads.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from routeiq_guard_injection.model import Model, windows
from routeiq_guard_injection.reading import BUCKETS, CHARS, Reading
from routeiq_guard_injection.training.grammar import Example
from routeiq_guard_injection.views import plain

STRENGTH = 25.0
"""The inverse of the regularisation."""
TEMPLATES = 2
"""Templates in which an n-gram has to stand. These two did well in cross-validation that left out whole templates."""
OFTEN = 2
"""Examples of a template that make it one of them."""
CAUTION = 2.9
"""What is taken from the bias: real prose is wider than anything a grammar writes, and looks stranger than it is.
Chosen on the texts that the bench `injection` calls seen, so that a score of 0.5 is rare there in harmless ones."""


def learnt(examples: Sequence[Example]) -> Model:
    """The model of these examples. Deterministic: the solver has no dice."""
    table = features([example.text for example in examples])
    kept = _shared(table, [example.template for example in examples])
    solver = LogisticRegression(C=STRENGTH, solver="lbfgs", max_iter=400, class_weight="balanced")
    solver.fit(table[:, kept], np.array([example.attack for example in examples]))
    weights = np.zeros(2 * BUCKETS, dtype=np.float32)
    weights[kept] = solver.coef_[0]
    return Model(weights[:BUCKETS], weights[BUCKETS:], float(solver.intercept_[0]) - CAUTION)


def _shared(table: csr_matrix, templates: Sequence[str]) -> NDArray[np.int64]:
    """The n-grams that stand in examples of several templates: the others would be learnt by heart."""
    names = {name: number for number, name in enumerate(dict.fromkeys(templates))}
    rows = [names[name] for name in templates]
    by_template = csr_matrix((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(len(names), len(rows)))
    present = table.copy()
    present.data[:] = 1.0
    totals = (by_template @ present).tocsc()
    totals.data[totals.data < OFTEN] = 0.0
    totals.eliminate_zeros()
    return np.flatnonzero(np.diff(totals.indptr) >= TEMPLATES).astype(np.int64)


def features(texts: Sequence[str]) -> csr_matrix:
    """A row a text, of its first window: what `Model.logit` multiplies with the weights."""
    rows: list[NDArray[np.int64]] = []
    values: list[NDArray[np.float64]] = []
    for text in texts:
        columns, counted = _row(Reading(plain(text)))
        rows.append(columns)
        values.append(counted)
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return csr_matrix((np.concatenate(values), np.concatenate(rows), ends), shape=(len(texts), 2 * BUCKETS))


def exported(model: Model, facts: dict[str, Any]) -> bytes:
    """The weights' file: two arrays of bytes and what they mean, without pickle."""
    arrays: dict[str, NDArray[Any]] = {}
    scale = {}
    for name, weights in (("words", model.words), ("characters", model.characters)):
        scale[name] = float(np.abs(weights).max()) / 127.0
        arrays[name] = np.round(weights / scale[name]).astype(np.int8)
    meta = {"bias": model.bias, "scale": scale, **facts}
    arrays["meta"] = np.frombuffer(json.dumps(meta, sort_keys=True).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _row(reading: Reading) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    count = len(reading.starts)
    if count == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    last = int(windows(count)[1][0])
    words = [buckets[: max(0, last - reach)] for reach, buckets in zip((0, 1, 2, 2), reading.words(), strict=True)]
    begin, end = int(reading.starts[0]), int(reading.ends[last - 1])
    grams = reading.characters()[begin : max(begin, end - CHARS + 1)]
    columns = np.concatenate([*words, grams + BUCKETS])
    counted = np.concatenate(
        [np.full(sum(map(len, words)), 1.0 / np.sqrt(last)), np.full(len(grams), 1.0 / np.sqrt(max(end - begin, 1)))]
    )
    return columns, counted
