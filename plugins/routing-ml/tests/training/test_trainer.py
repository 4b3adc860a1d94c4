"""The trainer refuses what makes no router, and makes the same router of the same data and seed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from routeiq_routing_ml.training.reading import read_table
from routeiq_routing_ml.training.table import Refused, Table, TrainingError
from routeiq_routing_ml.training.trainer import Settings, Trained, train
from routeiq_routing_ml.training.workers import workers

from .recorded_outcomes import outcomes, write


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return read_table(write(tmp_path_factory.mktemp("data") / "a.jsonl", outcomes()))


@pytest.fixture(scope="module")
def trained(table: Table) -> Trained:
    with workers("loky", 1):
        return train(table, Settings("ridge"))


def digest(trained: Trained) -> str:
    found = hashlib.sha256()
    for name, array in sorted(trained.router.arrays().items()):
        found.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def test_a_router_of_models_that_differ_by_task_gains(trained: Trained) -> None:
    trained.refuse()
    assert trained.outcome.gap > 0.5
    assert trained.weights["quality"] == 0 <= trained.weights["balanced"] <= trained.weights["economy"]


def test_fewer_than_400_different_queries_are_refused(table: Table) -> None:
    with pytest.raises(Refused, match="399 different queries; a learned router needs at least 400"):
        train(table.rows(np.arange(399)), Settings("ridge"))


def test_duplicates_count_once(table: Table) -> None:
    twice = table.rows(np.concatenate([np.arange(300), np.arange(300)]))
    shouted = replace(twice, texts=[*twice.texts[:300], *(f"  {text.upper()}\n" for text in twice.texts[300:])])
    with pytest.raises(Refused, match="300 different queries"):
        train(shouted, Settings("ridge"))


@pytest.mark.parametrize("all_alike", [True, False])
def test_scores_without_any_difference_between_models_are_refused(table: Table, all_alike: bool) -> None:
    one = np.ones_like(table.quality) if all_alike else np.repeat(table.quality[:, :1], 3, axis=1)
    with pytest.raises(Refused, match="the same score in every row"):
        train(replace(table, quality=one), Settings("ridge"))


def test_a_router_that_gains_nothing_is_refused(table: Table) -> None:
    lot = np.random.default_rng(3)
    quality = np.column_stack([np.ones(len(table)), lot.random((len(table), 2)) < 0.3])
    cost = np.tile([1.0, 2.0, 3.0], (len(table), 1))
    found = train(replace(table, quality=quality, cost=cost), Settings("ridge"))
    with pytest.raises(Refused, match="does not beat always calling 'small'"):
        found.refuse()


def test_an_unknown_strategy_is_named_with_those_there_are(table: Table) -> None:
    with pytest.raises(TrainingError, match=r"no strategy 'magic'.*ensemble, knn"):
        train(table, Settings("magic"))


def test_one_seed_gives_one_router_however_many_workers(table: Table, trained: Trained) -> None:
    with workers("threading", 2) as jobs:
        again = train(table, Settings("ridge", jobs=jobs))
    assert digest(again) == digest(trained)
    assert again.outcome == trained.outcome
    with workers("loky", 1):
        other = train(table, Settings("ridge", seed=1))
    assert digest(other) != digest(trained)


def test_progress_is_told_from_start_to_end(table: Table) -> None:
    heard: list[tuple[str, int, int]] = []
    train(table, Settings("elo"), progress=lambda *step: heard.append(step))
    names = list(dict.fromkeys(name for name, _, _ in heard))
    assert names == ["features", "cross-validation", "fit"]
    assert all(
        [of for step, _, of in heard if step == name][-1] == [d for s, d, _ in heard if s == name][-1] for name in names
    )


def test_a_broken_table_names_its_row(tmp_path: Path, table: Table) -> None:
    quality = table.quality.copy()
    quality[16, 1] = np.nan
    with pytest.raises(TrainingError, match="row 17 has a score that is not a number"):
        Table.of(table.texts, table.models, quality, table.cost)
