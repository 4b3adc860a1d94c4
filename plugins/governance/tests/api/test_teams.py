"""Teams over HTTP: made, changed, listed, blocked and deleted, with the fields that LiteLLM's clients read."""

from __future__ import annotations

from datetime import datetime

from .world import Client, World


async def test_a_team_answers_with_what_it_was_given(master: Client) -> None:
    made = await master.post(
        "/team/new",
        team_id="core",
        team_alias="Core",
        max_budget=10.5,
        budget_duration="30d",
        models=["fast"],
        tpm_limit=1000,
        rpm_limit=60,
        metadata={"cost_center": "R7"},
        tags=["research"],
    )
    assert (made["team_id"], made["team_alias"], made["max_budget"], made["budget_duration"]) == (
        "core",
        "Core",
        10.5,
        "30d",
    )
    assert (made["models"], made["tpm_limit"], made["rpm_limit"]) == (["fast"], 1000, 60)
    assert made["metadata"]["cost_center"] == "R7"
    assert made["metadata"]["tags"] == ["research"]
    assert (made["spend"], made["blocked"], made["members_with_roles"]) == (0.0, False, [])
    assert datetime.fromisoformat(made["budget_reset_at"]).tzinfo is not None
    info = await master.get("/team/info", team_id="core")
    assert info["team_id"] == "core"
    for field in ("team_alias", "max_budget", "budget_duration", "budget_reset_at", "models", "tpm_limit", "metadata"):
        assert info["team_info"][field] == made[field], field
    assert (info["keys"], info["team_memberships"]) == ([], [])


async def test_an_id_is_made_when_none_is_given_and_a_taken_one_is_refused(master: Client) -> None:
    made = await master.post("/team/new", team_alias="Nameless")
    assert made["team_id"]
    answer = await master.refused("/team/new", team_id=made["team_id"])
    assert answer.status == 400
    assert "already exists" in answer.error["message"]
    assert answer.error["param"] == "team_id"


async def test_an_organization_that_is_not_there_is_refused(master: Client) -> None:
    answer = await master.refused("/team/new", organization_id="nowhere")
    assert (answer.status, answer.error["param"]) == (404, "organization_id")


async def test_an_unknown_field_is_refused_by_name(master: Client) -> None:
    answer = await master.refused("/team/new", max_bugdet=3)
    assert (answer.status, answer.error["param"]) == (400, "max_bugdet")


async def test_a_team_that_is_not_there_is_404_everywhere(master: Client) -> None:
    for path, body in (
        ("/team/update", {"team_id": "ghost", "team_alias": "x"}),
        ("/team/delete", {"team_ids": ["ghost"]}),
        ("/team/block", {"team_id": "ghost"}),
        ("/team/unblock", {"team_id": "ghost"}),
        ("/team/model/add", {"team_id": "ghost", "models": ["fast"]}),
        ("/team/permissions_update", {"team_id": "ghost", "team_member_permissions": []}),
    ):
        assert (await master.refused(path, **body)).status == 404, path
    for path in ("/team/info", "/team/permissions_list"):
        assert (await master.unread(path, team_id="ghost")).status == 404, path


async def test_an_update_answers_with_the_team_under_data(master: Client) -> None:
    await master.post("/team/new", team_id="core", team_alias="Core")
    updated = await master.post("/team/update", team_id="core", team_alias="Kernel", max_budget=2)
    assert updated["team_id"] == "core"
    assert (updated["data"]["team_alias"], updated["data"]["max_budget"]) == ("Kernel", 2.0)


async def test_blocking_and_unblocking_shows(master: Client) -> None:
    await master.post("/team/new", team_id="core")
    assert (await master.post("/team/block", team_id="core"))["blocked"] is True
    assert (await master.get("/team/info", team_id="core"))["team_info"]["blocked"] is True
    assert (await master.post("/team/unblock", team_id="core"))["blocked"] is False


async def test_a_deleted_team_takes_its_keys_and_memberships_along(world: World) -> None:
    made = await world.master.post("/key/generate", team_id="blue", user_id="uma")
    deleted = await world.master.post("/team/delete", team_ids=["blue"])
    assert deleted["deleted_teams"] == ["blue"]
    assert (await world.master.unread("/team/info", team_id="blue")).status == 404
    assert (await world.master.unread("/key/info", key=made["key"])).status == 404
    user = await world.master.get("/v2/user/info", user_id="uma")
    assert user["teams"] == []
    assert (await Client(world.master.gateway, made["key"]).unread("/v1/models")).status == 401


async def test_deleting_several_teams_deletes_all_or_none(master: Client) -> None:
    await master.post("/team/new", team_id="one")
    assert (await master.refused("/team/delete", team_ids=["one", "ghost"])).status == 404
    assert (await master.get("/team/info", team_id="one"))["team_id"] == "one"


async def test_models_are_added_once_and_taken_away(master: Client) -> None:
    await master.post("/team/new", team_id="core", models=["fast"])
    added = await master.post("/team/model/add", team_id="core", models=["smart", "fast"])
    assert added["models"] == ["fast", "smart"]
    left = await master.post("/team/model/delete", team_id="core", models=["fast"])
    assert left["models"] == ["smart"]


async def test_lists_show_members_and_keys(world: World) -> None:
    await world.master.post("/key/generate", team_id="blue")
    teams = {team["team_id"]: team for team in await world.master.get("/team/list")}
    assert set(teams) == {"blue", "red"}
    assert {member["user_id"] for member in teams["blue"]["members_with_roles"]} == {"tess", "uma"}
    assert {membership["user_id"] for membership in teams["blue"]["team_memberships"]} == {"tess", "uma"}
    assert len(teams["blue"]["keys"]) == 1
    of_user = await world.master.get("/team/list", user_id="rita")
    assert [team["team_id"] for team in of_user] == ["red"]
    of_organization = await world.master.get("/team/list", organization_id="acme")
    assert [team["team_id"] for team in of_organization] == ["blue"]


async def test_the_second_list_has_pages_filters_and_an_order(master: Client) -> None:
    for number in range(5):
        await master.post("/team/new", team_id=f"t{number}", team_alias=f"Team {4 - number}")
    await master.post("/team/new", team_id="other", team_alias="Other")
    page = await master.get("/v2/team/list", page="2", page_size="2", team_alias="team", sort_by="team_alias")
    assert (page["total"], page["page"], page["page_size"], page["total_pages"]) == (5, 2, 2, 3)
    assert [team["team_alias"] for team in page["teams"]] == ["Team 2", "Team 3"]
    down = await master.get("/v2/team/list", sort_by="team_alias", sort_order="desc", page_size="1")
    assert down["teams"][0]["team_alias"] == "Team 4"
    assert down["teams"][0]["members_count"] == 0
    exact = await master.get("/v2/team/list", team_id="t3")
    assert [team["team_id"] for team in exact["teams"]] == ["t3"]
    for query in ({"page": "0"}, {"page_size": "many"}, {"sort_by": "secret"}, {"sort_order": "up"}):
        answer = await master.unread("/v2/team/list", **query)
        assert (answer.status, answer.error["param"]) == (400, next(iter(query)))


async def test_permissions_of_members_are_listed_and_replaced(master: Client) -> None:
    await master.post("/team/new", team_id="core")
    listed = await master.get("/team/permissions_list", team_id="core")
    assert "/key/info" in listed["team_member_permissions"]
    assert "/key/generate" in listed["all_available_permissions"]
    await master.post("/team/permissions_update", team_id="core", team_member_permissions=["/key/generate"])
    after = await master.get("/team/permissions_list", team_id="core")
    assert set(after["team_member_permissions"]) == {"/key/generate", "/key/info", "/key/health"}
    answer = await master.refused("/team/permissions_update", team_id="core", team_member_permissions=["/team/delete"])
    assert (answer.status, answer.error["param"]) == (400, "team_member_permissions")


async def test_callbacks_are_kept_and_their_secrets_never_shown(master: Client) -> None:
    await master.post("/team/new", team_id="core")
    secret = "sk-lf-not-to-be-shown"
    added = await master.post(
        "/team/core/callback",
        callback_name="langfuse",
        callback_type="success",
        callback_vars={"langfuse_secret_key": secret, "langfuse_host": "https://langfuse.example"},
    )
    assert added["status"] == "success"
    assert secret not in str(added)
    kept = await master.get("/team/core/callback")
    assert (kept["data"]["success_callbacks"], kept["data"]["failure_callbacks"]) == (["langfuse"], [])
    assert kept["data"]["callback_vars"]["langfuse_host"] == "https://langfuse.example"
    assert secret not in str(kept)
    assert secret not in str(await master.get("/team/info", team_id="core"))
    again = await master.refused(
        "/team/core/callback", callback_name="langfuse", callback_type="success", callback_vars={}
    )
    assert again.status == 400
    removed = await master.delete("/team/core/callback/langfuse")
    assert removed["data"]["success_callbacks"] == []
    assert (await master.refused("/team/core/callback/langfuse", method="DELETE")).status == 404


async def test_logging_is_switched_off_for_a_team(master: Client) -> None:
    await master.post("/team/new", team_id="core")
    await master.post("/team/core/callback", callback_name="langfuse", callback_vars={})
    off = await master.post("/team/core/disable_logging")
    assert off["data"] == {"team_id": "core", "success_callbacks": [], "failure_callbacks": []}
    assert (await master.get("/team/core/callback"))["data"]["success_callbacks"] == []
