"""Organizations over HTTP: their budget, members and teams."""

from __future__ import annotations

from .world import Client, World


async def test_an_organization_answers_with_its_budget(master: Client) -> None:
    made = await master.post(
        "/organization/new",
        organization_alias="Acme",
        max_budget=100,
        budget_duration="30d",
        models=["fast"],
        rpm_limit=60,
        metadata={"plan": "gold"},
    )
    assert made["organization_alias"] == "Acme"
    assert (made["models"], made["metadata"]["plan"], made["spend"]) == (["fast"], "gold", 0.0)
    info = await master.get("/organization/info", organization_id=made["organization_id"])
    budget = info["litellm_budget_table"]
    assert (budget["max_budget"], budget["budget_duration"], budget["rpm_limit"]) == (100.0, "30d", 60)
    assert budget["budget_reset_at"]
    assert budget["budget_id"] == info["budget_id"]
    assert (info["members"], info["teams"]) == ([], [])


async def test_an_alias_is_required_and_an_id_unique(master: Client) -> None:
    answer = await master.refused("/organization/new")
    assert (answer.status, answer.error["param"]) == (400, "organization_alias")
    await master.post("/organization/new", organization_id="acme", organization_alias="Acme")
    answer = await master.refused("/organization/new", organization_id="acme", organization_alias="Acme")
    assert (answer.status, answer.error["param"]) == (400, "organization_id")


async def test_a_shared_budget_bounds_those_that_name_it(master: Client) -> None:
    await master.post("/budget/new", budget_id="small", max_budget=1)
    for organization in ("one", "two"):
        await master.post(
            "/organization/new", organization_id=organization, organization_alias=organization, budget_id="small"
        )
    await master.post("/budget/update", budget_id="small", max_budget=2)
    await master.patch("/organization/update", organization_id="two", max_budget=5)
    found = {row["organization_id"]: row for row in await master.get("/organization/list")}
    assert found["one"]["litellm_budget_table"]["max_budget"] == 2.0
    assert found["two"]["litellm_budget_table"]["max_budget"] == 5.0
    (small,) = await master.post("/budget/info", budgets=["small"])
    assert small["max_budget"] == 2.0
    answer = await master.refused("/organization/new", organization_alias="x", budget_id="ghost")
    assert (answer.status, answer.error["param"]) == (404, "budget_id")


async def test_it_is_changed_and_deleted_with_its_teams_and_their_keys(world: World) -> None:
    changed = await world.master.patch("/organization/update", organization_id="acme", organization_alias="ACME Inc")
    assert changed["organization_alias"] == "ACME Inc"
    key = await world.master.post("/key/generate", team_id="blue")
    deleted = await world.master.delete("/organization/delete", organization_ids=["acme"])
    assert [row["organization_id"] for row in deleted] == ["acme"]
    assert (await world.master.unread("/organization/info", organization_id="acme")).status == 404
    assert (await world.master.unread("/team/info", team_id="blue")).status == 404
    assert (await world.master.unread("/key/info", key=key["key"])).status == 404
    assert (await world.master.get("/team/info", team_id="red"))["team_id"] == "red"
    assert (await world.master.get("/v2/user/info", user_id="olga"))["user_id"] == "olga"


async def test_members_are_added_changed_and_removed(world: World) -> None:
    added = await world.master.post(
        "/organization/member_add",
        organization_id="acme",
        member=[{"user_id": "ina", "role": "internal_user"}, {"user_email": "rita@example.com", "role": "org_admin"}],
        max_budget_in_organization=9,
    )
    assert {user["user_id"] for user in added["updated_users"]} == {"ina", "rita"}
    assert {row["user_role"] for row in added["updated_organization_memberships"]} == {"internal_user", "org_admin"}
    changed = await world.master.patch(
        "/organization/member_update", organization_id="acme", user_id="ina", role="org_admin"
    )
    assert (changed["user_id"], changed["user_role"]) == ("ina", "org_admin")
    removed = await world.master.delete("/organization/member_delete", organization_id="acme", user_id="ina")
    assert removed["user_id"] == "ina"
    info = await world.master.get("/organization/info", organization_id="acme")
    assert {member["user_id"] for member in info["members"]} == {"olga", "tess", "uma", "rita"}
    answer = await world.master.refused(
        "/organization/member_delete", method="DELETE", organization_id="acme", user_id="ina"
    )
    assert answer.status == 404


async def test_a_role_of_elsewhere_is_refused(world: World) -> None:
    answer = await world.master.refused(
        "/organization/member_add", organization_id="acme", member={"user_id": "ina", "role": "proxy_admin"}
    )
    assert (answer.status, answer.error["param"]) == (400, "role")


async def test_the_list_is_filtered(world: World) -> None:
    by_alias = await world.master.get("/organization/list", org_alias="IVA")
    assert [row["organization_id"] for row in by_alias] == ["rival"]
    by_id = await world.master.get("/organization/list", org_id="acme")
    assert [row["organization_id"] for row in by_id] == ["acme"]
    assert {member["user_id"] for member in by_id[0]["members"]} == {"olga", "tess", "uma"}
    assert [team["team_id"] for team in by_id[0]["teams"]] == ["blue"]
