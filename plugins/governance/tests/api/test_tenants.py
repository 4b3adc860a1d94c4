"""Two tenants: the other one's things are not there (404), a right that is missing in one's own is refused (403)."""

from __future__ import annotations

from typing import Any

from .world import Client, World

OF_THE_RIVAL: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/team/info", {"team_id": "red"}),
    ("GET", "/team/permissions_list", {"team_id": "red"}),
    ("GET", "/team/red/callback", {}),
    ("GET", "/team/red/members/me", {}),
    ("POST", "/team/update", {"team_id": "red", "team_alias": "mine"}),
    ("POST", "/team/delete", {"team_ids": ["red"]}),
    ("POST", "/team/block", {"team_id": "red"}),
    ("POST", "/team/unblock", {"team_id": "red"}),
    ("POST", "/team/member_add", {"team_id": "red", "member": {"user_id": "uma", "role": "user"}}),
    ("POST", "/team/member_update", {"team_id": "red", "user_id": "rita", "role": "admin"}),
    ("POST", "/team/member_delete", {"team_id": "red", "user_id": "rita"}),
    ("POST", "/team/bulk_member_add", {"team_id": "red", "members": [{"user_id": "uma", "role": "user"}]}),
    ("POST", "/team/model/add", {"team_id": "red", "models": ["fast"]}),
    ("POST", "/team/model/delete", {"team_id": "red", "models": ["fast"]}),
    ("POST", "/team/permissions_update", {"team_id": "red", "team_member_permissions": []}),
    ("POST", "/team/red/callback", {"callback_name": "langfuse", "callback_vars": {}}),
    ("POST", "/team/red/disable_logging", {}),
    ("GET", "/user/info", {"user_id": "rita"}),
    ("GET", "/v2/user/info", {"user_id": "rita"}),
    ("POST", "/user/update", {"user_id": "rita", "user_alias": "x"}),
    ("POST", "/user/update", {"user_email": "rita@example.com", "user_alias": "x"}),
    ("POST", "/user/delete", {"user_ids": ["rita"]}),
    ("GET", "/organization/info", {"organization_id": "rival"}),
    ("PATCH", "/organization/update", {"organization_id": "rival", "organization_alias": "x"}),
    ("DELETE", "/organization/delete", {"organization_ids": ["rival"]}),
    (
        "POST",
        "/organization/member_add",
        {"organization_id": "rival", "member": {"user_id": "uma", "role": "org_admin"}},
    ),
    ("PATCH", "/organization/member_update", {"organization_id": "rival", "user_id": "rita", "role": "org_admin"}),
    ("DELETE", "/organization/member_delete", {"organization_id": "rival", "user_id": "rita"}),
]


async def _ask(client: Client, method: str, path: str, fields: dict[str, Any]) -> int:
    if method == "GET":
        return (await client.ask(method, path, **fields)).status
    return (await client.ask(method, path, fields)).status


async def test_the_other_tenants_things_are_not_there(world: World) -> None:
    for name, client in (("olga", world.olga), ("tess", world.tess), ("uma", world.uma), ("ina", world.ina)):
        for method, path, fields in OF_THE_RIVAL:
            status = await _ask(client, method, path, fields)
            assert status in (403, 404), (name, method, path, status)
            if name == "olga" and path not in ("/organization/delete",):
                assert status == 404, (name, method, path, status)
    red = await world.master.get("/team/info", team_id="red")
    assert red["team_info"]["team_alias"] == "Red"
    assert [member["user_id"] for member in red["team_info"]["members_with_roles"]] == ["rita"]


async def test_a_member_reads_its_team_and_changes_nothing(world: World) -> None:
    assert (await world.uma.get("/team/info", team_id="blue"))["team_id"] == "blue"
    for path, fields in (
        ("/team/update", {"team_id": "blue", "team_alias": "mine"}),
        ("/team/delete", {"team_ids": ["blue"]}),
        ("/team/block", {"team_id": "blue"}),
        ("/team/member_add", {"team_id": "blue", "member": {"user_id": "ina", "role": "user"}}),
        ("/team/member_update", {"team_id": "blue", "user_id": "uma", "role": "admin"}),
        ("/team/member_delete", {"team_id": "blue", "user_id": "tess"}),
        ("/team/model/add", {"team_id": "blue", "models": ["smart"]}),
        ("/team/permissions_update", {"team_id": "blue", "team_member_permissions": ["/key/generate"]}),
        ("/user/update", {"user_id": "tess", "user_alias": "x"}),
        ("/organization/member_add", {"organization_id": "acme", "member": {"user_id": "ina", "role": "org_admin"}}),
    ):
        answer = await world.uma.refused(path, **fields)
        assert answer.status in (403, 404), (path, answer)
    assert (await world.uma.refused("/team/block", team_id="blue")).status == 403


async def test_a_team_admin_runs_its_team_but_not_its_budget(world: World) -> None:
    assert (await world.tess.post("/team/update", team_id="blue", team_alias="Azure"))["data"]["team_alias"] == "Azure"
    await world.tess.post("/team/member_add", team_id="blue", member={"user_id": "ned", "role": "user"})
    await world.tess.post("/team/member_delete", team_id="blue", user_id="ned")
    answer = await world.tess.refused("/team/update", team_id="blue", max_budget=1000)
    assert (answer.status, answer.error["param"]) == (403, "max_budget")
    answer = await world.tess.refused("/team/update", team_id="blue", organization_id="rival")
    assert answer.status in (403, 404)
    assert (await world.tess.refused("/team/new", team_id="mine")).status == 403


async def test_an_organizations_admin_makes_teams_and_users_in_it_alone(world: World) -> None:
    made = await world.olga.post("/team/new", team_id="cyan", organization_id="acme", max_budget=5)
    assert (made["organization_id"], made["max_budget"]) == ("acme", 5.0)
    assert (await world.olga.refused("/team/new", organization_id="rival")).status == 404
    assert (await world.olga.refused("/team/new", team_id="free")).status == 403
    assert (await world.olga.refused("/organization/new", organization_alias="Third")).status == 403
    assert (await world.olga.refused("/budget/new", max_budget=1)).status == 403
    await world.olga.post(
        "/organization/member_add", organization_id="acme", member={"user_id": "nia", "role": "internal_user"}
    )
    teams = await world.olga.get("/team/list")
    assert {team["team_id"] for team in teams} == {"blue", "cyan"}
    organizations = await world.olga.get("/organization/list")
    assert [row["organization_id"] for row in organizations] == ["acme"]
    users = await world.olga.get("/user/list")
    assert {user["user_id"] for user in users["users"]} == {"olga", "tess", "uma", "nia"}


async def test_an_address_does_not_tell_whose_it_is(world: World) -> None:
    for path, fields in (
        ("/user/update", {"user_email": "rita@example.com", "user_alias": "x"}),
        ("/team/member_add", {"team_id": "blue", "member": {"user_email": "rita@example.com", "role": "user"}}),
        ("/team/member_update", {"team_id": "blue", "user_email": "rita@example.com", "role": "admin"}),
        ("/team/member_delete", {"team_id": "blue", "user_email": "rita@example.com"}),
    ):
        answer = await world.olga.refused(path, **fields)
        assert "'rita'" not in answer.error["message"], (path, answer)


async def test_budgets_of_no_tenant_are_named_by_admins_of_all(world: World) -> None:
    await world.master.post("/budget/new", budget_id="big", max_budget=1000)
    for budget in ("big", "ghost"):
        answer = await world.olga.refused("/team/update", team_id="blue", budget_id=budget)
        assert answer.status == 403, budget


async def test_nobody_lifts_itself(world: World) -> None:
    for client, user in ((world.uma, "uma"), (world.tess, "tess"), (world.olga, "olga"), (world.ina, "ina")):
        for fields in (
            {"user_role": "proxy_admin"},
            {"user_role": "proxy_admin_viewer"},
            {"max_budget": 1e6},
            {"models": ["smart"]},
            {"spend": 0},
        ):
            if user == "olga" and "user_role" not in fields:
                continue
            answer = await client.refused("/user/update", user_id=user, **fields)
            assert answer.status == 403, (user, fields, answer)
    assert (await world.olga.refused("/user/new", user_role="proxy_admin", organizations=["acme"])).status == 403
    answer = await world.olga.refused(
        "/organization/member_add", organization_id="acme", member={"user_id": "rita", "role": "internal_user"}
    )
    assert answer.status in (403, 404)


async def test_lists_of_a_member_hold_its_own_things(world: World) -> None:
    assert [team["team_id"] for team in await world.uma.get("/team/list")] == ["blue"]
    page = await world.uma.get("/v2/team/list")
    assert [team["team_id"] for team in page["teams"]] == ["blue"]
    assert await world.ina.get("/team/list") == []
    for path in ("/customer/list", "/budget/list"):
        assert (await world.uma.unread(path)).status == 403


async def test_a_viewer_of_everything_changes_nothing(world: World) -> None:
    viewer = await world.master.as_user("vera", user_role="proxy_admin_viewer")
    assert {team["team_id"] for team in await viewer.get("/team/list")} == {"blue", "red"}
    assert (await viewer.get("/user/list"))["total"] == 7
    assert (await viewer.refused("/team/update", team_id="blue", team_alias="x")).status == 403
    assert (await viewer.refused("/user/new", user_id="x")).status == 403


async def test_a_demotion_acts_on_the_next_request(world: World) -> None:
    await world.tess.post("/team/update", team_id="blue", team_alias="Azure")
    await world.master.post("/team/member_update", team_id="blue", user_id="tess", role="user")
    assert (await world.tess.refused("/team/update", team_id="blue", team_alias="Again")).status == 403
