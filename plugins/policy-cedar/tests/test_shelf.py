"""Added policies outlive restarts and lost stores, and every worker follows them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from routeiq_policy_cedar.plugin import PolicyCedar
from routeiq_policy_cedar.shelf import TABLE, Added, Shelf
from routeiq_sdk import PluginError
from routeiq_sdk.testing import FakeGateway, FakeState, running

from .world import call, plugin_with

FORBID = Added("stop", "forbid(principal, action, resource);")


class Machine(FakeGateway):
    """A gateway whose folder outlives it."""

    def __init__(self, folder: Path, state: FakeState | None = None) -> None:
        super().__init__("policy-cedar")
        self._folder = folder
        if state is not None:
            self.state = state

    @property
    def data_dir(self) -> Path:
        return self._folder


def enforcer(plugin: PolicyCedar) -> Any:
    return plugin._ready


async def test_a_restart_with_an_empty_store_keeps_what_was_added(tmp_path: Path) -> None:
    async with plugin_with(tmp_path, gateway=Machine(tmp_path)) as (plugin, _):
        await enforcer(plugin).policies.shelf.add(FORBID)
        await enforcer(plugin).policies.refresh()
        assert await call(plugin) is not None
    assert (tmp_path / "policies.json").stat().st_mode & 0o777 == 0o600
    async with plugin_with(tmp_path, gateway=Machine(tmp_path)) as (plugin, gateway):
        assert await call(plugin) is not None
        assert await gateway.state.get(TABLE, "stop") is not None


async def test_a_store_that_was_emptied_is_filled_again(tmp_path: Path) -> None:
    async with plugin_with(tmp_path, gateway=Machine(tmp_path)) as (plugin, gateway):
        await enforcer(plugin).policies.shelf.add(FORBID)
        await enforcer(plugin).policies.refresh()
        gateway.state._tables.clear()
        await enforcer(plugin).policies.refresh()
        assert await call(plugin) is not None
        assert await gateway.state.get(TABLE, "stop") is not None


async def test_what_was_deleted_elsewhere_is_not_put_back(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    async with plugin_with(tmp_path, gateway=machine) as (plugin, _):
        await enforcer(plugin).policies.shelf.add(FORBID)
        await enforcer(plugin).policies.refresh()
        state = machine.state
    await Shelf(Machine(tmp_path / "elsewhere", state)).remove("stop")
    async with plugin_with(tmp_path, gateway=Machine(tmp_path, state)) as (plugin, _):
        assert await call(plugin) is None


async def test_every_worker_follows_a_change(tmp_path: Path) -> None:
    one, two = Machine(tmp_path / "one"), Machine(tmp_path / "two")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    two.state = one.state
    async with plugin_with(tmp_path, gateway=one) as (first, _), plugin_with(tmp_path, gateway=two) as (second, _):
        await asyncio.sleep(0)  # both listen
        await enforcer(first).policies.shelf.add(FORBID)
        async with asyncio.timeout(5):
            while await call(second) is None:
                await asyncio.sleep(0.01)


async def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    async with plugin_with(tmp_path, gateway=Machine(tmp_path)) as (plugin, _):
        shelf = enforcer(plugin).policies.shelf
        added = [Added(f"p{number}", f'@id("i{number}") forbid(principal, action, resource);') for number in range(20)]
        assert all(await asyncio.gather(*(shelf.add(each) for each in added)))
        assert (await shelf.load())[0] == 20
        changed = Added("p0", "permit(principal, action, resource);")
        assert await shelf.replace(added[0], changed)
        assert not await shelf.replace(added[0], FORBID)
        assert not await shelf.add(changed)


async def test_an_added_policy_that_no_longer_passes_stops_the_start(tmp_path: Path) -> None:
    text = 'forbid(principal, action == Action::"report:create", resource);'
    gateway = Machine(tmp_path)
    async with plugin_with(tmp_path, gateway=gateway, actions=["report:create"]) as (plugin, _):
        await enforcer(plugin).policies.shelf.add(Added("reports", text))
        await enforcer(plugin).policies.refresh()
    with pytest.raises(PluginError, match=r"'reports'.*does not pass"):
        async with plugin_with(tmp_path, gateway=Machine(tmp_path)):
            pass


async def test_a_policy_that_another_version_added_leaves_the_old_ones_in_force(tmp_path: Path) -> None:
    async with plugin_with(tmp_path, gateway=Machine(tmp_path)) as (plugin, gateway):
        await enforcer(plugin).policies.shelf.add(FORBID)
        await enforcer(plugin).policies.refresh()
        await enforcer(plugin).policies.shelf.add(Added("odd", "forbid(odd);"))
        await enforcer(plugin).policies.refresh()
        assert await call(plugin) is not None
        health = await plugin.health_check()
        assert health.status == "degraded"
        assert "'odd'" in health.reason
        await gateway.state.delete(TABLE, "odd")
        await enforcer(plugin).policies.refresh()
        assert (await plugin.health_check()).status == "ok"


async def test_a_broken_copy_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "policies.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(PluginError, match=r"policies\.json cannot be read"):
        async with running(PolicyCedar(PolicyCedar.Config()), Machine(tmp_path)):
            pass
