"""Where guards are attacked: a gateway with one of them, a provider, and whoever judges for it.

The attacks themselves are in the tests.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, anthropic_row, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.recording import RecordedRequest

from .guard_table import SAMPLE, SERVICE, Guarded


class Field:
    """Starts gateways for a guard, and remembers the upstream."""

    def __init__(self, start: StartGateway, up: ScriptedUpstream, judge: ScriptedUpstream) -> None:
        self.start = start
        self.up = up
        self.judge = judge

    async def guarded(
        self,
        guarded: Guarded,
        mode: str | list[str],
        *,
        servers: Mapping[str, Any] | None = None,
        plugins: Mapping[str, Any] | None = None,
    ) -> TestGateway:
        """A gateway with this guard; `servers` are MCP servers, `plugins` are more of them."""
        params = {**guarded.params, "mode": mode}
        if params.get("api_base") == SERVICE:
            params["api_base"] = self.judge.origin
        return await self.started(guarded.plugin, params, settings=guarded.settings, servers=servers, plugins=plugins)

    async def started(
        self,
        plugin: str,
        params: Mapping[str, Any],
        *,
        settings: Mapping[str, Any] | None = None,
        servers: Mapping[str, Any] | None = None,
        plugins: Mapping[str, Any] | None = None,
    ) -> TestGateway:
        """A gateway whose guardrail `under-test` has these parameters."""
        rows = [
            openai_row("fast", self.up.base_url),
            anthropic_row("claude", self.up.origin),
            openai_row("judge", self.judge.base_url),
        ]
        row = {**params, "default_on": True}
        return await self.start(
            {
                "model_list": rows,
                "router_settings": {"num_retries": 0},
                "guardrails": [{"guardrail_name": "under-test", "litellm_params": row}],
                **({"mcp_servers": dict(servers)} if servers is not None else {}),
                "routeiq": {"plugins": {plugin: dict(settings or {}), **(plugins or {})}},
            }
        )


def judgement(asked: RecordedRequest) -> Reply:
    """What a judging service or model says."""
    bad = "forbidden-42" in json.dumps(asked.json)
    if "messages" in asked.json:
        return Reply.chat("unsafe" if bad else "safe")
    return Reply.json({"allow": not bad})


@pytest_asyncio.fixture
async def judge() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream(default=Reply.choose(judgement)) as running:
        yield running


@pytest.fixture
def attacked(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, judge: ScriptedUpstream, plugin_folder: PluginFolder
) -> Field:
    plugin_folder.install("sample", SAMPLE, kind="guard")
    return Field(gateway, scripted_upstream, judge)
