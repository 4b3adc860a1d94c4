"""Recorders of what leaves, and gateways that tell them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row

from .recorder import Recorder, recording


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as made:
        yield made


@pytest.fixture
async def other_recorder() -> AsyncIterator[Recorder]:
    async with recording() as made:
        yield made


@pytest.fixture
def telling(scripted_upstream: ScriptedUpstream) -> Any:
    """A function that makes a configuration with these targets."""

    def make(*targets: dict[str, Any], litellm: dict[str, Any] | None = None, **block: Any) -> dict[str, Any]:
        prices = {"input_cost_per_token": "0.000001", "output_cost_per_token": "0"}
        return {
            "model_list": [openai_row("m", scripted_upstream.base_url, **prices)],
            "router_settings": {"num_retries": 0},
            "litellm_settings": litellm or {},
            "routeiq": {"plugins": {"callbacks": {"targets": list(targets), **block}}},
        }

    return make
