"""Commands that show, explain and change artifacts say true things, in JSON and to people."""

from __future__ import annotations

import csv
import json
import os
import pickle
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from recorded_outcomes import GOOD, MODELS, outcomes, write
from sklearn.linear_model import Ridge

from routeiq_routing_ml.cli.group import route

from .conftest import Route, Trial

HOSTILE = {
    "empty": "",
    "one character": "?",
    "control characters": "\x1b[2J\x07\x00 delete everything",
    "lone surrogate": "half \ud83d of a face",
    "right to left": "\u202egnihtyna\u202c",
    "markup": "[bold red]<script>alert(1)</script>[/bold red]",
    "format": "%s %n {0} {query!r} $HOME `id`",
    "long": "lorem ipsum " * 40_000,
    "combining": "e" + "\u0301" * 5000,
}


def told(run: Route, *words: object) -> Any:
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def of(trial: Trial) -> tuple[object, ...]:
    return ("--artifact", trial.artifact, "--data-dir", trial.data_dir)


@pytest.mark.parametrize(
    ("task", "model"), [("function loop array parser", "coder"), ("theorem prime proof", "thinker")]
)
def test_a_decision_is_explained(run: Route, trial: Trial, task: str, model: str) -> None:
    found = told(run, "explain", *of(trial), "--query", task * 3, "--profile", "quality")
    assert found["chosen"] == model == found["candidates"][0]["model"]
    assert model in found["reason"]
    assert {one["model"] for one in found["candidates"]} == set(MODELS)
    assert {"quality", "cost", "uncertainty", "utility", "reason"} <= found["candidates"][0].keys()
    utilities = [one["utility"] for one in found["candidates"]]
    assert utilities == sorted(utilities, reverse=True)
    assert found["margin"] == pytest.approx(utilities[0] - utilities[1], abs=1e-5)
    assert found["clusters"]
    assert sum(one["weight"] for one in found["clusters"]) == pytest.approx(1, abs=0.01)


def test_cost_weighs_as_it_is_told_to(run: Route, trial: Trial) -> None:
    question = ("explain", *of(trial), "--query", "theorem prime proof integral")
    assert told(run, *question, "--lambda", "0")["lambda"] == 0
    dear = told(run, *question, "--lambda", "1e9")
    assert (dear["chosen"], dear["profile"]) == ("small", "own")
    assert told(run, *question, "--profile", "economy")["lambda"] > 0


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_query_gets_a_plain_answer(run: Route, trial: Trial, name: str) -> None:
    found = told(run, "explain", *of(trial), "--query", HOSTILE[name])
    assert found["chosen"] in MODELS
    shown = run("explain", *of(trial), "--query", HOSTILE[name])
    assert shown.exit_code == 0, shown.output
    assert "\x1b[2J" not in shown.output
    assert "\x07" not in shown.output


def test_an_export_is_yaml_that_names_the_pool(run: Route, trial: Trial, tmp_path: Path) -> None:
    done = run("export", *of(trial), "--out", tmp_path / "router.yaml", "--name", "smart")
    assert done.exit_code == 0, done.output
    block = yaml.safe_load((tmp_path / "router.yaml").read_text())["routeiq"]
    assert block["virtual_models"]["smart"]["models"] == list(MODELS)
    assert block["virtual_models"]["smart"]["default_model"] in MODELS
    ours = block["plugins"]["routing-ml"]
    assert ours["models"] == {model: model for model in MODELS}
    assert Path(ours["artifact"]) == trial.artifact.resolve()


def test_an_exported_block_is_a_configuration_of_the_plugin(run: Route, trial: Trial) -> None:
    from routeiq_routing_ml.config import MlConfig

    block = yaml.safe_load(run("export", *of(trial)).stdout)
    config = MlConfig.model_validate(block["routeiq"]["plugins"]["routing-ml"])
    assert config.routers == {"main": trial.artifact.resolve()}


def test_the_curve_is_exported_with_its_profiles(run: Route, trial: Trial, tmp_path: Path) -> None:
    run("export", *of(trial), "--out", tmp_path / "a.csv")
    run("export", *of(trial), "--out", tmp_path / "a.json")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = json.loads((tmp_path / "a.json").read_text())
    points = [[float(row["dollars_a_query"]), float(row["quality"])] for row in rows if not row["profile"]]
    assert points == found["curve"]
    assert points == sorted(points)
    assert {row["profile"] for row in rows} - {""} == set(found["profiles"])
    wrong = run("export", *of(trial), "--out", tmp_path / "a.txt")
    assert (wrong.exit_code, "use .yaml, .json or .csv" in wrong.stderr) == (2, True)


def test_an_artifact_is_inspected(run: Route, trial: Trial) -> None:
    found = told(run, "inspect", trial.artifact, "--data-dir", trial.data_dir)
    assert found["verified"]
    assert found["manifest"]["pool"] == list(MODELS)
    assert set(found["manifest"]["files"]) == {"arrays.safetensors", "report.html"}
    shown = run("inspect", trial.artifact, "--data-dir", trial.data_dir)
    assert f"trusted key {found['key']}" in shown.output


def test_an_artifact_that_may_not_be_used_is_shown_with_the_reason(run: Route, trial: Trial, tmp_path: Path) -> None:
    done = run("inspect", trial.artifact, "--data-dir", tmp_path, "--json")
    assert done.exit_code == 78
    found = json.loads(done.stdout)
    assert (found["verified"], found["key"]) == (False, None)
    assert "no key is trusted" in found["reason"]
    assert run("inspect", tmp_path / "nothing", "--data-dir", tmp_path).exit_code == 78


def newcomer(count: int) -> list[dict[str, Any]]:
    """A model that does well on code only, alone in its rows."""
    rows = outcomes(count, seed=77)
    return [{**row, "scores": {"newcomer": float(row["task"] == "code")}, "cost": {"newcomer": 3e-6}} for row in rows]


def test_a_model_is_added_without_training(run: Route, trial: Trial, tmp_path: Path) -> None:
    data = write(tmp_path / "new.jsonl", newcomer(90))
    words = ("--model", "newcomer", "--data", data, "--out", tmp_path / "router")
    found = told(run, "add-model", *of(trial), *words)
    assert found["pool"] == [*MODELS, "newcomer"]
    assert found["prompts"] == 90
    bigger = ("--artifact", tmp_path / "router", "--data-dir", trial.data_dir)
    code = told(run, "explain", *bigger, "--query", "function compile loop parser", "--profile", "economy")
    chat = told(run, "explain", *bigger, "--query", "weather garden holiday friend", "--profile", "economy")
    assert code["chosen"] == "newcomer"
    assert chat["chosen"] != "newcomer"
    cost = {one["model"]: one["cost"] for one in code["candidates"]}
    assert cost["newcomer"] == pytest.approx(3e-6, rel=0.1)
    manifest = told(run, "inspect", tmp_path / "router", "--data-dir", trial.data_dir)["manifest"]
    assert manifest["metrics"]["added"] == {"newcomer": 90}


def test_a_model_of_too_few_prompts_ends_with_3(run: Route, trial: Trial, tmp_path: Path) -> None:
    data = write(tmp_path / "new.jsonl", newcomer(49) * 2)
    done = run("add-model", *of(trial), "--model", "newcomer", "--data", data, "--out", tmp_path / "router")
    assert done.exit_code == 3
    assert "49 different prompts have a score of 'newcomer'; 50 are needed" in done.stderr


def test_a_model_that_is_there_and_other_strategies_are_refused(run: Route, trial: Trial, tmp_path: Path) -> None:
    words = ("--data", trial.train, "--out", tmp_path / "router")
    there = run("add-model", *of(trial), "--model", "small", *words)
    assert (there.exit_code, "has a model 'small' already" in there.stderr) == (1, True)
    trained = ("--strategy", "ridge", "--out", tmp_path / "ridge", "--data-dir", trial.data_dir)
    assert run("train", "--data", trial.train, *trained).exit_code == 0
    data = write(tmp_path / "new.jsonl", newcomer(60))
    other = ("--artifact", tmp_path / "ridge", "--data-dir", trial.data_dir, "--model", "newcomer", "--data", data)
    done = run("add-model", *other, "--out", tmp_path / "router")
    assert done.exit_code == 1
    assert "only routers of the strategy kmeans" in done.stderr


def test_a_pickle_becomes_an_estimator_that_routes(run: Route, trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "old.pkl").write_bytes(pickle.dumps(Ridge(alpha=5.0)))
    found = told(run, "convert", tmp_path / "old.pkl", "--out", tmp_path / "new.skops")
    assert found["allow"] == []
    words = ("--strategy", "custom", "--estimator", tmp_path / "new.skops", "--data-dir", trial.data_dir)
    done = run("train", "--data", trial.train, "--out", tmp_path / "router", *words)
    assert done.exit_code == 0, done.output
    measured = ("--artifact", tmp_path / "router", "--data", trial.test, "--data-dir", trial.data_dir)
    assert told(run, "evaluate", *measured)["gap"] > 0.3


class Evil:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.canary}",)


def test_a_hostile_pickle_runs_nothing(run: Route, tmp_path: Path) -> None:
    (tmp_path / "old.pkl").write_bytes(pickle.dumps(Evil(tmp_path / "canary")))
    done = run("convert", tmp_path / "old.pkl", "--out", tmp_path / "new.skops")
    assert done.exit_code == 78
    assert "not listed" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"old.pkl"}


@pytest.mark.parametrize("name", sorted(route.commands))
def test_each_command_helps_and_offers_json(run: Route, name: str) -> None:
    done = run(name, "--help")
    assert done.exit_code == 0
    assert "--json" in done.output
    assert len((route.commands[name].help or "").split()) > 10
    undescribed = [one.name for one in route.commands[name].params if isinstance(one, click.Option) and not one.help]
    assert undescribed == []


def test_the_models_of_these_tests_differ() -> None:
    assert len({max(good, key=lambda task: good[task]) for good in GOOD.values()}) == len(GOOD)
