"""What handlers ask: tenants, scopes, privileged fields, and where somebody reaches."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from routeiq_governance.access.questions import Reach
from routeiq_governance.store.entities import Member, Team
from routeiq_sdk import RequestError

from .world import World, hashed, key, world


@pytest_asyncio.fixture
async def it() -> AsyncIterator[World]:
    async with world() as made:
        yield made


async def status(made: World, who: str, action: str, scope: str, id: str | None = None) -> int:
    try:
        await made.access.require(await made.caller(who), action, scope=scope, id=id)
    except RequestError as error:
        return error.status
    return 200


K = hashed


RIGHTS: list[tuple[str, str, str, str | None, int]] = [
    ("master", "organization:create", "global", None, 200),
    ("ann", "organization:create", "global", None, 200),
    ("olga", "organization:create", "global", None, 403),
    ("olga", "organization:update", "organization", "acme", 200),
    ("olga", "organization:limit", "organization", "acme", 403),
    ("olga", "organization:update", "organization", "rival", 404),
    ("olga", "organization:update", "organization", "nowhere", 404),
    ("olga", "team:create", "organization", "acme", 200),
    ("olga", "team:create", "organization", "rival", 404),
    ("olga", "team:delete", "team", "blue", 200),
    ("olga", "team:delete", "team", "red", 404),
    ("olga", "team:delete", "team", "free", 404),
    ("olga", "key:update", "key", K("uma"), 200),
    ("olga", "key:update", "key", K("uma-blue"), 200),
    ("olga", "key:update", "key", K("rita"), 404),
    ("olga", "user:update", "user", "uma", 200),
    ("olga", "user:update", "user", "rita", 404),
    ("olga", "policy:update", "organization", "acme", 403),
    ("olga", "policy:update", "team", "blue", 200),
    ("olga", "policy:create", "organization", "acme", 200),
    ("tess", "team:update", "team", "blue", 200),
    ("tess", "team:limit", "team", "blue", 403),
    ("tess", "team:delete", "team", "blue", 403),
    ("tess", "team:update", "team", "red", 404),
    ("tess", "key:block", "key", K("uma-blue"), 200),
    ("tess", "key:read", "key", K("uma"), 403),
    ("tess", "user:read", "user", "uma", 200),
    ("tess", "user:update", "user", "uma", 403),
    ("uma", "team:read", "team", "blue", 200),
    ("uma", "team:update", "team", "blue", 403),
    ("uma", "key:create", "user", "uma", 200),
    ("uma", "key:create", "user", "tess", 403),
    ("uma", "key:create", "user", "rita", 404),
    ("uma", "key:create", "member", "blue/uma", 403),
    ("uma", "key:read", "key", K("uma-blue"), 200),
    ("uma", "key:read", "key", K("tess"), 403),
    ("uma", "key:read", "key", K("rita"), 404),
    ("uma", "user:update", "user", "uma", 200),
    ("uma", "spend:read", "global", None, 403),
    ("vic", "key:create", "user", "vic", 403),
    ("vic", "key:read", "key", K("vic"), 200),
    ("ina", "team:read", "team", "free", 403),
    ("ina", "team:read", "team", "blue", 404),
    ("bare", "key:read", "key", K("bare"), 200),
    ("bare", "key:read", "key", K("robot"), 404),
    ("bare", "key:update", "key", K("bare"), 403),
    ("robot", "team:read", "team", "blue", 200),
    ("robot", "key:create", "team", "blue", 403),
]


async def test_the_table_of_rights_and_tenants(it: World) -> None:
    found = [(who, action, scope, id, await status(it, who, action, scope, id)) for who, action, scope, id, _ in RIGHTS]
    assert found == RIGHTS


async def test_another_tenants_thing_and_no_thing_answer_alike(it: World) -> None:
    caller = await it.caller("olga")
    told = []
    for id in ("red", "nowhere"):
        with pytest.raises(RequestError) as caught:
            await it.access.require(caller, "team:read", scope="team", id=id)
        told.append((caught.value.status, caught.value.type, caught.value.message.replace(id, "ID")))
    assert told[0] == told[1]


async def test_a_teams_key_acts_in_its_team_alone(it: World) -> None:
    assert await status(it, "uma-blue", "key:create", "user", "uma") == 403
    assert await status(it, "uma-blue", "team:read", "team", "blue") == 200
    assert await status(it, "tess-blue", "team:update", "team", "blue") == 200
    await it.add(Team(id="navy", organization_id="acme"))
    await it.add(Member(scope="team", scope_id="navy", user_id="tess", role="admin"))
    assert await status(it, "tess", "team:update", "team", "navy") == 200
    assert await status(it, "tess-blue", "team:update", "team", "navy") == 403


async def test_a_team_permits_its_members_what_it_says(it: World) -> None:
    assert await status(it, "uma", "key:create", "member", "blue/uma") == 403
    permitted = {"team_member_permissions": ["/key/generate", "/key/delete"]}
    await it.save(Team(id="blue", organization_id="acme", settings=permitted))
    assert await status(it, "uma", "key:create", "member", "blue/uma") == 200
    assert await status(it, "uma", "key:delete", "key", hashed("uma-blue")) == 200
    assert await status(it, "uma", "key:delete", "key", hashed("tess-blue")) == 403
    assert await status(it, "uma", "key:create", "member", "blue/tess") == 403
    assert await status(it, "uma", "key:create", "team", "blue") == 403


async def test_a_member_without_permission_hears_litellms_error(it: World) -> None:
    for profile, wanted in (("1.109", 403), ("1.80", 401)):
        async with world(profile=profile) as made:
            with pytest.raises(RequestError) as caught:
                await made.access.require(await made.caller("uma"), "key:create", scope="member", id="blue/uma")
            assert (caught.value.status, caught.value.type) == (wanted, "team_member_permission_error")


@pytest.mark.parametrize(
    ("who", "resource", "fields", "scope", "id", "param"),
    [
        ("uma", "user", ["user_alias"], "user", "uma", "ok"),
        ("uma", "user", ["user_alias", "user_role"], "user", "uma", "user_role"),
        ("uma", "user", ["max_budget"], "user", "uma", "max_budget"),
        ("uma", "user", ["models"], "user", "uma", "models"),
        ("uma", "user", ["user_email"], "user", "uma", "user_email"),
        ("uma", "user", ["organizations"], "user", "uma", "organizations"),
        ("uma", "key", ["max_budget", "metadata"], "user", "uma", "ok"),
        ("uma", "key", ["permissions"], "user", "uma", "permissions"),
        ("uma", "key", ["spend"], "key", K("uma"), "spend"),
        ("tess", "team", ["team_alias", "metadata"], "team", "blue", "ok"),
        ("tess", "team", ["max_budget"], "team", "blue", "max_budget"),
        ("tess", "team", ["models"], "team", "blue", "models"),
        ("tess", "team", ["guardrails"], "team", "blue", "guardrails"),
        ("tess", "team", ["organization_id"], "team", "blue", "organization_id"),
        ("tess", "team", ["blocked"], "team", "blue", "blocked"),
        ("tess", "member", ["role", "max_budget_in_team"], "team", "blue", "ok"),
        ("olga", "team", ["max_budget", "models", "blocked"], "team", "blue", "ok"),
        ("olga", "organization", ["organization_alias"], "organization", "acme", "ok"),
        ("olga", "organization", ["max_budget"], "organization", "acme", "max_budget"),
        ("olga", "user", ["max_budget", "user_role"], "user", "uma", "ok"),
        ("ann", "organization", ["max_budget", "spend"], "organization", "rival", "ok"),
    ],
)
async def test_privileged_fields_need_their_own_right(
    it: World, who: str, resource: str, fields: list[str], scope: str, id: str, param: str
) -> None:
    caller = await it.caller(who)
    if param == "ok":
        await it.access.check_fields(caller, resource, fields, scope, id)
        return
    with pytest.raises(RequestError) as caught:
        await it.access.check_fields(caller, resource, fields, scope, id)
    assert (caught.value.status, caught.value.param) == (403, param)


async def test_a_thing_is_put_only_where_it_could_be_made(it: World) -> None:
    with pytest.raises(RequestError) as caught:
        await it.access.check_fields(await it.caller("olga"), "team", {"organization_id": "rival"}, "team", "blue")
    assert caught.value.status == 404
    with pytest.raises(RequestError) as caught:
        await it.access.check_fields(await it.caller("uma"), "key", {"team_id": "blue"}, "key", hashed("uma"))
    assert caught.value.status in (401, 403)
    await it.access.check_fields(await it.caller("tess"), "key", {"team_id": "blue"}, "key", hashed("tess"))


async def test_billing_sets_limits_and_nothing_else(it: World) -> None:
    await it.bind("user:vic", "billing", "organization", "acme")
    caller = await it.caller("vic")
    await it.access.check_fields(caller, "team", ["max_budget"], "team", "blue")
    for fields in (["team_alias"], ["max_budget", "team_alias"], ["blocked"]):
        with pytest.raises(RequestError):
            await it.access.check_fields(caller, "team", fields, "team", "blue")
    ctx = it.context("vic", "team:update", "/team/update")
    assert await it.access.authorize_action(ctx, "team:update") is True


@pytest.mark.parametrize(
    ("who", "action", "reach"),
    [
        ("master", "key:list", Reach(everywhere=True)),
        ("ann", "key:list", Reach(everywhere=True)),
        ("olga", "team:list", Reach(organizations=frozenset({"acme"}))),
        ("uma", "team:list", Reach(teams=frozenset({"blue"}))),
        ("uma", "key:list", Reach(users=frozenset({"uma"}), members=frozenset({"blue/uma"}))),
        ("uma-blue", "key:list", Reach(members=frozenset({"blue/uma"}))),
        ("bare", "key:list", Reach()),
        ("ina", "team:list", Reach(users=frozenset({"ina"}))),
    ],
)
async def test_lists_are_narrowed_to_where_somebody_reaches(it: World, who: str, action: str, reach: Reach) -> None:
    found = await it.access.reach(await it.caller(who), action)
    assert found.everywhere == reach.everywhere
    assert found.organizations == reach.organizations
    assert found.teams == reach.teams
    assert found.keys == reach.keys
    assert found.members == reach.members
    if action == "key:list":
        assert found.users == reach.users


async def test_a_joined_organization_does_not_own_the_user(it: World) -> None:
    await it.add(Member(scope="organization", scope_id="acme", user_id="ina", role="internal_user"))
    assert await status(it, "olga", "user:read", "user", "ina") == 200
    assert await status(it, "olga", "user:update", "user", "ina") == 403
    assert await status(it, "olga", "key:create", "user", "ina") == 403


async def test_operators_may_forbid_personal_keys_and_keys_by_organization_admins() -> None:
    async with world(default_team_disabled=True, disable_key_generate_for_org_admin=True) as made:
        assert await status(made, "uma", "key:create", "user", "uma") == 403
        assert await status(made, "tess", "key:create", "team", "blue") == 200
        assert await status(made, "olga", "key:create", "team", "blue") == 403
        assert await status(made, "master", "key:create", "user", "uma") == 200


async def test_a_key_that_a_custom_binding_lifts_is_lifted_there_alone(it: World) -> None:
    await it.add(key("auditor-bot", team_id="blue", service_account=True))
    await it.bind(f"key:{hashed('auditor-bot')}", "auditor", "organization", "acme")
    assert await status(it, "auditor-bot", "key:read", "key", hashed("uma")) == 200
    assert await status(it, "auditor-bot", "key:read", "key", hashed("rita")) == 404
    assert await status(it, "auditor-bot", "key:update", "key", hashed("uma")) == 403
