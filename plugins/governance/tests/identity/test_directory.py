"""The directory that other plugins provision: users with their keys, groups that are teams, nothing lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest_asyncio

from routeiq_governance.identity.directory import StoredDirectory
from routeiq_governance.identity.limits import Limits
from routeiq_governance.store import entities, tables
from routeiq_governance.store.entities import Member, Organization, User
from routeiq_sdk import Principal, Reject
from routeiq_sdk.values.directory import DirectoryGroup, DirectoryUser

from .room import Room, open_room

SECRET = "sk-0123456789abcdef-of-a-test"


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Room]:
    """One worker on an embedded database."""
    async with open_room() as opened:
        yield opened


@pytest_asyncio.fixture
async def directory(room: Room) -> StoredDirectory:
    """Its directory."""
    return StoredDirectory(room.database, room.identity)


async def test_a_user_comes_back_as_it_was_saved(directory: StoredDirectory) -> None:
    user = DirectoryUser(
        "uma",
        email="Uma@Example.com",
        name="Uma",
        external_id="idp-1",
        organization="acme",
        roles=frozenset({"internal_user"}),
        attributes={"department": "R&D"},
    )
    saved = await directory.save_user(user)
    assert saved == await directory.user("uma")
    assert (saved.email, saved.name, saved.external_id) == ("uma@example.com", "Uma", "idp-1")
    assert (saved.organization, saved.roles, saved.active) == ("acme", {"internal_user"}, True)
    assert saved.attributes == {"department": "R&D"}
    assert await directory.user("nobody") is None


async def test_what_the_directory_knows_beyond_survives_a_save(room: Room, directory: StoredDirectory) -> None:
    await room.write(
        User(id="uma", role="proxy_admin", limits=Limits(budget=5), models=("fast",), meta={"a": 1}, created_by="me")
    )
    await directory.save_user(DirectoryUser("uma", name="Uma"))
    async with room.database.read() as connection:
        user = await entities.users.get(connection, "uma")
    assert user is not None
    assert (user.role, user.limits, user.models, user.meta) == ("proxy_admin", Limits(budget=5), ("fast",), {"a": 1})
    assert (user.alias, user.created_by) == ("Uma", "me")


async def test_users_are_found_by_email_without_case_and_page_by_page(directory: StoredDirectory) -> None:
    for number in range(5):
        await directory.save_user(DirectoryUser(f"u{number}", email=f"U{number}@x.org", external_id=f"e{number}"))
    assert [user.id for user in await directory.find_users(email="u3@X.org")] == ["u3"]
    assert [user.id for user in await directory.find_users(external_id="e1")] == ["u1"]
    assert await directory.find_users(email="u3@x.org", external_id="e1") == []
    first = await directory.find_users(most=2)
    rest = await directory.find_users(after=first[-1].id, most=10)
    assert [user.id for user in (*first, *rest)] == ["u0", "u1", "u2", "u3", "u4"]


async def test_deactivating_a_user_acts_at_once(room: Room, directory: StoredDirectory) -> None:
    await directory.save_user(DirectoryUser("uma"))
    await room.add(SECRET, user_id="uma")
    assert isinstance(await room.present(SECRET), Principal)
    await directory.save_user(DirectoryUser("uma", active=False))
    assert isinstance(await room.present(SECRET), Reject)
    await directory.save_user(DirectoryUser("uma"))
    assert isinstance(await room.present(SECRET), Principal)


async def test_a_removed_user_goes_with_keys_memberships_and_bindings(room: Room, directory: StoredDirectory) -> None:
    await directory.save_user(DirectoryUser("uma"))
    await directory.save_user(DirectoryUser("vic"))
    await directory.save_group(DirectoryGroup("blue", "Blue", members=frozenset({"uma", "vic"})))
    await room.add(SECRET, user_id="uma")
    binding = {"role": "viewer", "scope": "global", "scope_id": "", "created_at": 0, "updated_at": 0}
    async with room.database.begin() as connection:
        await connection.execute(tables.bindings.insert(), {"id": "b", "principal": "user:uma", **binding})
    assert isinstance(await room.present(SECRET), Principal)
    assert await directory.remove_user("uma")
    assert await room.present(SECRET) is None
    group = await directory.group("blue")
    assert group is not None
    assert group.members == {"vic"}
    async with room.database.read() as connection:
        assert (await connection.execute(tables.bindings.select())).all() == []
    assert not await directory.remove_user("uma")


async def test_a_group_is_a_team_whose_members_are_replaced(room: Room, directory: StoredDirectory) -> None:
    for user in ("uma", "vic", "wim"):
        await directory.save_user(DirectoryUser(user))
    saved = await directory.save_group(
        DirectoryGroup("blue", "Blue", external_id="g1", members=frozenset({"uma", "vic", "ghost"}))
    )
    assert saved.members == {"uma", "vic"}, "who is not there cannot be a member"
    async with room.database.begin() as connection:
        member = await entities.members.get(connection, "team", "blue", "vic")
        assert member is not None
        await entities.members.save(connection, msgspec.structs.replace(member, role="admin"))
    changed = await directory.save_group(DirectoryGroup("blue", "Blue 2", members=frozenset({"vic", "wim"})))
    assert (changed.name, changed.members) == ("Blue 2", {"vic", "wim"})
    async with room.database.read() as connection:
        member = await entities.members.get(connection, "team", "blue", "vic")
        assert member is not None
        assert member.role == "admin", "who stays keeps the role"
        team = await entities.teams.get(connection, "blue")
        assert team is not None
        assert (team.alias, team.external_id) == ("Blue 2", None)
    assert [group.id for group in await directory.find_groups(name="Blue 2")] == ["blue"]
    assert await directory.find_groups(name="Blue") == []


async def test_a_removed_group_goes_with_its_keys(room: Room, directory: StoredDirectory) -> None:
    await room.write(Organization(id="acme"))
    await directory.save_group(DirectoryGroup("blue", "Blue", organization="acme"))
    await room.add(SECRET, team_id="blue")
    found = await room.present(SECRET)
    assert isinstance(found, Principal)
    assert found.organization == "acme"
    assert await directory.remove_group("blue")
    assert await room.present(SECRET) is None
    assert not await directory.remove_group("blue")
    async with room.database.read() as connection:
        assert await entities.members.find(connection) == []


async def test_members_of_organizations_are_left_alone_by_groups_of_that_name(
    room: Room, directory: StoredDirectory
) -> None:
    await directory.save_user(DirectoryUser("uma"))
    async with room.database.begin() as connection:
        member = Member(scope="organization", scope_id="blue", user_id="uma", role="org_admin")
        await entities.members.insert(connection, member)
    await directory.save_group(DirectoryGroup("blue", "Blue", members=frozenset({"uma"})))
    await directory.remove_group("blue")
    async with room.database.read() as connection:
        assert await entities.members.find(connection) == [member]
