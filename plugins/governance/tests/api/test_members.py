"""Members of teams: added by id or e-mail, bounded within the team, changed and removed with their keys."""

from __future__ import annotations

from .world import Client, World


async def test_a_new_member_becomes_a_user_and_shows_in_the_team(master: Client) -> None:
    await master.post("/team/new", team_id="core")
    added = await master.post(
        "/team/member_add", team_id="core", member={"user_id": "una", "role": "user"}, max_budget_in_team=4
    )
    assert added["team_id"] == "core"
    assert [(member["user_id"], member["role"]) for member in added["members_with_roles"]] == [("una", "user")]
    assert [user["user_id"] for user in added["updated_users"]] == ["una"]
    (membership,) = added["updated_team_memberships"]
    assert (membership["user_id"], membership["team_id"]) == ("una", "core")
    assert membership["litellm_budget_table"]["max_budget"] == 4.0
    assert (await master.get("/v2/user/info", user_id="una"))["teams"] == ["core"]


async def test_a_member_is_found_by_its_email(world: World) -> None:
    added = await world.master.post(
        "/team/member_add", team_id="red", member={"user_email": "INA@example.com", "role": "user"}
    )
    assert "ina" in {member["user_id"] for member in added["members_with_roles"]}


async def test_a_team_may_be_made_with_its_members(world: World) -> None:
    made = await world.master.post(
        "/team/new",
        team_id="green",
        members_with_roles=[{"user_id": "ina", "role": "admin"}, {"user_email": "uma@example.com", "role": "user"}],
    )
    roles = {member["user_id"]: member["role"] for member in made["members_with_roles"]}
    assert roles == {"ina": "admin", "uma": "user"}


async def test_a_second_addition_is_refused_with_its_own_type(world: World) -> None:
    answer = await world.master.refused("/team/member_add", team_id="blue", member={"user_id": "uma", "role": "user"})
    assert answer.status == 400
    assert (answer.error["type"], answer.error["param"]) == ("team_member_already_in_team", "member")
    several = await world.master.post(
        "/team/member_add",
        team_id="blue",
        member=[{"user_id": "uma", "role": "user"}, {"user_id": "ina", "role": "user"}],
    )
    assert [user["user_id"] for user in several["updated_users"]] == ["ina"]


async def test_a_member_needs_a_name_and_a_role(world: World) -> None:
    for member, param in (
        ({"role": "user"}, "member"),
        ({"user_id": "ina"}, "role"),
        ({"user_id": "ina", "role": "owner"}, "role"),
        ("ina", "member"),
        ([], "member"),
    ):
        answer = await world.master.refused("/team/member_add", team_id="blue", member=member)
        assert (answer.status, answer.error["param"]) == (400, param), member


async def test_an_update_changes_only_what_it_names(world: World) -> None:
    await world.master.post(
        "/team/member_update", team_id="blue", user_id="uma", max_budget_in_team=5, budget_duration="7d", rpm_limit=10
    )
    changed = await world.master.post("/team/member_update", team_id="blue", user_id="uma", rpm_limit=20)
    assert (changed["team_id"], changed["user_id"], changed["rpm_limit"]) == ("blue", "uma", 20)
    info = await world.master.get("/team/info", team_id="blue")
    (membership,) = [row for row in info["team_memberships"] if row["user_id"] == "uma"]
    budget = membership["litellm_budget_table"]
    assert (budget["max_budget"], budget["budget_duration"], budget["rpm_limit"]) == (5.0, "7d", 20)
    await world.master.post("/team/member_update", team_id="blue", user_id="uma", max_budget_in_team=None)
    info = await world.master.get("/team/info", team_id="blue")
    (membership,) = [row for row in info["team_memberships"] if row["user_id"] == "uma"]
    assert membership["litellm_budget_table"]["max_budget"] is None
    assert membership["litellm_budget_table"]["rpm_limit"] == 20


async def test_a_member_becomes_admin_of_its_team(world: World) -> None:
    await world.master.post("/team/member_update", team_id="blue", user_email="uma@example.com", role="admin")
    info = await world.master.get("/team/info", team_id="blue")
    roles = {member["user_id"]: member["role"] for member in info["team_info"]["members_with_roles"]}
    assert roles == {"tess": "admin", "uma": "admin"}
    renamed = await world.uma.post("/team/update", team_id="blue", team_alias="Azure")
    assert renamed["data"]["team_alias"] == "Azure"


async def test_models_of_one_member_are_kept(world: World) -> None:
    await world.master.post("/team/member_update", team_id="blue", user_id="uma", allowed_models=["fast"])
    info = await world.master.get("/team/info", team_id="blue")
    (membership,) = [row for row in info["team_memberships"] if row["user_id"] == "uma"]
    assert membership["litellm_budget_table"]["allowed_models"] == ["fast"]


async def test_a_removed_member_loses_its_keys_of_that_team_only(world: World) -> None:
    of_team = await world.master.post("/key/generate", team_id="blue", user_id="uma")
    personal = await world.master.post("/key/generate", user_id="uma")
    removed = await world.master.post("/team/member_delete", team_id="blue", user_email="uma@example.com")
    assert {member["user_id"] for member in removed["members_with_roles"]} == {"tess"}
    assert (await world.master.unread("/key/info", key=of_team["key"])).status == 404
    assert (await world.master.get("/key/info", key=personal["key"]))["info"]["user_id"] == "uma"
    answer = await world.master.refused("/team/member_delete", team_id="blue", user_id="uma")
    assert (answer.status, "not found in team" in answer.error["message"]) == (400, True)


async def test_many_members_are_added_each_by_itself(world: World) -> None:
    added = await world.master.post(
        "/team/bulk_member_add",
        team_id="blue",
        members=[
            {"user_id": "uma", "role": "user"},
            {"user_id": "ina", "role": "user"},
            {"user_id": "new", "role": "x"},
        ],
        max_budget_in_team=1.5,
    )
    assert (added["total_requested"], added["successful_additions"], added["failed_additions"]) == (3, 1, 2)
    assert [result["success"] for result in added["results"]] == [False, True, False]
    assert "ina" in {member["user_id"] for member in added["updated_team"]["members_with_roles"]}


async def test_all_users_join_a_team_at_once(world: World) -> None:
    await world.master.post("/team/new", team_id="everybody")
    added = await world.master.post("/team/bulk_member_add", team_id="everybody", all_users=True)
    assert added["successful_additions"] == 6
    answer = await world.tess.refused("/team/bulk_member_add", team_id="blue", all_users=True)
    assert answer.status == 403


async def test_a_member_reads_its_own_membership(world: World) -> None:
    mine = await world.uma.get("/team/blue/members/me")
    assert (mine["user_id"], mine["team_id"], mine["role"]) == ("uma", "blue", "user")
    assert (await world.rita.unread("/team/blue/members/me")).status == 404
