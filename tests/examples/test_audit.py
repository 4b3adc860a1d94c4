"""The example of the audit trail: a killed gateway loses no answered request, and a forged event is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import tour

_SECONDS = 150.0


@pytest.mark.timeout(180)
async def test_the_trail_survives_a_kill_and_names_the_forged_event(tmp_path: Path) -> None:
    told, shown = await tour("audit", tmp_path, _SECONDS)
    assert told["questions"] == told["answered"] == told["trail"]["answered_found"] == 30
    assert 15 <= told["kill"]["answered_before"] < 30, "the kill came in the middle"
    assert told["trail"]["begun_only"] <= told["kill"]["under_way"]
    assert [change.rpartition(" ")[2] for change in told["trail"]["changes"]] == ["asked", "done"]
    assert told["verified"] == {"ok": True, "first_bad": None, "code": 0}
    assert told["forged"]["seq"] > 1
    again = told["verified_again"]
    assert (again["ok"], again["code"], again["first_bad"]) == (False, 1, told["forged"]["seq"])
    assert "does not fit its hash" in again["problem"]
    assert "the trail holds" in shown
    assert "the trail does NOT hold" in shown
    assert "In short" in shown
