"""What new teams and users get where the request does not say, from `litellm_settings`."""

from __future__ import annotations

import pytest

from routeiq_sdk import ConfigError

from .conftest import Open


async def test_a_team_takes_what_it_was_not_given(open_gateway: Open) -> None:
    defaults = {"max_budget": 50, "budget_duration": "30d", "rpm_limit": 10, "team_member_permissions": ["/key/update"]}
    master = await open_gateway(litellm_settings={"default_team_params": defaults})
    made = await master.post("/team/new", team_id="core", rpm_limit=20)
    assert (made["max_budget"], made["budget_duration"], made["rpm_limit"]) == (50.0, "30d", 20)
    permissions = await master.get("/team/permissions_list", team_id="core")
    assert "/key/update" in permissions["team_member_permissions"]


async def test_a_user_takes_what_it_was_not_given(open_gateway: Open) -> None:
    master = await open_gateway()
    await master.post("/team/new", team_id="lobby")
    defaults = {"user_role": "internal_user_viewer", "max_budget": 5, "models": ["fast"], "teams": ["lobby", "ghost"]}
    master = await open_gateway(litellm_settings={"default_internal_user_params": defaults})
    await master.post("/team/new", team_id="lobby")
    made = await master.post("/user/new", user_id="una")
    assert (made["user_role"], made["max_budget"], made["models"]) == ("internal_user_viewer", 5.0, ["fast"])
    assert made["teams"] == ["lobby"]
    admin = await master.post("/user/new", user_id="boss", user_role="proxy_admin")
    assert admin["max_budget"] is None


async def test_an_internal_user_has_the_budget_of_internal_users(open_gateway: Open) -> None:
    master = await open_gateway(litellm_settings={"max_internal_user_budget": 3, "internal_user_budget_duration": "7d"})
    made = await master.post("/user/new", user_role="internal_user")
    assert (made["max_budget"], made["budget_duration"]) == (3.0, "7d")
    other = await master.post("/user/new", user_role="internal_user_viewer")
    assert other["max_budget"] is None
    own = await master.post("/user/new", user_role="internal_user", max_budget=1)
    assert own["max_budget"] == 1.0


async def test_an_available_team_may_be_joined_by_oneself_alone(open_gateway: Open) -> None:
    master = await open_gateway(litellm_settings={"default_internal_user_params": {"available_teams": ["lobby"]}})
    await master.post("/team/new", team_id="lobby", team_alias="Lobby")
    await master.post("/team/new", team_id="vault")
    una, ugo = [await master.as_user(user) for user in ("una", "ugo")]
    assert [team["team_id"] for team in await una.get("/team/available")] == ["lobby"]
    for member, team, status in (
        ({"user_id": "una", "role": "admin"}, "lobby", 403),
        ({"user_id": "ugo", "role": "user"}, "lobby", 403),
        ({"user_id": "una", "role": "user"}, "vault", 403),
    ):
        assert (await una.refused("/team/member_add", team_id=team, member=member)).status == status, member
    with_budget = await una.refused(
        "/team/member_add", team_id="lobby", member={"user_id": "una", "role": "user"}, max_budget_in_team=99
    )
    assert with_budget.status == 403
    await una.post("/team/member_add", team_id="lobby", member={"user_id": "una", "role": "user"})
    assert await una.get("/team/available") == []
    assert [team["team_id"] for team in await ugo.get("/team/available")] == ["lobby"]


@pytest.mark.parametrize("defaults", [{"max_budget": -1}, {"budget_duration": "soon"}, {"max_bugdet": 1}])
async def test_defaults_that_make_no_sense_stop_the_start(open_gateway: Open, defaults: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="default_team_params"):
        await open_gateway(litellm_settings={"default_team_params": defaults})
