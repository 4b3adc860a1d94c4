"""A plugin enforces a key of LiteLLM's settings only if it can see it: being there is not enough."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from routeiq.plugins.from_litellm import sees
from routeiq_sdk import FromLitellm, PluginConfig


class One(PluginConfig):
    limit: Annotated[int, FromLitellm("general_settings.max_parallel_requests")] = Field(0, description="One key.")


class All(PluginConfig):
    section: Annotated[dict, FromLitellm("general_settings")] = Field(default_factory=dict, description="A section.")


@pytest.mark.parametrize(
    ("model", "path", "seen"),
    [
        (One, "general_settings.max_parallel_requests", True),
        (One, "general_settings.max_parallel_requests.deep", True),
        (One, "general_settings.max_parallel_requests_more", False),
        (One, "general_settings.custom_sso", False),
        (One, "litellm_settings.max_budget", False),
        (All, "general_settings.custom_sso", True),
        (All, "router_settings.x", False),
        (PluginConfig, "model_list[0].litellm_params.rpd", True),
        (PluginConfig, "guardrails[0]", True),
    ],
)
def test_a_key_is_seen_by_its_own_mark_or_its_sections(model: type[PluginConfig], path: str, seen: bool) -> None:
    assert sees(model, path) is seen
