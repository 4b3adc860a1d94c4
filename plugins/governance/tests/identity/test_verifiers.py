"""The secret of an installation can be changed without a moment in which keys do not work; without it none does."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from routeiq_governance.store import tables
from routeiq_sdk import PluginError, Principal
from routeiq_sdk.testing import FakeGateway

from .room import open_room

SECRET = "sk-0123456789abcdef-of-a-test"
OLD, NEW = "the first secret of this test", "the second secret of this test"
FOLDER = "sqlite:///{}/shared.sqlite3"


async def _found(gateway: FakeGateway, **config: Any) -> bool:
    async with open_room(_beside(gateway), {"database_url": FOLDER.format(gateway.data_dir), **config}) as room:
        return isinstance(await room.present(SECRET), Principal)


async def _verifier(gateway: FakeGateway, **config: Any) -> str | None:
    async with open_room(_beside(gateway), {"database_url": FOLDER.format(gateway.data_dir), **config}) as room:
        return (await room.stored(SECRET)).verifier


async def _make(gateway: FakeGateway, **config: Any) -> None:
    async with open_room(_beside(gateway), {"database_url": FOLDER.format(gateway.data_dir), **config}) as room:
        await room.add(SECRET)


def _beside(gateway: FakeGateway) -> FakeGateway:
    """Another worker, whose folder is its own."""
    assert gateway.data_dir.exists()
    return FakeGateway()


async def test_a_new_secret_in_front_keeps_keys_working_and_takes_them_over(gateway_folder: FakeGateway) -> None:
    await _make(gateway_folder, encryption_key=OLD)
    first = await _verifier(gateway_folder, encryption_key=OLD)
    assert await _found(gateway_folder, encryption_key=[NEW, OLD])
    second = await _verifier(gateway_folder, encryption_key=OLD)
    assert second not in (None, first)
    assert await _found(gateway_folder, encryption_key=NEW), "used once under both, it needs the old one no more"
    assert not await _found(gateway_folder, encryption_key=OLD)


async def test_a_pepper_of_its_own_outlives_the_encryption_key(gateway_folder: FakeGateway) -> None:
    pepper = "the pepper of this test, kept"
    await _make(gateway_folder, encryption_key=OLD, pepper=pepper)
    assert await _found(gateway_folder, encryption_key=NEW, pepper=pepper)
    assert await _found(gateway_folder, encryption_key=NEW, pepper=["another pepper in front", pepper])
    assert not await _found(gateway_folder, encryption_key=OLD)


async def test_an_imported_key_gets_a_verifier_at_its_first_use(gateway_folder: FakeGateway) -> None:
    await _make(gateway_folder, encryption_key=OLD)
    async with open_room(
        _beside(gateway_folder), {"database_url": FOLDER.format(gateway_folder.data_dir), "encryption_key": OLD}
    ) as room:
        async with room.database.begin() as connection:
            await connection.execute(update(tables.keys).values(verifier=None))
        assert isinstance(await room.present(SECRET), Principal)
        assert (await room.stored(SECRET)).verifier == room.database.sealer.verifier(SECRET)
        room.statements.clear()
        assert isinstance(await room.present(SECRET), Principal)
        assert room.statements == []


@pytest.mark.parametrize("name", ["encryption_key", "pepper"])
async def test_a_secret_that_could_be_guessed_stops_the_start(gateway_folder: FakeGateway, name: str) -> None:
    with pytest.raises(PluginError, match=f"{name} is shorter than 16"):
        await _make(gateway_folder, **{name: "short"})
