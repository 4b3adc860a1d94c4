"""Users over HTTP: made with a key of their own, changed one by one or together, listed and deleted."""

from __future__ import annotations

import pytest

from .world import Client, World


async def test_a_new_user_gets_a_key_that_works(master: Client) -> None:
    made = await master.post(
        "/user/new",
        user_id="una",
        user_email="una@example.com",
        user_alias="Una",
        user_role="internal_user",
        max_budget=3,
        budget_duration="30d",
        models=["fast"],
        key_alias="una's first",
    )
    assert made["key"].startswith("sk-")
    assert (made["user_id"], made["user_email"], made["user_role"]) == ("una", "una@example.com", "internal_user")
    assert (made["max_budget"], made["budget_duration"], made["models"]) == (3.0, "30d", ["fast"])
    info = await Client(master.gateway, made["key"]).get("/key/info")
    assert (info["info"]["user_id"], info["info"]["key_alias"]) == ("una", "una's first")


async def test_a_user_without_a_key_when_so_asked(master: Client) -> None:
    made = await master.post("/user/new", user_id="una", auto_create_key=False)
    assert not made.get("key")
    assert (await master.get("/user/info", user_id="una"))["keys"] == []


async def test_taken_ids_and_emails_are_refused(world: World) -> None:
    answer = await world.master.refused("/user/new", user_id="uma")
    assert (answer.status, answer.error["param"]) == (400, "user_id")
    answer = await world.master.refused("/user/new", user_email="UMA@example.com")
    assert (answer.status, answer.error["param"]) == (400, "user_email")


@pytest.mark.parametrize("id", ["", "   ", "a\x00b", "a\nb", "x" * 513])
async def test_an_id_that_no_log_could_hold_is_refused(master: Client, id: str) -> None:
    answer = await master.refused("/user/new", user_id=id)
    assert (answer.status, answer.error["param"]) == (400, "user_id")


async def test_an_unknown_role_is_refused(master: Client) -> None:
    for path in ("/user/new", "/user/update"):
        answer = await master.refused(path, user_id="una", user_role="emperor")
        assert (answer.status, answer.error["param"]) == (400, "user_role")


async def test_a_user_joins_teams_and_organizations_at_once(world: World) -> None:
    made = await world.master.post(
        "/user/new",
        user_id="una",
        teams=["blue", {"team_id": "red", "user_role": "admin", "max_budget_in_team": 2}],
        organizations=["acme"],
    )
    assert made["teams"] == ["blue", "red"]
    red = await world.master.get("/team/info", team_id="red")
    assert {member["user_id"]: member["role"] for member in red["team_info"]["members_with_roles"]} == {
        "una": "admin",
        "rita": "user",
    }
    acme = await world.master.get("/organization/info", organization_id="acme")
    assert "una" in {member["user_id"] for member in acme["members"]}
    answer = await world.master.refused("/user/new", user_id="ugo", teams=["ghost"])
    assert (answer.status, answer.error["param"]) == (404, "teams")
    assert (await world.master.unread("/user/info", user_id="ugo")).status == 404


async def test_a_user_is_changed_by_id_or_by_email(world: World) -> None:
    by_id = await world.master.post("/user/update", user_id="uma", max_budget=7)
    assert (by_id["user_id"], by_id["data"]["max_budget"]) == ("uma", 7.0)
    by_email = await world.master.post("/user/update", user_email="uma@example.com", user_alias="Uma")
    assert (by_email["data"]["user_alias"], by_email["data"]["max_budget"]) == ("Uma", 7.0)
    assert (await world.master.refused("/user/update", user_id="ghost", max_budget=1)).status == 404
    answer = await world.master.refused("/user/update", max_budget=1)
    assert (answer.status, answer.error["param"]) == (400, "user_id")


async def test_several_users_change_each_by_itself(world: World) -> None:
    changed = await world.master.post(
        "/user/bulk_update",
        users=[{"user_id": "uma", "max_budget": 5}, {"user_id": "ghost", "max_budget": 5}, {"user_id": "ina", "x": 1}],
    )
    assert (changed["total_requested"], changed["successful_updates"], changed["failed_updates"]) == (3, 1, 2)
    assert changed["results"][0]["updated_user"]["max_budget"] == 5.0
    assert "ghost" in changed["results"][1]["error"]
    everybody = await world.master.post("/user/bulk_update", all_users=True, user_updates={"rpm_limit": 9})
    assert everybody["successful_updates"] == 6
    assert (await world.master.get("/v2/user/info", user_id="rita"))["rpm_limit"] == 9


async def test_info_shows_keys_and_teams(world: World) -> None:
    await world.master.post("/key/generate", user_id="uma", team_id="blue", key_alias="of the team")
    info = await world.master.get("/user/info", user_id="uma")
    assert info["user_id"] == "uma"
    assert info["user_info"]["user_email"] == "uma@example.com"
    assert "of the team" in {key["key_alias"] for key in info["keys"]}
    assert [team["team_id"] for team in info["teams"]] == ["blue"]
    light = await world.master.get("/v2/user/info", user_id="uma")
    assert (light["teams"], "keys" in light) == (["blue"], False)


async def test_without_an_id_the_caller_reads_itself(world: World) -> None:
    assert (await world.uma.get("/user/info"))["user_id"] == "uma"
    assert (await world.uma.get("/v2/user/info"))["user_id"] == "uma"
    nobody = await world.master.get("/user/info")
    assert (nobody["user_id"], {team["team_id"] for team in nobody["teams"]}) == (None, {"blue", "red"})


async def test_an_email_with_a_plus_may_be_an_id(master: Client) -> None:
    await master.post("/user/new", user_id="una+work@example.com", auto_create_key=False)
    info = await master.get("/user/info", user_id="una+work@example.com")
    assert info["user_id"] == "una+work@example.com"


async def test_the_list_has_pages_filters_and_counts_of_keys(world: World) -> None:
    page = await world.master.get("/user/list", page="1", page_size="4", sort_by="user_id")
    assert (page["total"], page["page"], page["page_size"], page["total_pages"]) == (6, 1, 4, 2)
    assert [user["user_id"] for user in page["users"]] == ["ina", "olga", "rita", "rolf"]
    assert page["users"][0]["key_count"] == 1
    for query, ids in (
        ({"user_email": "UMA@"}, ["uma"]),
        ({"team": "blue"}, ["tess", "uma"]),
        ({"user_ids": "ina,uma"}, ["ina", "uma"]),
        ({"organization_ids": "rival"}, ["rita", "rolf"]),
        ({"search": "ol"}, ["olga", "rolf"]),
        ({"role": "proxy_admin"}, []),
    ):
        found = await world.master.get("/user/list", sort_by="user_id", **query)
        assert [user["user_id"] for user in found["users"]] == ids, query
    answer = await world.master.unread("/user/list", sort_by="password")
    assert (answer.status, answer.error["param"]) == (400, "sort_by")


async def test_a_deleted_user_loses_keys_and_memberships(world: World) -> None:
    deleted = await world.master.post("/user/delete", user_ids=["uma"])
    assert deleted == 1
    assert (await world.uma.unread("/key/info")).status == 401
    blue = await world.master.get("/team/info", team_id="blue")
    assert [member["user_id"] for member in blue["team_info"]["members_with_roles"]] == ["tess"]
    acme = await world.master.get("/organization/info", organization_id="acme")
    assert "uma" not in {member["user_id"] for member in acme["members"]}
    assert (await world.master.refused("/user/delete", user_ids=["uma"])).status == 404


async def test_the_available_roles_are_told(master: Client) -> None:
    roles = await master.get("/user/available_roles")
    assert set(roles) == {"proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"}
    assert all({"description", "ui_label"} == set(role) for role in roles.values())
