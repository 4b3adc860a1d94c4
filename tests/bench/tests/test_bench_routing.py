"""The routing bench from the command line to the verdicts, on small tables written here."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.cli import main
from bench.provision import BenchSetupError
from bench.report import show
from bench.routers import bars, ours, session
from bench.routers.bars import BARS, judge
from bench.routers.recipe import Array
from bench.routers.session import Session, measure_all
from bench.routers.tables import Rows, load, load_all, split
from bench.routers.views import View, cut, unseen_tasks, views
from bench.targets import Standing
from routeiq_routing_ml.model.policy import Prediction

COUNT = 360
WORDS = {"sums": "add the numbers", "verse": "write a poem", "facts": "who was the king"}


def write_table(folder: Path, name: str, models: Sequence[str], minilm: bool = False) -> None:
    """Each task has one model that is always right; the last model is right on nine of ten queries of any task."""
    random = np.random.default_rng(9)
    with gzip.open(folder / f"{name}.jsonl.gz", "wt") as lines:
        for number in range(COUNT):
            task = list(WORDS)[number % 3]
            scores = {model: float(index == number % 3) for index, model in enumerate(models)}
            scores[models[-1]] = float(random.random() < 0.9)
            row = {
                "id": f"{name}-{number}",
                "task": f"{task}/part{number % 2}",
                "query": f"{WORDS[task]} {number} {number * 7}",
                "tokens_in": 5 + number % 9,
                "scores": scores,
                "cost": {model: (index + 1) * 1e-5 * (5 + number % 9) for index, model in enumerate(models)},
            }
            lines.write(json.dumps(row) + "\n")
    if minilm:
        vectors = np.eye(3, 16)[np.arange(COUNT) % 3] + random.normal(0, 0.05, (COUNT, 16))
        np.save(folder / f"{name}.minilm.f16.npy", vectors.astype(np.float16))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_table(tmp_path, "llmrouter9", NINE, minilm=True)
    write_table(tmp_path, "routellm2", ["small", "large"])
    return tmp_path


NINE = [
    "codegemma-7b",
    "gemma-2-9b-it",
    "llama-3.1-8b-instruct",
    "llama-3.3-nemotron-super-49b-v1",
    "llama3-chatqa-1.5-70b",
    "llama3-chatqa-1.5-8b",
    "mistral-7b-instruct-v0.3",
    "qwen2.5-7b-instruct",
    "llama-3.1-nemotron-51b-instruct",
]


class AlwaysBest:
    """A strategy that learns the best single model and nothing else."""

    def __init__(self, quality: Array, cost: Array) -> None:
        self._means = quality.mean(axis=0), cost.mean(axis=0)

    def see(self, queries: ours.Queries) -> ours.Queries:
        return queries

    def predict(self, seen: ours.Queries) -> Prediction:
        quality, cost = (np.tile(means, (len(seen.texts), 1)) for means in self._means)
        return Prediction(quality, cost, np.zeros_like(quality), np.zeros(len(quality), dtype=bool))

    def choose(self, prediction: Prediction, lam: float = 0.0) -> Rows:
        return np.argmax(prediction.quality - lam * prediction.cost, axis=1)


@pytest.fixture
def always_best(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(
        strategy: str,
        queries: ours.Queries,
        quality: Array,
        cost: Array,
        tasks: Sequence[str],
        models: Sequence[str],
        seed: int,
    ) -> AlwaysBest:
        assert len(queries.texts) == len(quality) == len(queries.tokens) == len(tasks)
        assert len(models) == quality.shape[1]
        return AlwaysBest(quality, cost)

    monkeypatch.setattr(ours, "STRATEGIES", ("always best",))
    monkeypatch.setattr(ours, "train", train)
    monkeypatch.setattr(ours, "write_artifact", lambda trained, folder: (folder / "artifact").write_bytes(b"1"))
    monkeypatch.setattr(ours, "load_artifact", lambda folder: (folder / "artifact").read_bytes())
    monkeypatch.setattr(ours, "make_ready", lambda artifact: artifact)
    monkeypatch.setattr(session, "gate_p50_ms", lambda entrant, texts: 1.0)


def test_a_missing_table_is_named_with_its_folder_its_format_and_the_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["routing", "--data", str(tmp_path), "--table", "llmrouter9", "routellm2"]) == 2
    message = capsys.readouterr().err
    for part in (str(tmp_path), "llmrouter9.jsonl.gz, routellm2.jsonl.gz", '"scores"', "--data", "--table"):
        assert part in message


def test_a_broken_table_is_named(data: Path) -> None:
    with gzip.open(data / "routellm2.jsonl.gz", "at") as lines:
        lines.write('{"id": "no scores"}\n')
    with pytest.raises(BenchSetupError, match=r"routellm2\.jsonl\.gz is not a table"):
        load_all(data, ["routellm2"])


def test_vectors_of_another_table_are_refused(data: Path) -> None:
    np.save(data / "routellm2.minilm.f16.npy", np.zeros((COUNT - 1, 16), dtype=np.float16))
    with pytest.raises(BenchSetupError, match=f"for {COUNT} queries"):
        load_all(data, ["routellm2"])


def test_the_split_is_eighty_to_twenty_by_query_and_the_seeds_own() -> None:
    train, test = split(100, 1000)
    assert sorted([*train, *test]) == list(range(100))
    assert len(train) == 80
    assert train.tolist() == np.random.default_rng(1000).permutation(100)[:80].tolist()
    assert split(100, 1001)[0].tolist() != train.tolist()


def test_a_left_out_task_family_is_in_no_training_part(data: Path) -> None:
    table = load(data, "llmrouter9")
    families = table.task_families
    for task, train, test in unseen_tasks(table):
        assert {families[row] for row in test} == {task}
        assert task not in {families[row] for row in train}
        assert len(train) + len(test) == COUNT


def test_the_label_order_is_that_of_the_candidate_file(data: Path) -> None:
    table = load(data, "llmrouter9")
    assert [table.models[column] for column in table.candidate_order[:3]] == [
        "qwen2.5-7b-instruct",
        "codegemma-7b",
        "gemma-2-9b-it",
    ]


def test_text_features_see_the_training_part_only(data: Path) -> None:
    table = load(data, "routellm2")
    assert views(table) == [View.TEXT]
    train, test = split(COUNT, 1000)
    here = cut(table, View.TEXT, train, test, 1000)
    there = cut(table, View.TEXT, train, test[:5], 1000)
    assert there.test.features == pytest.approx(here.test.features[:5], abs=1e-6)


@pytest.mark.usefixtures("always_best")
def test_a_run_measures_ours_beside_the_rivals_and_judges_ours(data: Path) -> None:
    console = Console(file=io.StringIO(), width=150)
    report = measure_all(data, ["llmrouter9", "routellm2"], 1, True, data, console)
    assert not report.failed
    show(report, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for wanted in ("RouteIQ: always best", "LLMRouter: kNN k=5", "CARROT", "RouteLLM: factors", "oracle", "APGR"):
        assert wanted in text
    verdicts = {verdict.figure: verdict for verdict in report.verdicts}
    gap = verdicts["llmrouter9, MiniLM, gap"]
    assert (gap.value, gap.standing) == (0.0, Standing.MISSED)
    assert verdicts["llmrouter9, unseen task: worst change"].value == 0.0
    assert verdicts["routellm2, APGR"].value == pytest.approx(50.0)
    assert verdicts["routerbench11, gap"].standing is Standing.NOT_MEASURED
    assert verdicts[bars.LOAD].standing is not Standing.NOT_MEASURED
    runs = report.data["tables"]["llmrouter9"]["MiniLM"]["runs"]  # type: ignore[index]
    carrot = next(run for run in runs if run["router"].startswith("CARROT"))
    assert carrot["outcome"]["gap"] > 0
    assert json.loads(json.dumps(report.data))


@pytest.mark.usefixtures("always_best")
def test_a_missed_bar_ends_the_run_with_status_one_and_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = data / "run.json"
    arguments = ["routing", "--data", str(data), "--table", "routellm2", "--seeds", "1", "--json", str(target)]
    assert main(arguments) == 1
    assert "routellm2, APGR" in capsys.readouterr().out
    document = json.loads(target.read_text())
    standings = {verdict["figure"]: verdict["standing"] for verdict in document["targets"]}
    assert standings["routellm2, APGR"] == "MISSED"


def test_a_strategy_that_breaks_fails_the_run_and_spares_the_rivals(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> ours.Trained:
        raise ArithmeticError("singular matrix")

    monkeypatch.setattr(ours, "train", broken)
    report = Session(load_all(data, ["routellm2"]), 1, True, Console(file=io.StringIO())).run()
    assert "singular matrix" in report.failed[f"RouteIQ: {ours.STRATEGIES[0]}"]
    assert not report.passes_gate()
    routers = {run["router"] for run in report.data["tables"]["routellm2"]["no download"]["runs"]}  # type: ignore[index]
    assert "RouteLLM: similarity" in routers


def test_every_bar_is_met_at_its_bound_and_missed_beyond() -> None:
    at_bound = {bar.figure: bar.must for bar in BARS}
    assert {verdict.standing for verdict in judge(at_bound)} <= {Standing.MET, Standing.GOAL}
    beyond = {bar.figure: bar.must + (0.001 if bar.at_most else -0.001) for bar in BARS}
    assert {verdict.standing for verdict in judge(beyond)} == {Standing.MISSED}
