"""What a plugin's configuration decides before it is set up: which of its hooks are called, where it may call."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from routeiq.plugins.compiled import bind, compile_pipeline
from routeiq.plugins.discover import scan
from routeiq.plugins.load import construct, examine
from routeiq.plugins.select import Selected
from routeiq_sdk import ConfigError, RouteIQError
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

LAZY = """
class Conf(PluginConfig):
    guards: bool = Field(False, description="Whether it looks at requests.")

class It(Plugin[Conf]):
    @property
    def idle_hooks(self):
        return frozenset() if self.config.guards else frozenset({"guard_request", "admit"})

    @hookimpl
    async def guard_request(self, ctx): ...

    @hookimpl
    def record(self, ctx, record): ...
"""
CALLS = dedent(
    """
    from __future__ import annotations
    from typing import Any
    from pydantic import Field
    from routeiq_sdk import *

    class Conf(PluginConfig):
        url: str = Field("", description="Where it sends.")

    class Fixture(Plugin[Conf]):
        @property
        def origins(self) -> Any:
            return (self.config.url,) if self.config.url else ()

        @hookimpl
        async def setup(self, gateway: Gateway) -> None:
            self.gateway = gateway
            if self.config.url:
                async with gateway.egress.call("GET", self.config.url) as answer:
                    self.heard_at_setup = answer.status
    """
)


@pytest.mark.parametrize(("guards", "called"), [(False, ()), (True, ("lazy",))])
def test_a_hook_that_the_configuration_does_not_need_is_not_called(site: Any, guards: bool, called: Any) -> None:
    site.install("lazy", LAZY)
    examined = examine(Selected("lazy", {"guards": guards}, required=True), scan())
    pipeline = compile_pipeline([(examined.type, bind(examined, construct(examined)))])
    assert tuple(call.plugin for call in pipeline.guard_request) == called
    assert [call.plugin for call in pipeline.record] == ["lazy"], "its other hooks are"


class Served:
    def __init__(self, start: StartGateway, folder: PluginFolder) -> None:
        self._start = start
        folder.install("calls", CALLS)

    async def with_url(self, url: str) -> TestGateway:
        return await self._start({"model_list": [], "routeiq": {"plugins": {"calls": {"url": url}}}})

    @staticmethod
    def plugin(running: TestGateway) -> Any:
        return next(member.instance for member in running.runtime.plugins.members if member.name == "calls")

    async def asked(self, running: TestGateway, url: str) -> int:
        async with self.plugin(running).gateway.egress.call("GET", url) as answer:
            return int(answer.status)


@pytest.fixture
def served(gateway: StartGateway, plugin_folder: PluginFolder) -> Served:
    return Served(gateway, plugin_folder)


async def test_a_private_address_that_the_operator_wrote_may_be_called(
    served: Served, scripted_upstream: ScriptedUpstream
) -> None:
    url = f"{scripted_upstream.base_url}/models"
    running = await served.with_url(url)
    assert served.plugin(running).heard_at_setup == 200, "as early as at its set-up"
    assert await served.asked(running, url) == 200


async def test_a_private_address_that_nobody_wrote_may_not(served: Served, scripted_upstream: ScriptedUpstream) -> None:
    running = await served.with_url("")
    with pytest.raises(RouteIQError, match=r"127\.0\.0\.1"):
        await served.asked(running, f"{scripted_upstream.base_url}/models")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://169.254.169.254/latest", "http://"])
async def test_an_origin_that_may_never_be_called_is_told_with_its_plugin(served: Served, url: str) -> None:
    with pytest.raises(ConfigError, match=r"calls.*address in its configuration cannot be called"):
        await served.with_url(url)


async def test_a_reload_takes_origins_away(served: Served, scripted_upstream: ScriptedUpstream) -> None:
    url = f"{scripted_upstream.base_url}/models"
    running = await served.with_url(url)
    running.write({"model_list": [], "routeiq": {"plugins": {"calls": {}}}})
    await running.app.reload()
    with pytest.raises(RouteIQError, match=r"127\.0\.0\.1"):
        await served.asked(running, url)
