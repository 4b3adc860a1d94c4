"""Nobody grants what they do not have: roles, other people's credentials, and more than the calling key's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from routeiq_governance.access.granting import looser_field
from routeiq_governance.identity.limits import BudgetWindow, Limits
from routeiq_governance.store.entities import Member, Team, User
from routeiq_sdk import RequestError

from .world import World, hashed, key, world


@pytest_asyncio.fixture
async def it() -> AsyncIterator[World]:
    async with world() as made:
        yield made


async def refused(made: World, who: str, **grant: Any) -> int:
    """The status of a refused grant; 0 when it passes."""
    try:
        await made.access.check_grant(await made.caller(who), **grant)
    except RequestError as error:
        return error.status
    return 0


ROLES: list[tuple[str, str, str, str | None, int]] = [
    ("master", "owner", "global", None, 0),
    ("ann", "proxy_admin", "global", None, 0),
    ("olga", "proxy_admin", "organization", "acme", 403),
    ("olga", "proxy_admin_viewer", "organization", "acme", 403),
    ("olga", "owner", "organization", "acme", 403),
    ("olga", "auditor", "organization", "acme", 403),
    ("olga", "org_admin", "organization", "acme", 0),
    ("olga", "internal_user", "organization", "acme", 0),
    ("olga", "internal_user_viewer", "organization", "acme", 0),
    ("olga", "org_admin", "organization", "rival", 403),
    ("olga", "team_admin", "team", "blue", 0),
    ("olga", "admin", "team", "blue", 0),
    ("olga", "admin", "team", "red", 403),
    ("tess", "admin", "team", "blue", 0),
    ("tess", "user", "team", "blue", 0),
    ("tess", "team_admin", "team", "red", 403),
    ("tess", "org_admin", "organization", "acme", 403),
    ("tess", "billing", "team", "blue", 403),
    ("uma", "admin", "team", "blue", 403),
    ("uma", "developer", "user", "uma", 0),
    ("uma", "developer", "user", "tess", 403),
    ("olga", "nonsense", "organization", "acme", 400),
    ("olga", "org_admin", "organization", "nowhere", 404),
]


async def test_a_role_is_granted_by_who_may_do_all_of_it_there(it: World) -> None:
    found = [
        (who, role, scope, id, await refused(it, who, role=role, scope=scope, id=id))
        for who, role, scope, id, _ in ROLES
    ]
    assert found == ROLES


CREDENTIALS: list[tuple[str, str, str | None, int]] = [
    ("master", "ann", None, 0),
    ("uma", "uma", None, 0),
    ("uma", "tess", None, 403),
    ("uma", "ann", None, 404),
    ("olga", "uma", None, 0),
    ("olga", "tess", None, 0),
    ("olga", "ann", None, 404),
    ("olga", "rita", None, 404),
    ("olga", "nobody", None, 404),
    ("olga", "ann", "blue", 404),
    ("tess", "uma", "blue", 0),
    ("tess", "tess", "blue", 0),
    ("tess", "uma", None, 403),
    ("tess", "ann", "blue", 404),
    ("tess", "olga", "blue", 403),
    ("uma-blue", "uma", None, 403),
    ("uma-blue", "uma", "blue", 0),
]


async def test_a_credential_is_handed_out_by_who_may_do_all_it_could(it: World) -> None:
    found = [(who, user, team, await refused(it, who, user=user, team=team)) for who, user, team, _ in CREDENTIALS]
    assert found == CREDENTIALS


async def test_an_admin_of_two_teams_is_impersonated_by_neither(it: World) -> None:
    await it.add(Team(id="navy", organization_id="acme"))
    await it.add(Member(scope="team", scope_id="navy", user_id="uma", role="admin"))
    assert await refused(it, "tess", user="uma", team="blue") == 0  # a key of blue does nothing in navy
    assert await refused(it, "tess", user="uma") == 403


async def test_a_key_is_rotated_by_who_may_hold_it(it: World) -> None:
    for who, id, wanted in (
        ("tess", "uma-blue", 200),
        ("tess", "ann-blue", 403),
        ("olga", "ann-blue", 403),
        ("olga", "uma", 200),
        ("uma", "uma", 200),
    ):
        try:
            await it.access.require(await it.caller(who), "key:rotate", scope="key", id=hashed(id))
            status = 200
        except RequestError as error:
            status = error.status
        assert status == wanted, (who, id)


async def test_who_may_more_is_changed_by_nobody_who_may_less(it: World) -> None:
    await it.add(User(id="boss", role="proxy_admin", organization_id="acme"), key("boss", user_id="boss"))
    for action in ("user:update", "user:delete", "user:block"):
        with pytest.raises(RequestError) as caught:
            await it.access.require(await it.caller("olga"), action, scope="user", id="boss")
        assert caught.value.status == 403
    await it.access.require(await it.caller("olga"), "user:read", scope="user", id="boss")


@pytest.mark.parametrize(
    ("routes", "key_type", "wanted"),
    [
        (None, "llm_api", 0),
        (["llm_api_routes"], None, 0),
        (["openai_routes", "/v1/messages"], None, 0),
        (None, None, 403),
        ([], "default", 403),
        (None, "management", 403),
        (["llm_api_routes", "/key/generate"], None, 403),
        (["/*"], None, 403),
    ],
)
async def test_a_narrowed_key_makes_keys_as_narrow(
    it: World, routes: list[str] | None, key_type: str | None, wanted: int
) -> None:
    await it.add(key("narrow", user_id="uma", settings={"key_type": "llm_api"}))
    assert await refused(it, "narrow", allowed_routes=routes, key_type=key_type) == wanted
    assert await refused(it, "uma", allowed_routes=routes, key_type=key_type) == 0


@pytest.mark.parametrize(
    ("models", "wanted"), [(["a"], 0), (["a", "b/x"], 0), (["a", "c"], 403), ([], 403), (["*"], 403)]
)
async def test_a_key_of_some_models_makes_keys_of_no_more(it: World, models: list[str], wanted: int) -> None:
    await it.add(key("few", user_id="uma", models=("a", "b/*")))
    assert await refused(it, "few", models=models) == wanted
    assert await refused(it, "uma", models=models) == 0
    await it.add(key("few-of-ann", user_id="ann", models=("a",)))
    assert await refused(it, "few-of-ann", models=models) == 0


async def test_a_key_of_all_its_teams_models_makes_keys_of_these(it: World) -> None:
    await it.save(Team(id="blue", organization_id="acme", models=("a", "b")))
    await it.add(key("teams", user_id="uma", team_id="blue", models=("all-team-models",)))
    assert await refused(it, "teams", models=["all-team-models"]) == 0
    assert await refused(it, "teams", models=["a"]) == 0
    assert await refused(it, "teams", models=["c"]) == 403


OWN = Limits(
    budget=10,
    budget_duration="1d",
    requests_a_minute=5,
    model_requests_a_minute={"a": 2},
    model_budgets={"a": BudgetWindow("1d", 4)},
    budget_windows=(BudgetWindow("1h", 3),),
)


@pytest.mark.parametrize(
    ("changed", "looser"),
    [
        ({}, None),
        ({"budget": 9}, None),
        ({"budget": 11}, "budget"),
        ({"budget": None}, "budget"),
        ({"budget_duration": "1h"}, "budget_duration"),
        ({"budget_duration": None}, None),
        ({"requests_a_minute": 6}, "requests_a_minute"),
        ({"requests_a_minute": None}, "requests_a_minute"),
        ({"tokens_a_minute": 1}, None),
        ({"model_requests_a_minute": {}}, "model_requests_a_minute"),
        ({"model_requests_a_minute": {"a": 3}}, "model_requests_a_minute"),
        ({"model_requests_a_minute": {"a": 1, "b": 99}}, None),
        ({"model_budgets": {"a": BudgetWindow("1d", 5)}}, "model_budgets"),
        ({"model_budgets": {"a": BudgetWindow("1h", 4)}}, "model_budgets"),
        ({"budget_windows": ()}, "budget_windows"),
        ({"budget_windows": (BudgetWindow("1h", 4),)}, "budget_windows"),
    ],
)
def test_limits_may_be_tighter_and_not_looser(changed: dict[str, Any], looser: str | None) -> None:
    fields = {name: getattr(OWN, name) for name in OWN.__struct_fields__}
    assert looser_field(OWN, Limits(**{**fields, **changed})) == looser


async def test_a_bounded_key_makes_no_boundless_one(it: World) -> None:
    await it.add(key("bounded", user_id="uma", limits=OWN))
    assert await refused(it, "bounded", limits=Limits()) == 403
    assert await refused(it, "bounded", limits=OWN) == 0
    assert await refused(it, "uma", limits=Limits()) == 0
