"""The example of MCP: a virtual server shows less, and a tool that changed is held back until it is approved."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import tour

_SECONDS = 140.0


@pytest.mark.timeout(160)
async def test_a_virtual_server_shows_less_and_a_changed_tool_waits_for_approval(tmp_path: Path) -> None:
    told, shown = await tour("mcp", tmp_path, _SECONDS)
    assert told["listed"] == ["search", "borrow"]
    assert told["borrowed"] == "Walden is yours for two weeks."
    assert told["burn"].startswith("refused")
    assert told["listed_after_the_change"] == ["search"]
    assert told["borrow_after_the_change"].startswith("refused")
    assert "quarantine" in told["borrow_after_the_change"]
    assert told["approved"] == 200
    assert told["listed_after_approval"] == ["search", "borrow"]
    assert "In short: 2 of 3 tools shown" in shown
