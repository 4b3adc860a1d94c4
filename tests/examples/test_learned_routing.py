"""The example of learned routing: recorded outcomes, a router, a table that adds up, and no prompt in the artifact."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from example_runs import tour

_SECONDS = 200.0


@pytest.mark.timeout(240)
async def test_outcomes_become_a_router_that_a_running_gateway_takes_up(tmp_path: Path) -> None:
    told, _ = await tour("learned-routing", tmp_path, _SECONDS)
    assert told["simulated"] is True

    rows = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == told["trained_on"] == 600
    assert all(len(row["scores"]) == len(row["cost"]) == 4 for row in rows)

    ways = {way["name"]: way for way in told["ways"]}
    assert all(sum(way["models"].values()) == told["held_out"] == 40 for way in ways.values())
    best = ways[told["best_single"]]
    for way in ways.values():
        spent = 1 - float(Decimal(way["cost_usd"]) / Decimal(best["cost_usd"]))
        assert way["saved"] == pytest.approx(spent, abs=1e-4)
    assert ways["economy"]["saved"] > ways["balanced"]["saved"] > 0.3
    assert ways["balanced"]["answered_well"] >= best["answered_well"] - 4
    assert len(ways["balanced"]["models"]) > 2

    decision = told["explained"]["decision"]
    assert decision["attributes"]["profile"] == "balanced"
    assert decision["candidates"][0]["score"] == max(one["score"] for one in decision["candidates"])
    assert decision["candidates"][0]["model"] in decision["reason"]

    artifact = b"".join(path.read_bytes() for path in (tmp_path / "router").iterdir())
    assert b"arrays.safetensors" in artifact
    assert [row["query"] for row in rows if row["query"].encode() in artifact] == []
