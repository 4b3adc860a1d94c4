"""Sinks are told of users who were blocked or deleted, each by itself, and of nobody else."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from routeiq_testkit.installed import PluginFolder

from .conftest import Open
from .world import build

HEARING = """
import asyncio
from routeiq_sdk import Plugin, PluginConfig, hookimpl

class Fixture(Plugin[PluginConfig]):
    events = []
    more = asyncio.Condition()

    @hookimpl
    async def emit(self, events):
        async with self.more:
            self.events.extend(event.payload for event in events if event.name == "routeiq.user.v1")
            self.more.notify_all()
"""


async def until(count: int) -> list[dict[str, Any]]:
    heard = sys.modules["fixture_hearing"].Fixture
    async with asyncio.timeout(20), heard.more:
        await heard.more.wait_for(lambda: len(heard.events) >= count)
        return list(heard.events)


async def test_users_who_are_shut_out_are_told_and_refused_changes_are_not(
    open_gateway: Open, plugin_folder: PluginFolder
) -> None:
    plugin_folder.install("hearing", HEARING)
    world = await build((await open_gateway(routeiq={"plugins": {"governance": {}, "hearing": {}}})).gateway)
    both = [{"user_id": "uma", "blocked": True}, {"user_id": "rita", "blocked": True}]
    bulk = await world.olga.post("/user/bulk_update", users=both)
    assert [each["success"] for each in bulk["results"]] == [True, False], "rita is of another organization"
    await world.master.post("/user/update", user_email="tess@example.com", blocked=True, user_alias="Tess")
    await world.master.post("/user/update", user_id="uma", blocked=False)
    await world.master.post("/user/update", user_id="ina", user_alias="Ina")
    await world.master.refused("/user/delete", user_ids=["ina", "ghost"])
    await world.master.post("/user/delete", user_ids=["rita", "ina"])
    events = await until(4)
    told = [(event["what"], event["user"], event["by"]) for event in events]
    assert told == [
        ("blocked", "uma", "olga"),
        ("blocked", "tess", "default_user_id"),
        ("deleted", "rita", "default_user_id"),
        ("deleted", "ina", "default_user_id"),
    ]
    assert len({event["event_id"] for event in events}) == 4
