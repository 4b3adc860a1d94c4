"""A key lies where its team lies; nobody puts one where they make none; rules of the file say who makes them."""

from __future__ import annotations

from typing import Any

import pytest

from .client import Client
from .conftest import Open


async def test_a_key_of_a_team_is_of_the_teams_organization(tenants: Client) -> None:
    made = await tenants.make(team_id="blue")
    assert made["organization_id"] == "acme"
    moved = await tenants.post("/key/update", key=made["key"], team_id="red")
    assert (moved["team_id"], moved["organization_id"]) == ("red", "rival")
    for path, body in (
        ("/key/generate", {"team_id": "blue", "organization_id": "rival"}),
        ("/key/update", {"key": made["key"], "organization_id": "acme"}),
        ("/key/regenerate", {"key": made["key"], "organization_id": "acme"}),
    ):
        assert await tenants.refused(path, body) == (400, "invalid_request_error", "organization_id"), path
    unchanged = (await tenants.get("/key/info", key=made["key"]))["info"]
    assert (unchanged["team_id"], unchanged["organization_id"]) == ("red", "rival")


async def test_places_that_are_not_there_are_404(tenants: Client) -> None:
    for field, value in (("team_id", "ghost"), ("organization_id", "ghost")):
        status, _, param = await tenants.refused("/key/generate", {field: value})
        assert (status, field) == (404, param or field)
    assert (await tenants.refused("/key/generate", {"budget_id": "ghost"}))[0] == 404


async def test_a_personal_key_is_not_charged_to_an_organization_of_others(tenants: Client) -> None:
    user = await tenants.as_user("uma")
    assert (await user.refused("/key/generate", {"organization_id": "acme"}))[0] in (403, 404)
    await tenants.post(
        "/organization/member_add", organization_id="acme", member={"user_id": "uma", "role": "internal_user"}
    )
    assert (await user.make(organization_id="acme"))["organization_id"] == "acme"
    assert (await user.refused("/key/generate", {"organization_id": "rival"}))[0] in (403, 404)
    own = await user.make()
    assert (await user.refused("/key/update", {"key": own["key"], "organization_id": "rival"}))[0] in (403, 404)


async def test_a_proxy_admin_may_name_a_user_who_is_not_there(tenants: Client) -> None:
    made = await tenants.make(user_id="written-nowhere")
    assert made["user_id"] == "written-nowhere"
    assert await tenants.with_key(made["key"]).chat() == 200
    user = await tenants.as_user("uma")
    assert (await user.refused("/key/generate", {"user_id": "written-nowhere"}))[0] == 404
    assert (await user.refused("/key/generate", {"user_id": "another-nobody"}))[0] == 404


async def test_a_service_account_is_of_a_team_and_of_nobody(tenants: Client) -> None:
    made = await tenants.post("/key/service-account/generate", team_id="blue", key_alias="robot")
    assert (made["user_id"], made["team_id"]) == (None, "blue")
    assert made["metadata"]["service_account_id"] == "robot"
    assert await tenants.with_key(made["key"]).chat() == 200
    refused = await tenants.refused("/key/service-account/generate", {})
    assert refused == (400, "invalid_request_error", "team_id")


def _rules(**rules: Any) -> dict[str, Any]:
    return {"litellm_settings": {"key_generation_settings": rules}}


async def test_the_file_says_who_makes_keys_of_a_team(open_gateway: Open) -> None:
    rules = {"allowed_team_member_roles": ["admin"], "required_params": ["tags"]}
    master = await open_gateway(**_rules(team_key_generation=rules))
    await master.post("/team/new", team_id="blue", team_member_permissions=["/key/generate"])
    uma, tess = await master.as_user("uma"), await master.as_user("tess")
    await master.post("/team/member_add", team_id="blue", member={"user_id": "uma", "role": "user"})
    await master.post("/team/member_add", team_id="blue", member={"user_id": "tess", "role": "admin"})
    assert (await uma.refused("/key/generate", {"team_id": "blue", "tags": ["a"]}))[0] == 403
    refused = await tess.refused("/key/generate", {"team_id": "blue"})
    assert refused == (400, "invalid_request_error", "tags")
    assert (await tess.make(team_id="blue", tags=["a"]))["team_id"] == "blue"
    assert (await master.make(team_id="blue"))["team_id"] == "blue"
    assert (await uma.make())["user_id"] == "uma", "personal keys have rules of their own"


async def test_the_file_says_who_makes_personal_keys(open_gateway: Open) -> None:
    rules = {"allowed_user_roles": ["proxy_admin"]}
    master = await open_gateway(**_rules(personal_key_generation=rules))
    user, admin = await master.as_user("uma"), await master.as_user("ann", user_role="proxy_admin")
    assert (await user.refused("/key/generate", {}))[:2] == (403, "auth_error")
    assert (await admin.make(user_id="uma"))["user_id"] == "uma"
    assert (await admin.make())["user_id"] is None, "an admin makes keys of nobody, unless it says whose"


@pytest.mark.parametrize("rules", [{"team_keys": {}}, {"team_key_generation": {"roles": ["admin"]}}])
async def test_rules_that_nobody_would_follow_stop_the_start(open_gateway: Open, rules: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"team_keys|roles"):
        await open_gateway(**_rules(**rules))


async def test_defaults_and_upper_bounds_of_the_file_hold_for_new_keys(open_gateway: Open) -> None:
    master = await open_gateway(
        litellm_settings={
            "default_key_generate_params": {"max_budget": 2.5, "models": ["fast"], "tpm_limit": 100},
            "upperbound_key_generate_params": {"max_budget": 5, "duration": "30d", "rpm_limit": 10},
        }
    )
    made = await master.make()
    assert (made["max_budget"], made["models"], made["tpm_limit"], made["rpm_limit"]) == (2.5, ["fast"], 100, 10)
    assert made["expires"] is not None
    for path, body, param in (
        ("/key/generate", {"max_budget": 5.1}, "max_budget"),
        ("/key/generate", {"duration": "31d"}, "duration"),
        ("/key/generate", {"duration": "2mo"}, "duration"),
        ("/key/update", {"key": made["key"], "max_budget": 6}, "max_budget"),
        ("/key/update", {"key": made["key"], "rpm_limit": None}, "rpm_limit"),
        ("/key/regenerate", {"key": made["key"], "max_budget": 6}, "max_budget"),
    ):
        assert await master.refused(path, body) == (400, "invalid_request_error", param), (path, body)
    bulk = await master.post("/key/bulk_update", keys=[{"key": made["key"], "max_budget": 9}])
    assert len(bulk["failed_updates"]) == 1
    assert (await master.make(max_budget=5, duration="30d"))["max_budget"] == 5.0


async def test_keys_may_not_be_chosen_where_the_file_says_so(open_gateway: Open) -> None:
    master = await open_gateway(general_settings={"disable_custom_api_keys": True})
    chosen = "sk-chosen-0123456789abcdef"
    refused = await master.refused("/key/generate", {"key": chosen})
    assert refused == (400, "invalid_request_error", "key")
    made = await master.make()
    refused = await master.refused("/key/regenerate", {"key": made["key"], "new_key": chosen})
    assert refused == (400, "invalid_request_error", "new_key")
