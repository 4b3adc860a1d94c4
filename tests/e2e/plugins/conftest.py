"""Plugins of a test's own in a whole gateway: installed as packages, named in the YAML, called over HTTP."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

PRELUDE = """
from __future__ import annotations
import asyncio, threading
from typing import Any
from pydantic import Field
from fixture_journal import note
from routeiq_sdk import *
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import HttpResponse

class Conf(PluginConfig):
    tag: str = Field("", description="Told apart by it.")

class Fixture(Plugin[Conf]):
"""


@dataclass
class Bench:
    """Where a test builds its gateway. `journal` is what plugins noted with `note(text)`."""

    start: StartGateway
    folder: PluginFolder
    up: ScriptedUpstream
    journal: list[str]

    def install(self, name: str, body: str) -> None:
        """Install the plugin `name`, whose class has this body."""
        self.folder.install(name, PRELUDE + indent(dedent(body), "    "))

    def config(self, *names: str, **changes: Any) -> dict[str, Any]:
        """A configuration with two model groups, `fast` and `strong`, the virtual model `auto`, and these plugins."""
        block = dict(changes.pop("routeiq", {}))
        plugins = block.pop("plugins", {})
        rows = [openai_row(name, self.up.base_url, f"model-{name}") for name in ("fast", "strong")]
        return {
            "model_list": rows,
            "router_settings": {"num_retries": 0},
            **changes,
            "routeiq": {
                "virtual_models": {"auto": {"models": ["fast", "strong"]}},
                **block,
                "plugins": {name: plugins.get(name, {}) for name in names},
            },
        }

    async def serve(self, sources: Mapping[str, str], **changes: Any) -> TestGateway:
        """Install the plugins and start a gateway that names them in this order."""
        for name, body in sources.items():
            self.install(name, body)
        return await self.start(self.config(*sources, **changes))


def instance(gateway: TestGateway, name: str) -> Any:
    """The living plugin."""
    return next(member.instance for member in gateway.runtime.plugins.members if member.name == name)


@pytest.fixture
def the_plugin() -> Any:
    return instance


@pytest.fixture
def bench(
    gateway: StartGateway,
    plugin_folder: PluginFolder,
    scripted_upstream: ScriptedUpstream,
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    noted = types.ModuleType("fixture_journal")
    journal: list[str] = []
    noted.note = journal.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fixture_journal", noted)
    return Bench(gateway, plugin_folder, scripted_upstream, journal)
