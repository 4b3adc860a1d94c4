"""Agents, callers with keys of their own, and a gateway in front."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .agents import Agent, running
from .spec import Spec, specified

Run = Callable[..., Awaitable[Agent]]
Open = Callable[..., Awaitable[TestGateway]]

PEOPLE = """
from routeiq_sdk import Plugin, PluginConfig, Principal, Reject, hookimpl
from routeiq_sdk.values.tools import ToolResult

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def authenticate(self, ctx):
        word = ctx.credential.reveal() if ctx.credential else ""
        if not word.startswith("person-"):
            return None
        name = word.removeprefix("person-").partition("-")[0]
        return Principal(id=word, kind="key", user=name if name != "nobody" else None)

    @hookimpl
    async def permitted_tools(self, ctx, protocol, server, tools, aliases, groups):
        principal = ctx.identified
        if protocol == "a2a" and principal is not None and principal.user == "eve":
            return []
        return None

    @hookimpl
    async def authorize_action(self, ctx, action):
        return None
"""


@pytest_asyncio.fixture
async def run_agent() -> AsyncIterator[Run]:
    """A function that runs an agent until the test ends."""
    async with AsyncExitStack() as stack:

        async def start(**how: Any) -> Agent:
            return await stack.enter_async_context(running(**how))

        yield start


@pytest.fixture
def open_gateway(gateway: StartGateway, plugin_folder: PluginFolder) -> Open:
    """A function that starts a gateway with this a2a block. Its callers are `person-NAME`; eve may use no agent."""
    plugin_folder.install("people", PEOPLE, kind="auth")

    async def start(
        *,
        plugins: dict[str, Any] | None = None,
        allow: list[str] | None = None,
        top: dict[str, Any] | None = None,
        routeiq: dict[str, Any] | None = None,
        **a2a: Any,
    ) -> TestGateway:
        named: dict[str, Any] = {"a2a": a2a, "people": {}, **(plugins or {})}
        block: dict[str, Any] = {"plugins": named, **(routeiq or {})}
        if allow is not None:
            block["egress"] = {"allow": allow}
        return await gateway({"model_list": [], **(top or {}), "routeiq": block})

    return start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spec(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Spec]:
    """What rows of the specification are checked with, once a module."""
    async with specified(tmp_path_factory.mktemp("spec"), PEOPLE) as made:
        yield made
