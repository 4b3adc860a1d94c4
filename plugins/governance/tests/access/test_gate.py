"""The gate of routes: roles as they are now, what a key is narrowed to, and nothing of an old version after a swap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import delete

from routeiq_governance.store.entities import Key, Member, User
from routeiq_governance.store.tables import bindings, roles
from routeiq_sdk import Reject, RequestError
from routeiq_sdk.testing import make_groups

from .world import World, hashed, key, world


@pytest_asyncio.fixture
async def it() -> AsyncIterator[World]:
    async with world() as made:
        yield made


async def gate(made: World, who: str, action: str, path: str = "/x") -> bool | int | None:
    """What the gate says: a status when it refuses."""
    answer = await made.access.authorize_action(made.context(who, action, path), action)
    return answer.status if isinstance(answer, Reject) else answer


GATE: list[tuple[str, str, bool | int | None]] = [
    ("master", "gateway:reload", True),
    ("ann", "gateway:reload", True),
    ("bare", "chat:create", True),
    ("bare", "model:list", True),
    ("bare", "key:read", True),
    ("bare", "key:create", 403),
    ("bare", "spend:read", 403),
    ("robot", "chat:create", True),
    ("uma", "chat:create", True),
    ("uma", "key:create", True),
    ("uma", "team:create", 403),
    ("uma", "organization:create", 403),
    ("tess", "team:update", True),
    ("olga", "team:create", True),
    ("olga", "budget:create", 403),
    ("vic", "chat:create", True),
    ("vic", "spend:read", True),
    ("vic", "key:create", 403),
    ("uma", "odd:thing", None),
    ("ann", "odd:thing", True),
]


async def test_the_gate_opens_to_who_may_do_it_somewhere(it: World) -> None:
    found = [(who, action, await gate(it, who, action)) for who, action, _ in GATE]
    assert found == GATE


async def test_a_role_in_a_tenant_opens_no_route_that_knows_no_tenants(it: World) -> None:
    await it.bind("user:ina", "owner", "organization", "acme")
    assert await gate(it, "ina", "team:create") is True
    for action in ("gateway:reload", "decision:read", "cedar:create"):
        assert await gate(it, "ina", action) is None  # the route's own access decides: admins alone
    await it.bind("user:vic", "auditor", "global")
    assert await gate(it, "vic", "decision:read") is True
    assert await gate(it, "vic", "gateway:reload") is None


async def test_the_old_profile_words_the_refusal() -> None:
    async with world(profile="1.80") as made:
        refused = await made.access.authorize_action(made.context("bare", "key:create", "/key/generate"), "key:create")
        assert isinstance(refused, Reject)
        assert (refused.status, refused.type) == (401, "auth_error")
        assert "Only proxy admin can be used" in refused.message
        assert "/key/generate" in refused.message


async def test_a_demotion_acts_on_the_next_request(it: World) -> None:
    assert await gate(it, "ann", "organization:create") is True
    await it.save(User(id="ann", role="internal_user"))
    assert await gate(it, "ann", "organization:create") == 403
    assert await gate(it, "tess", "team:update") is True
    await it.save(Member(scope="team", scope_id="blue", user_id="tess", role="user"))
    assert await gate(it, "tess", "team:update") == 403


async def test_a_binding_that_is_taken_away_acts_on_the_next_request(it: World) -> None:
    assert await gate(it, "ina", "audit:read") is None
    assert await gate(it, "ina", "budget:read") == 403
    await it.bind("user:ina", "auditor", "global")
    assert await gate(it, "ina", "budget:read") is True
    async with it.database.begin() as connection:
        await connection.execute(delete(bindings))
    await it.identity.changes.announce("bindings")
    assert await gate(it, "ina", "budget:read") == 403


async def test_a_custom_role_allows_what_it_says_until_it_says_otherwise(it: World) -> None:
    await it.role("reporter", ["spend:read", "spend:list"], "acme")
    await it.bind("user:ina", "reporter", "organization", "acme")
    assert await gate(it, "ina", "budget:create") == 403
    caller = await it.caller("ina")
    await it.access.require(caller, "spend:read", scope="organization", id="acme")
    async with it.database.begin() as connection:
        await connection.execute(roles.update().values(actions=["team:read"]))
    await it.identity.changes.announce("roles")
    with pytest.raises(RequestError):
        await it.access.require(caller, "spend:read", scope="organization", id="acme")


async def test_a_role_whose_row_makes_no_sense_grants_nothing(it: World) -> None:
    await it.role("broken", ["no action"])
    await it.bind("user:ina", "broken", "global")
    await it.bind("user:ina", "gone", "global")
    assert await gate(it, "ina", "budget:read") == 403


async def test_a_key_keeps_to_its_routes_whatever_its_owner_may(it: World) -> None:
    await it.add(
        key("calls", user_id="ann", settings={"key_type": "llm_api"}),
        key("info", user_id="ann", settings={"allowed_routes": ["/key/info"]}),
    )
    assert await gate(it, "calls", "chat:create", "/v1/chat/completions") is True
    assert await gate(it, "calls", "key:create", "/key/generate") == 403
    assert await gate(it, "info", "key:read", "/key/info") is True
    assert await gate(it, "info", "chat:create", "/v1/chat/completions") == 403
    assert await gate(it, "info", "odd:thing", "/odd") == 403


async def test_no_request_is_judged_by_an_old_version_after_the_swap(it: World) -> None:
    """Requests run while a role is given and taken again; one between two changes sees the first of them."""
    await it.role("writer", ["budget:create"])
    generation, given = 0, False  # odd generations are changes under way

    async def change() -> None:
        nonlocal generation, given
        for turn in range(20):
            generation += 1
            if turn % 2 == 0:
                await it.bind("user:ina", "writer", "global")
            else:
                async with it.database.begin() as connection:
                    await connection.execute(delete(bindings))
                await it.identity.changes.announce("bindings")
            given = turn % 2 == 0
            generation += 1
            seen = sum(judged.values())
            while sum(judged.values()) < seen + 3:
                await asyncio.sleep(0)

    judged = {True: 0, False: 0}
    changing = asyncio.create_task(change())
    while not changing.done():
        before = generation
        answer = await gate(it, "ina", "budget:create")
        assert answer in (True, 403)
        if before == generation and before % 2 == 0:
            assert (answer is True) is given
            judged[given] += 1
        await asyncio.sleep(0)
    await changing
    assert min(judged.values()) > 0


async def test_expired_and_blocked_callers_call_no_model(it: World) -> None:
    now = it.gateway.clock.now_ns()
    await it.add(key("soon", expires_at=now + 1_000_000_000))
    ctx = it.context("soon")
    assert await it.access.authorize(ctx) is None
    it.gateway.clock.advance(2)
    refused = await it.access.authorize(ctx)
    assert refused is not None
    assert (refused.status, refused.type) == (401, "expired_key")
    await it.save(Key(id=hashed("bare"), blocked=True))
    refused = await it.access.authorize(it.context("bare"))
    assert refused is not None
    assert refused.status == 401


async def test_people_have_the_roles_of_their_tokens_at_home(it: World) -> None:
    auditor = await it.person("zoe", roles=["auditor"], organization="acme")
    await it.access.require(auditor, "key:read", scope="key", id=hashed("uma"))
    for scope, id in (("key", hashed("rita")), ("organization", "rival")):
        with pytest.raises(RequestError) as caught:
            await it.access.require(auditor, f"{scope}:read", scope=scope, id=id)
        assert caught.value.status == 404
    admin = await it.person("max", roles=["proxy_admin"])
    await it.access.require(admin, "organization:create", scope="global")
    lead = await it.person("lea", roles=["team_admin"], team="blue")
    await it.access.require(lead, "team:update", scope="team", id="blue")
    with pytest.raises(RequestError):
        await it.access.require(lead, "team:update", scope="team", id="red")


async def test_without_a_caller_no_target_is_allowed(it: World) -> None:
    (group,) = make_groups("fast")
    refused = it.access.authorize_target(it.context("bare"), group.deployments[0])
    assert refused is not None
    assert refused.status == 503
