"""Who caches something hears of every change of it: by a message at once, or by the numbers of changes."""

from __future__ import annotations

import asyncio

import pytest

from routeiq_governance.identity import changes as module
from routeiq_governance.identity.changes import CHANNEL, Changes
from routeiq_sdk import StoreUnavailable
from routeiq_sdk.testing import FakeGateway

from .room import open_room


class Heard:
    """What a cache was told, and an event each time."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._news = asyncio.Event()

    async def __call__(self, id: str) -> None:
        self.ids.append(id)
        self._news.set()

    async def next(self) -> None:
        async with asyncio.timeout(10):
            await self._news.wait()
        self._news.clear()


async def test_the_worker_that_changes_hears_of_it_before_it_answers() -> None:
    async with open_room() as room:
        heard = Heard()
        room.identity.changes.on("tags", heard)
        await room.identity.changes.announce("tags", "a")
        await room.identity.changes.announce("budgets", "b")
        assert heard.ids == ["a"]


async def test_another_worker_hears_of_it_by_a_message() -> None:
    async with open_room() as room:
        other, heard = Changes(room.database), Heard()
        other.on("keys", heard)
        await other.open(room.gateway)
        await asyncio.sleep(0)  # its listener subscribes
        await room.identity.changes.announce("keys", "id")
        await heard.next()
        assert heard.ids[0] == "id"


async def test_a_change_of_which_no_message_came_is_seen_in_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    async with open_room() as room:
        heard = Heard()
        room.identity.changes.on("keys", heard)
        async with room.database.begin() as connection:
            await room.database.touch(connection, "keys")
        await heard.next()
        assert heard.ids == [""], "any of them"


async def test_a_cache_that_could_not_be_refreshed_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    async with open_room() as room:
        told = Heard()

        async def failing(id: str) -> None:
            await told(id)
            if told.ids.count("") < 2:
                raise StoreUnavailable("away")

        async with room.database.begin() as connection:
            await room.database.touch(connection, "roles")
        room.identity.changes.on("roles", failing)
        await room.identity.changes.announce("roles", "r")
        async with asyncio.timeout(10):
            while told.ids.count("") < 2:
                await told.next()
        assert told.ids[0] == "r"


async def test_a_change_is_committed_though_no_message_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_room(FakeGateway()) as room:

        async def away(channel: str, message: bytes) -> None:
            assert channel == CHANNEL
            raise StoreUnavailable("away")

        monkeypatch.setattr(room.gateway.state, "publish", away)
        heard = Heard()
        room.identity.changes.on("keys", heard)
        await room.identity.changes.announce("keys", "id")
        assert heard.ids == ["id"]
