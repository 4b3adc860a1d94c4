"""`route train` and `route evaluate`: from a file to figures, with exit codes that scripts can read."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from recorded_outcomes import MODELS, outcomes, write

from .conftest import Route, Trial

KEYS = ["quality", "cost", "best_single", "oracle", "gap", "d_aiq", "save"]


def test_what_was_trained_is_better_on_queries_it_never_saw(run: Route, trial: Trial) -> None:
    done = run("evaluate", "--artifact", trial.artifact, "--data", trial.test, "--data-dir", trial.data_dir, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert list(told) == KEYS
    assert all(type(value) is float for value in told.values())
    assert told["oracle"] > told["quality"] > told["best_single"]
    assert told["gap"] == pytest.approx(
        (told["quality"] - told["best_single"]) / (told["oracle"] - told["best_single"])
    )


def test_figures_by_task_are_shown_to_people(run: Route, trial: Trial) -> None:
    done = run("evaluate", "--artifact", trial.artifact, "--data", trial.test, "--data-dir", trial.data_dir)
    assert done.exit_code == 0, done.output
    assert [word for word in ("160 rows read", "chat", "code", "maths", "best single") if word not in done.output] == []


def test_a_real_process_trains_and_tells_json(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", outcomes())
    words = ["train", "--data", str(data), "--strategy", "ridge", "--out", "router", "--seed", "7", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "routeiq", "route", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["pool"] == list(MODELS)
    assert told["metrics"]["gap"] > 0.5
    assert done.stderr == ""
    assert (tmp_path / "router/report.html").is_file()
    assert (tmp_path / ".routeiq/keys/signing.key").stat().st_mode & 0o077 == 0


def test_too_few_queries_end_with_3(run: Route, tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", outcomes(399))
    done = run("train", "--data", data, "--out", tmp_path / "router", "--data-dir", tmp_path)
    assert done.exit_code == 3
    assert "399 different queries" in done.stderr
    assert not (tmp_path / "router").exists()


def test_a_router_no_better_than_the_best_model_ends_with_3(run: Route, tmp_path: Path) -> None:
    rows = outcomes()
    for row in rows:
        row["scores"] = {"small": 1.0, "coder": float(len(row["query"]) % 2), "thinker": 0.0}
    data = write(tmp_path / "a.jsonl", rows)
    done = run("train", "--data", data, "--strategy", "ridge", "--out", tmp_path / "router", "--data-dir", tmp_path)
    assert done.exit_code == 3
    assert "does not beat always calling 'small'" in done.stderr
    assert not (tmp_path / "router").exists()


@pytest.mark.parametrize(
    ("line", "told"), [("{", "a.jsonl:1: not JSON"), ("", "no rows"), ('{"query": "x"}', "a.jsonl:1: no `scores`")]
)
def test_bad_data_ends_with_1_and_one_line(run: Route, tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "a.jsonl").write_text(line)
    done = run("train", "--data", tmp_path / "a.jsonl", "--out", tmp_path / "router", "--data-dir", tmp_path)
    assert done.exit_code == 1
    assert told in done.stderr
    assert " Mend: " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["train"], ["train", "--strategy", "magic"], ["train", "--seed", "-1"], ["evaluate"], ["nothing"]]
)
def test_wrong_usage_ends_with_2(run: Route, words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_a_readable_key_ends_with_78(run: Route, trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/signing.key").write_text("hello")
    (tmp_path / "keys/signing.key").chmod(0o644)
    done = run("train", "--data", trial.train, "--out", tmp_path / "router", "--data-dir", tmp_path)
    assert done.exit_code == 78
    assert "others may read this private key" in done.stderr


def test_an_artifact_of_a_stranger_is_not_measured(run: Route, trial: Trial, tmp_path: Path) -> None:
    words = ["evaluate", "--artifact", trial.artifact, "--data", trial.test, "--data-dir", tmp_path]
    done = run(*words)
    assert done.exit_code == 78
    assert "no key is trusted" in done.stderr
    (key,) = (trial.data_dir / "keys").glob("*.pub")
    assert run(*words, "--trust", key, "--json").exit_code == 0


def test_data_of_another_pool_is_refused(run: Route, trial: Trial, tmp_path: Path) -> None:
    rows = [{**row, "scores": {m: row["scores"][m] for m in MODELS[:2]}} for row in outcomes(20)]
    data = write(tmp_path / "a.jsonl", rows)
    done = run("evaluate", "--artifact", trial.artifact, "--data", data, "--data-dir", trial.data_dir)
    assert done.exit_code == 1
    assert "lacks models of the artifact's pool: thinker" in done.stderr


@pytest.mark.parametrize("name", ["router.pkl", "router.joblib", "router.npz"])
def test_a_pickle_in_place_of_an_artifact_is_never_loaded(run: Route, trial: Trial, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"weights": [1, 2]}))
    done = run("evaluate", "--artifact", path, "--data", trial.test, "--data-dir", trial.data_dir)
    assert done.exit_code == 78
    assert "never loaded" in done.stderr


def test_one_seed_gives_one_router(run: Route, trial: Trial, tmp_path: Path) -> None:
    told = []
    for name in ("one", "two"):
        words = ("--strategy", "kmeans", "--out", tmp_path / name, "--data-dir", trial.data_dir, "--json")
        assert run("train", "--data", trial.train, *words).exit_code == 0
        told.append(json.loads((tmp_path / name / "manifest.json").read_text())["files"]["arrays.safetensors"])
    assert told[0] == told[1]
