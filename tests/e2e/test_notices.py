"""What a start tells is true: a key that a running plugin serves is not said to be without effect."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_testkit.pytest_plugin import StartGateway


@pytest.mark.parametrize("runs", [False, True])
async def test_a_key_that_needs_a_plugin_is_told_where_the_plugin_does_not_run(
    gateway: StartGateway, runs: bool
) -> None:
    config: dict[str, Any] = {"model_list": [], "litellm_settings": {"callbacks": ["prometheus"]}}
    running = await gateway({**config, "routeiq": {"plugins": {"prometheus": {}} if runs else {}}})
    async with running.session.get("/routeiq/v1/status") as response:
        told = (await response.json())["notices"]
    assert any("the plugin prometheus alone" in line for line in told) is not runs
