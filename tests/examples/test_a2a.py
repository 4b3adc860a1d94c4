"""The example of the agent: both versions reach it, a task is its owner's, and no caller's key gets there."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import tour

_SECONDS = 100.0
_PLAN = "Morning: the old town. Noon: the market. Evening: the harbour."


@pytest.mark.timeout(120)
async def test_every_way_to_the_agent_is_shown(tmp_path: Path) -> None:
    told, shown = await tour("a2a", tmp_path, _SECONDS)
    assert told["card_names_the_gateway"] is True
    assert told["answers"] == {"1.0": _PLAN, "0.3": _PLAN}
    assert told["pieces"] == 3
    assert told["as_a_model"] == _PLAN
    assert told["somebody_elses_task"] == "not found"
    assert told["agent_saw_a_key"] is False
    assert "In short: one agent, two versions" in shown
