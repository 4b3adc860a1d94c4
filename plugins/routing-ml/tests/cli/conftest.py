"""One router of each kind that the commands are shown, trained once through the command line itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from routeiq_routing_ml.cli.group import route

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))

from recorded_outcomes import outcomes, write


@dataclass(frozen=True)
class Trial:
    """A folder with data for training and for testing, a data folder with keys, and an artifact."""

    folder: Path
    train: Path
    test: Path
    artifact: Path
    data_dir: Path


Route = Callable[..., Result]


@pytest.fixture(scope="session")
def run() -> Route:
    def invoke(*words: object) -> Result:
        return CliRunner().invoke(route, [str(word) for word in words])

    return invoke


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory, run: Route) -> Trial:
    folder = tmp_path_factory.mktemp("trial")
    rows = outcomes(640)
    write(folder / "train.jsonl", rows[:480])
    write(folder / "test.jsonl", rows[480:])
    found = Trial(folder, folder / "train.jsonl", folder / "test.jsonl", folder / "router", folder / ".routeiq")
    done = run(
        "train", "--data", found.train, "--strategy", "kmeans", "--out", found.artifact, "--data-dir", found.data_dir
    )
    assert done.exit_code == 0, done.output
    assert "gap to the oracle closed" in done.output
    assert "routeiq route export" in done.output
    return found
