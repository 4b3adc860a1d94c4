"""A team's own models: for that team alone, made by whoever runs it, within what a team may decide."""

from __future__ import annotations

import pytest
import pytest_asyncio

from .client import Client


@pytest_asyncio.fixture
async def blue(master: Client) -> Client:
    """The admin of team `blue`; team `red` is beside it."""
    for team in ("blue", "red"):
        await master.ok("POST", "/team/new", {"team_id": team})
    await master.ok("POST", "/user/new", {"user_id": "tess", "user_role": "internal_user"})
    await master.ok("POST", "/team/member_add", {"team_id": "blue", "member": {"user_id": "tess", "role": "admin"}})
    return master.with_key((await master.ok("POST", "/key/generate", {"user_id": "tess"}))["key"])


async def team_key(master: Client, team: str) -> Client:
    return master.with_key((await master.ok("POST", "/key/generate", {"team_id": team}))["key"])


async def test_a_teams_model_is_asked_for_by_its_name_and_by_that_team_alone(master: Client, blue: Client) -> None:
    made = await blue.add("mine", info={"team_id": "blue"})
    assert made["model_name"] == "mine"
    own, other = await team_key(master, "blue"), await team_key(master, "red")
    assert await own.chat("mine") == 200
    assert await other.chat("mine") in (400, 401, 403)
    assert "mine" in await own.models()
    assert "mine" not in await other.models()
    await blue.ok("POST", "/model/delete", {"id": made["model_id"]})
    assert await own.chat("mine") in (400, 403)


async def test_its_inner_name_opens_it_to_nobody_else(master: Client, blue: Client) -> None:
    await blue.add("mine", info={"team_id": "blue"})
    inner = next(name for name in master.gateway.runtime.catalog.groups if name.startswith("model_name_blue_"))
    other = await team_key(master, "red")
    assert await other.chat(inner) in (400, 401, 403)
    assert await master.chat(inner) in (200, 401, 403)


async def test_two_teams_use_one_name_for_models_of_their_own(master: Client, blue: Client) -> None:
    await blue.add("mine", info={"team_id": "blue"}, model="openai/of-blue")
    await master.add("mine", info={"team_id": "red"}, model="openai/of-red")
    for team in ("blue", "red"):
        assert await (await team_key(master, team)).chat("mine") == 200
        assert master.upstream.requests[-1].json["model"] == f"of-{team}"


async def test_a_team_is_changed_by_those_who_run_it(master: Client, blue: Client) -> None:
    red = (await master.add("theirs", info={"team_id": "red"}))["model_id"]
    everybodys = (await master.add("shared"))["model_id"]
    assert (await blue.refused("POST", "/model/new", master.row("x", info={"team_id": "red"})))[0] in (403, 404)
    assert (await blue.refused("POST", "/model/new", master.row("x")))[0] == 403
    assert (await blue.refused("POST", "/model/delete", {"id": red}))[0] in (403, 404)
    assert (await blue.refused("POST", "/model/delete", {"id": everybodys}))[0] == 403
    assert (await blue.refused("PATCH", f"/model/{everybodys}/update", {"litellm_params": {"rpm": 1}}))[0] == 403


@pytest.mark.parametrize(
    ("params", "info"),
    [
        ({"input_cost_per_token": 0}, {}),
        ({"litellm_credential_name": "shared"}, {}),
        ({"aws_role_name": "arn:aws:iam::1:role/x"}, {}),
        ({"vertex_credentials": "/etc/passwd"}, {}),
        ({"extra_headers": {"x": "y"}}, {}),
        ({"model": "bedrock/anthropic.claude"}, {}),
        ({"custom_llm_provider": "vertex_ai"}, {}),
        ({}, {"input_cost_per_token": 0}),
        ({}, {"access_groups": ["all"]}),
        ({}, {"base_model": "openai/cheap"}),
    ],
)
async def test_a_team_reaches_for_nothing_of_the_gateways(master: Client, blue: Client, params, info) -> None:
    body = master.row("mine", info={"team_id": "blue", **info}, **params)
    assert (await blue.refused("POST", "/model/new", body))[0] in (400, 403)
    assert await master.models() == {"written": (await master.models())["written"]}
