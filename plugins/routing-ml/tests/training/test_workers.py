"""Training on a cluster of Dask gives what training here gives; a backend that is not there says what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from routeiq_routing_ml.training.reading import read_table
from routeiq_routing_ml.training.table import TrainingError
from routeiq_routing_ml.training.trainer import Settings, train
from routeiq_routing_ml.training.workers import workers

from .recorded_outcomes import outcomes, write


def test_folds_run_on_a_dask_cluster_with_the_same_outcome(tmp_path: Path) -> None:
    from distributed import LocalCluster

    table = read_table(write(tmp_path / "a.jsonl", outcomes()))
    with workers("loky", 1):
        here = train(table, Settings("knn"))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        workers("dask", 1, cluster.scheduler_address) as jobs,
    ):
        there = train(table, Settings("knn", jobs=jobs))
        seen = cluster.scheduler.transition_counter
    assert jobs == -1
    assert seen > 0, "no task came to the cluster"
    assert there.outcome == here.outcome
    assert (there.unseen.quality == here.unseen.quality).all()


def test_a_cluster_of_its_own_is_started_and_ended() -> None:
    import distributed
    import joblib

    with workers("dask", 1) as jobs:
        done = joblib.Parallel(n_jobs=jobs)(joblib.delayed(abs)(-number) for number in range(4))
    assert done == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="No global client found"):
        distributed.get_client()


@pytest.mark.parametrize(("backend", "module", "mend"), [("dask", "distributed", r"\[dask\]"), ("ray", "ray", "ray")])
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, backend: str, module: str, mend: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TrainingError, match=f"not installed.*pip install.*{mend}"), workers(backend, 1):
        pass


def test_an_unknown_backend_and_a_scheduler_without_a_cluster_are_refused() -> None:
    with pytest.raises(TrainingError, match="no backend 'spark'"), workers("spark", 1):
        pass
    with pytest.raises(TrainingError, match="loky has no scheduler"), workers("loky", 1, "tcp://127.0.0.1:8786"):
        pass
