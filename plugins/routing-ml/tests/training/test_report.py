"""The report is one file that tells all its parts, loads nothing from outside, and shows names as text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from routeiq_routing_ml.training import studies
from routeiq_routing_ml.training.making import Plan, make
from routeiq_routing_ml.training.reading import Reading, read_table
from routeiq_routing_ml.training.table import Table
from routeiq_routing_ml.training.trainer import Settings, Trained, train

from .recorded_outcomes import TASKS, outcomes, write

HOSTILE = ("<script>alert(1)</script>", "$\\frac{1}{2}$ & \"quotes'", "_hidden")
TASK = "<img src=x onerror=alert(1)>\x1b[2J"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return read_table(write(tmp_path_factory.mktemp("data") / "a.jsonl", outcomes()))


@pytest.fixture(scope="module")
def trained(table: Table) -> Trained:
    return train(table, Settings("ridge"))


def report(folder: Path, table: Table) -> str:
    made = make(Reading.of(table), Plan(strategy="ridge", seed=3), folder / "router", folder)
    return (made.folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, table: Table) -> str:
    return report(tmp_path_factory.mktemp("page"), table)


class Page(HTMLParser):
    """Collects tags, attributes, ids and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_each_part_is_there(page: str) -> None:
    read = Page(page)
    parts = ("Quality and cost", "Who is called", "By task", "Calibration", "Learning curve", "Robustness", "Facts")
    assert [part for part in parts if part not in read.text] == []
    labels = ("Zero router", "oracle", "always one model", "balanced", "economy", "floor", "predicted quality")
    assert [label for label in labels if label not in read.text] == []
    facts = ("480 rows read", "seed", "margin", "Python 3", "scikit-learn", "upper case", "typing mistakes", *TASKS)
    assert [fact for fact in facts if fact not in read.text] == []
    assert read.tags.count("svg") == 4


def test_nothing_is_loaded_from_outside_and_nothing_runs(page: str) -> None:
    read = Page(page)
    assert "http" not in page
    assert not {"script", "link", "img", "iframe", "object", "image", "foreignobject"} & set(read.tags)
    assert [value for name, value in read.attributes if name in ("src", "srcset") or name.startswith("on")] == []
    targets = [value for name, value in read.attributes if name.endswith("href")]
    assert targets
    assert all(value.startswith("#") for value in targets)
    assert "url(" not in re.sub(r"url\(#", "", page)
    assert "@import" not in page


def test_ids_are_unique_and_references_meet_them(page: str) -> None:
    read = Page(page)
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = {value[1:] for name, value in read.attributes if name.endswith("href")} | set(
        re.findall(r"url\(#(.*?)\)", page)
    )
    assert used <= set(ids)


def test_hostile_names_are_shown_as_text(tmp_path: Path, table: Table) -> None:
    page = report(tmp_path, replace(table, models=HOSTILE, tasks=[TASK] * len(table)))
    read = Page(page)
    assert not {"script", "img"} & set(read.tags)
    assert [name for name in HOSTILE if name not in read.text] == []
    assert "onerror=alert(1)>" in read.text
    assert "\x1b" not in page


def test_a_table_without_tasks_has_a_report_too(tmp_path: Path, table: Table) -> None:
    assert "names no tasks" in report(tmp_path, replace(table, tasks=None))


def test_more_queries_close_more_of_the_gap(trained: Trained) -> None:
    curves = studies.learning_curve(trained, None)
    assert list(curves) == ["ridge", "knn"]
    for points in curves.values():
        assert [size for size, _ in points] == [200, 384]
        assert points[-1][1] > 0.3


def test_noise_that_features_do_not_see_turns_no_decision(trained: Trained) -> None:
    count, unchanged = studies.robustness(trained, None, None)
    assert count == 300
    assert unchanged.keys() == studies.NOISES.keys()
    assert unchanged["upper case"] > 0.9
    assert unchanged["typing mistakes"] > 0.5


def test_noise_is_noise() -> None:
    lot = np.random.default_rng(1)
    text = "a question about the derivative of a function " * 5
    disturbed = {name: noise(text, lot) for name, noise in studies.NOISES.items()}
    assert text not in disturbed.values()
    assert len(disturbed["typing mistakes"]) == len(text)
    assert sorted(disturbed["typing mistakes"]) == sorted(text)
