"""The example of the skills: two skills in four ways, and every digest holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import tour

_SECONDS = 100.0


@pytest.mark.timeout(120)
async def test_two_skills_are_read_in_every_way_and_a_third_is_uploaded(tmp_path: Path) -> None:
    told, shown = await tour("skills", tmp_path, _SECONDS)
    discovered, listed, over_mcp, uploaded = told
    assert discovered["skills"] == ["incident-report (skill-md)", "release-notes (archive)"]
    assert listed["skills"] == ["incident-report (1 files)", "release-notes (3 files)"]
    assert over_mcp["skills"] == ["skill://incident-report/SKILL.md", "skill://release-notes/SKILL.md"]
    assert (discovered["verified"], over_mcp["verified"]) == (2, 4)
    assert uploaded["skills"] == ["haiku"]
    assert "In short: 4 ways to the skills, 6 digests verified." in shown
