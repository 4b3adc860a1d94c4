"""What a bearer of a key is told: from memory once it is known, right away when something changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from routeiq_governance.identity import credentials
from routeiq_governance.identity.resolve import ROTATED
from routeiq_governance.store.entities import Organization, Team, User
from routeiq_sdk import Principal, Reject

from .room import Room, open_room

SECRET = "sk-0123456789abcdef-of-a-test"


@pytest_asyncio.fixture
async def room() -> AsyncIterator[Room]:
    """One worker on an embedded database."""
    async with open_room() as opened:
        yield opened


async def test_a_key_is_asked_for_once_and_then_known(room: Room) -> None:
    key = await room.add(SECRET, alias="mine")
    found = await room.present(SECRET)
    assert isinstance(found, Principal)
    assert (found.id, found.kind, found.alias, found.models) == (key.id, "key", "mine", None)
    room.statements.clear()
    assert await room.present(SECRET) is found
    assert room.statements == []


async def test_many_who_ask_at_once_are_one_question(room: Room) -> None:
    await room.add(SECRET)
    room.statements.clear()
    found = await asyncio.gather(*(room.present(SECRET) for _ in range(50)))
    assert all(isinstance(each, Principal) for each in found)
    assert sum("routeiq_keys" in statement for statement, _ in room.statements) == 1


async def test_an_unknown_key_is_nobodys_and_asked_for_once_until_one_is_made(room: Room) -> None:
    assert await room.present(SECRET) is None
    room.statements.clear()
    assert await room.present(SECRET) is None
    assert room.statements == []
    key = await room.add(SECRET)
    await room.identity.changes.announce("keys", key.id)
    assert isinstance(await room.present(SECRET), Principal)


async def test_a_key_of_which_only_the_hash_was_written_does_not_open(room: Room) -> None:
    """Whoever may write rows, but has not the pepper, cannot make a key."""
    await room.add(SECRET, verifier="0" * 64)
    assert await room.present(SECRET) is None


@pytest.mark.parametrize("text", ["eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.x", "x" * 513, "sk-" + "x" * 1_000_000])
async def test_what_cannot_be_a_key_costs_no_question(room: Room, text: str) -> None:
    assert await room.present(text) is None
    assert room.statements == []


async def test_a_key_with_dots_is_a_key(room: Room) -> None:
    await room.add("sk-with.two.dots.0123456789")
    assert isinstance(await room.present("sk-with.two.dots.0123456789"), Principal)
    await room.add("sk-first.second.third-of-three")
    assert isinstance(await room.present("sk-first.second.third-of-three"), Principal)


@pytest.mark.parametrize(("profile", "status"), [("1.109", 401), ("1.80", 400)])
async def test_an_expired_key_says_so_in_the_words_of_the_profile(room: Room, profile: str, status: int) -> None:
    room.gateway.litellm_profile = profile
    await room.add(SECRET, expires_at=room.gateway.clock.now_ns() + 1_000_000_000)
    assert isinstance(await room.present(SECRET), Principal)
    room.gateway.clock.advance(1.0)
    refused = await room.present(SECRET)
    assert isinstance(refused, Reject)
    assert (refused.status, refused.type) == (status, "expired_key")


@pytest.mark.parametrize(("profile", "told"), [("1.109", "/key/unblock"), ("1.80", "Key is blocked")])
async def test_a_blocked_key_says_so_in_the_words_of_the_profile(room: Room, profile: str, told: str) -> None:
    room.gateway.litellm_profile = profile
    await room.add(SECRET, blocked=True)
    refused = await room.present(SECRET)
    assert isinstance(refused, Reject)
    assert (refused.status, refused.type) == (401, "auth_error")
    assert told in refused.message


@pytest.mark.parametrize("change", [{"active": False}, {"blocked": True}])
async def test_an_inactive_user_is_refused_at_once_with_every_key(room: Room, change: dict[str, bool]) -> None:
    user = User(id="uma")
    await room.write(user)
    await room.add(SECRET, user_id="uma")
    assert isinstance(await room.present(SECRET), Principal)
    await room.write(msgspec.structs.replace(user, **change))
    assert isinstance(await room.present(SECRET), Reject)
    await room.write(user)
    assert isinstance(await room.present(SECRET), Principal)


@pytest.mark.parametrize("scope", ["team", "organization"])
async def test_keys_of_a_blocked_team_or_organization_are_refused(room: Room, scope: str) -> None:
    await room.write(Organization(id="acme", blocked=scope == "organization"))
    await room.write(Team(id="blue", organization_id="acme", blocked=scope == "team"))
    await room.add(SECRET, team_id="blue")
    refused = await room.present(SECRET)
    assert isinstance(refused, Reject)
    assert refused.status == 401
    assert scope in refused.message.lower()


async def test_who_stands_behind_a_key_is_told_to_later_gates(room: Room) -> None:
    await room.write(Organization(id="acme"))
    await room.write(Team(id="blue", organization_id="acme", settings={"model_aliases": {"quick": "fast"}}))
    await room.write(User(id="uma", email="uma@example.com", role="internal_user"))
    await room.add(SECRET, team_id="blue", user_id="uma", settings={"tags": ["a"], "allowed_model_region": "eu"})
    found = await room.present(SECRET)
    assert isinstance(found, Principal)
    assert (found.user, found.team, found.organization) == ("uma", "blue", "acme")
    assert (found.aliases, found.tags) == ({"quick": "fast"}, frozenset({"a"}))
    assert found.attributes["allowed_model_region"] == "eu"


async def test_a_personal_key_is_of_its_users_organization(room: Room) -> None:
    await room.write(Organization(id="acme"))
    await room.write(User(id="uma", organization_id="acme"))
    await room.add(SECRET, user_id="uma")
    found = await room.present(SECRET)
    assert isinstance(found, Principal)
    assert found.organization == "acme"


async def test_a_rotated_key_stands_for_the_new_one_while_both_work(room: Room) -> None:
    new = await room.add("sk-new-0123456789abcdef", alias="it")
    old = await room.add(SECRET, settings={ROTATED: new.id}, expires_at=room.gateway.clock.now_ns() + 10**12)
    found = await room.present(SECRET)
    assert isinstance(found, Principal)
    assert (found.id, found.alias) == (new.id, "it")
    await room.write(msgspec.structs.replace(new, blocked=True))
    assert isinstance(await room.present(SECRET), Reject)
    await room.write(new)
    await room.write(msgspec.structs.replace(old, blocked=True))
    assert isinstance(await room.present(SECRET), Reject)
    assert isinstance(await room.present("sk-new-0123456789abcdef"), Principal)


async def test_a_rotated_key_whose_successor_is_gone_is_unknown(room: Room) -> None:
    await room.add(SECRET, settings={ROTATED: credentials.key_id("sk-gone")})
    assert await room.present(SECRET) is None


async def test_keys_that_replace_one_another_in_a_circle_open_nothing(room: Room) -> None:
    await room.add(SECRET, settings={ROTATED: credentials.key_id(SECRET)})
    assert await room.present(SECRET) is None


async def test_caches_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routeiq_governance.identity.gate._MOST_UNKNOWN", 5)
    for number in range(20):
        assert await room.present(f"sk-nobody-{number:016}") is None
    room.statements.clear()
    for number in range(15, 20):
        assert await room.present(f"sk-nobody-{number:016}") is None
    assert room.statements == []
    assert await room.present("sk-nobody-0000000000000000") is None
    assert room.statements
