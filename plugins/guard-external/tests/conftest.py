"""Services and gateways of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .moderator import moderator

Guarded = Callable[..., Awaitable[TestGateway]]


@pytest_asyncio.fixture
async def service() -> AsyncIterator[ScriptedUpstream]:
    """A moderation service of the test's own."""
    async with moderator() as running:
        yield running


@pytest.fixture
def guarded(gateway: StartGateway, scripted_upstream: ScriptedUpstream, service: ScriptedUpstream) -> Guarded:
    """A function that starts a gateway whose rows are these `litellm_params`, on for every request."""

    async def start(*rows: Mapping[str, Any], **changes: Any) -> TestGateway:
        filled = [
            {
                "guardrail_name": f"row-{number}",
                "litellm_params": {"mode": "pre_call", "default_on": True, **_at(service, row)},
            }
            for number, row in enumerate(rows)
        ]
        return await gateway(
            {
                "model_list": [
                    openai_row("fast", scripted_upstream.base_url),
                    openai_row("judge", scripted_upstream.base_url, "judge-model"),
                ],
                "router_settings": {"num_retries": 0},
                "guardrails": filled,
                "routeiq": {"plugins": {"guard-external": {}}},
                **changes,
            }
        )

    return start


def _at(service: ScriptedUpstream, row: Mapping[str, Any]) -> dict[str, Any]:
    asks_a_model = "model" in row and row["guardrail"] != "openai_moderation"
    return dict(row) if asks_a_model or "api_base" in row else {"api_base": f"{service.origin}/x", **row}
