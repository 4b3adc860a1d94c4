"""The example of governance: a team spends its fifty dollars, is refused, and the books agree to the nano-USD."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import tour

_SECONDS = 150.0


@pytest.mark.timeout(180)
async def test_a_team_spends_its_day_and_no_more(tmp_path: Path) -> None:
    told, shown = await tour("governance", tmp_path, _SECONDS)
    assert (told["refusal"]["status"], told["refusal"]["type"]) == (422, "budget_exceeded")
    assert told["answered"] == told["rows"] > 5
    assert told["ledger_nano_usd"] == told["report_nano_usd"] <= told["cap_nano_usd"]
    assert told["ledger_nano_usd"] > told["cap_nano_usd"] * 0.8
    assert "team A gets 50 usd a day" in shown
    assert "spend by team" in shown
