"""How a process is doing: what `gateway.vitals()` and the last minute tell of requests, breakers, hooks and losses."""

from __future__ import annotations

import asyncio
from textwrap import dedent
from typing import Any

from routeiq_sdk import Event
from routeiq_sdk.values.health import Health
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

PLUGIN = dedent(
    """
    from __future__ import annotations
    import asyncio
    from typing import Any
    from routeiq_sdk import *
    from routeiq_sdk.values.health import Health

    class Fixture(Plugin[PluginConfig]):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.health = Health("ok")
            self.open = asyncio.Event()
            self.open.set()

        @hookimpl
        async def setup(self, gateway: Gateway) -> None:
            self.gateway = gateway

        @hookimpl
        async def guard_request(self, ctx: Context) -> Any:
            await self.open.wait()
            return None

        @hookimpl
        def record(self, ctx: Context, record: Record) -> None:
            if record.status == 200:
                raise OSError("full")

        @hookimpl
        async def emit(self, events: Any) -> None:
            await asyncio.Event().wait()

        @hookimpl
        async def health_check(self) -> Health:
            return self.health
    """
)


async def served(gateway: StartGateway, folder: PluginFolder, upstream: ScriptedUpstream) -> tuple[TestGateway, Any]:
    folder.install("probe", PLUGIN)
    rows = [openai_row("m", upstream.base_url)]
    settings = {"num_retries": 0, "cooldown_time": 60}
    running = await gateway({"model_list": rows, "router_settings": settings, "routeiq": {"plugins": {"probe": {}}}})
    return running, next(member.instance for member in running.runtime.plugins.members if member.name == "probe")


async def live(running: TestGateway) -> Any:
    async with running.session.get("/routeiq/v1/live") as answer:
        assert answer.status == 200
        return await answer.json()


async def test_an_idle_gateway_is_well(
    gateway: StartGateway, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream
) -> None:
    _, probe = await served(gateway, plugin_folder, scripted_upstream)
    vitals = probe.gateway.vitals()
    assert (vitals.in_flight, vitals.shed, vitals.events_lost, vitals.records_lost) == (0, 0, 0, 0)
    assert (vitals.store, vitals.store_up, vitals.benched, vitals.running) == ("memory", True, {}, {})


async def test_requests_under_way_and_turned_away_are_counted(
    gateway: StartGateway, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream
) -> None:
    running, probe = await served(gateway, plugin_folder, scripted_upstream)
    running.runtime.shared.in_flight.most = 1
    probe.open.clear()
    waiting = asyncio.create_task(running.chat("m"))
    async with asyncio.timeout(10):
        while not probe.gateway.vitals().in_flight:
            await asyncio.sleep(0.005)
    await running.chat("m")
    vitals = probe.gateway.vitals()
    assert (vitals.in_flight, vitals.most_in_flight, vitals.shed) == (1, 1, 1)
    probe.open.set()
    assert (await waiting)[0] == 200
    told = await live(running)
    assert (told["shed"], told["refused"]) == (1, {"door": 1})


async def test_failures_of_hooks_and_lost_records_are_told(
    gateway: StartGateway, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream
) -> None:
    running, probe = await served(gateway, plugin_folder, scripted_upstream)
    for _ in range(3):
        await running.chat("m")
    await running.recorded(3)
    vitals = probe.gateway.vitals()
    assert vitals.records_lost == 3
    assert (vitals.hooks["probe.record"].calls, vitals.hooks["probe.record"].errors) == (3, 3)
    assert (vitals.hooks["probe.guard_request"].calls, vitals.hooks["probe.guard_request"].errors) == (3, 0)
    assert vitals.hooks["probe.guard_request"].seconds > 0
    told = await live(running)
    assert (told["records_lost"], told["hook_errors"]) == (3, {"probe.record": 3})


async def test_events_that_no_sink_took_are_told(
    gateway: StartGateway, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream
) -> None:
    running, probe = await served(gateway, plugin_folder, scripted_upstream)
    for number in range(10_002):
        probe.gateway.emit(Event("routeiq.test.v1", number, {}))
    assert probe.gateway.vitals().events_waiting == 10_000
    assert probe.gateway.vitals().events_lost == 2
    assert (await live(running))["events_lost"] == 2
    await running.runtime.fan_out.stop(0)


async def test_a_breaker_that_is_open_is_told_with_the_seconds_that_are_left(
    gateway: StartGateway, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream
) -> None:
    running, probe = await served(gateway, plugin_folder, scripted_upstream)
    scripted_upstream.default = Reply.error(401)
    await running.chat("m")
    (deployment,) = running.runtime.catalog.deployments
    benched = probe.gateway.vitals().benched
    assert set(benched) == {deployment.id}
    assert 50 < benched[deployment.id] <= 60
    assert 50 < (await live(running))["benched"][deployment.id] <= 60


async def test_a_plugin_that_is_not_well_is_told(
    gateway: StartGateway, plugin_folder: PluginFolder, scripted_upstream: ScriptedUpstream
) -> None:
    running, probe = await served(gateway, plugin_folder, scripted_upstream)
    assert (await live(running))["unwell"] == []
    probe.health = Health("degraded", "12 records were lost")
    assert (await live(running))["unwell"] == ["probe: 12 records were lost"]
