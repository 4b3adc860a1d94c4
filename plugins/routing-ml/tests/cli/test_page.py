"""The commands of the how-to page work, in the order in which they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from recorded_outcomes import outcomes, write

from .conftest import Route

PAGE = Path(__file__).resolve().parents[4] / "docs/how-to/train-a-router.md"


def test_each_command_of_the_page_works(run: Route, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = outcomes(700)
    write(tmp_path / "train.jsonl", rows[:480])
    write(tmp_path / "test.jsonl", rows[480:580])
    new = [{**row, "scores": {"newcomer": 1}, "cost": {"newcomer": 0.001}} for row in rows[580:]]
    write(tmp_path / "newcomer.jsonl", new)
    fences = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for fence in fences for line in fence.splitlines()]
    assert len(lines) == 9
    for line in lines:
        program, group, *words = shlex.split(line)
        assert (program, group) == ("routeiq", "route")
        done = run(*words)
        assert done.exit_code == 0, f"{line}: {done.output}"
    assert {"router", "router.yaml", "curve.csv", "by-cluster"} <= {path.name for path in tmp_path.iterdir()}
