"""The example of the guards: the provider sees no personal data, and what is refused never leaves the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import tour

_SECONDS = 100.0


@pytest.mark.timeout(120)
async def test_what_is_masked_comes_back_and_what_is_refused_does_not_leave(tmp_path: Path) -> None:
    told, shown = await tour("guardrails", tmp_path, _SECONDS)
    plain, personal, *refused = told
    assert plain["client_got"] == f"You said: {plain['prompt']}"
    assert personal["provider_saw"] == "Write to <EMAIL_ADDRESS_1> that lunch is at one."
    assert personal["client_got"] == f"You said: {personal['prompt']}"
    assert plain["looked"].split(",") == ["personal-data", "secrets", "injection", "words"]
    assert [(each["status"], each["provider_saw"]) for each in refused] == [(400, None)] * 4
    for each, guard in zip(refused, ("personal-data", "secrets", "injection", "words"), strict=True):
        assert guard in each["client_got"]
    assert "In short: 6 prompts, 4 refused" in shown
