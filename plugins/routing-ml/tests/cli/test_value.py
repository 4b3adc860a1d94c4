"""`routeiq route value`: what a router would have earned, told from the log of a policy that explored."""

from __future__ import annotations

import json
import random

import pytest


def logged(trial, share: float) -> list[dict]:
    """The test rows as a log: the first model by name, but for a `share` of calls to one of all at random."""
    dice = random.Random(3)
    rows = []
    for line in trial.test.read_text().splitlines() * 8:
        row = json.loads(line)
        models = sorted(row["scores"])
        chosen = dice.choice(models) if dice.random() < share else models[0]
        by_lot = share / len(models)
        propensity = by_lot + (1 - share if chosen == models[0] else 0.0)
        rows.append({"query": row["query"], "chosen": chosen, "propensity": propensity, "score": row["scores"][chosen]})
    return rows


def written(trial, rows: list[dict]):
    path = trial.folder / "log.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_the_estimates_hold_the_true_value(trial, run) -> None:
    done = run("evaluate", "--artifact", trial.artifact, "--data", trial.test, "--data-dir", trial.data_dir, "--json")
    truth = json.loads(done.output)["quality"]
    log = written(trial, logged(trial, 0.6))
    done = run("value", "--artifact", trial.artifact, "--log", log, "--data-dir", trial.data_dir, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    for name in ("snips", "doubly_robust"):
        assert told[name]["low"] <= truth <= told[name]["high"]
        assert told[name]["effective"] >= 100
    done = run("value", "--artifact", trial.artifact, "--log", log, "--data-dir", trial.data_dir)
    assert "doubly robust" in done.output


def test_a_log_that_says_too_little_is_refused(trial, run) -> None:
    log = written(trial, logged(trial, 0.6)[:60])
    done = run("value", "--artifact", trial.artifact, "--log", log, "--data-dir", trial.data_dir)
    assert done.exit_code == 3
    assert "effective" in done.output


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"chosen": "nobody"}, "no model of the artifact"),
        ({"propensity": 0}, "`propensity` is 0"),
        ({"propensity": "often"}, "no number"),
        ({"score": 2}, "`score` is 2"),
        ({"query": " "}, "no `query`"),
    ],
)
def test_a_bad_row_is_named(trial, run, change, what) -> None:
    rows = logged(trial, 0.6)[:3]
    log = written(trial, [rows[0], {**rows[1], **change}])
    done = run("value", "--artifact", trial.artifact, "--log", log, "--data-dir", trial.data_dir)
    assert done.exit_code == 1
    assert f"{log}:2:" in done.output.replace("\n", "")
    assert what in done.output
