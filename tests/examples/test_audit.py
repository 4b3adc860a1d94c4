"""The example of the audit trail: a killed gateway loses no answered request, and a forged event is found."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from example_runs import EXAMPLES, end

RUN = EXAMPLES / "audit" / "run.py"
_SECONDS = 150.0


@pytest.mark.timeout(180)
async def test_the_trail_survives_a_kill_and_names_the_forged_event(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(RUN), "--here", "--json", "--folder", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate()
    finally:
        await end(process)
    assert process.returncode == 0, err.decode()
    told = json.loads(out)
    assert told["questions"] == told["answered"] == told["trail"]["answered_found"] == 30
    assert 15 <= told["kill"]["answered_before"] < 30, "the kill came in the middle"
    assert told["trail"]["begun_only"] <= told["kill"]["under_way"]
    assert [change.rpartition(" ")[2] for change in told["trail"]["changes"]] == ["asked", "done"]
    assert told["verified"] == {"ok": True, "first_bad": None, "code": 0}
    assert told["forged"]["seq"] > 1
    again = told["verified_again"]
    assert (again["ok"], again["code"], again["first_bad"]) == (False, 1, told["forged"]["seq"])
    assert "does not fit its hash" in again["problem"]
    shown = err.decode()
    assert "the trail holds" in shown
    assert "the trail does NOT hold" in shown
    assert "In short" in shown
