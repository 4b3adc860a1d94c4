"""Requests at the same time: each change is whole, none is lost, a thing is made once."""

from __future__ import annotations

import asyncio

from .world import Client, World


async def test_a_member_is_added_once(world: World) -> None:
    body = {"team_id": "red", "member": {"user_id": "newcomer", "role": "user"}}
    answers = await asyncio.gather(*(world.master.ask("POST", "/team/member_add", body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200, *[400] * 7]
    red = await world.master.get("/team/info", team_id="red")
    assert [member["user_id"] for member in red["team_info"]["members_with_roles"]] == ["newcomer", "rita"]


async def test_patches_of_different_fields_all_count(master: Client) -> None:
    await master.post("/team/new", team_id="core")
    patches = [{"max_budget": 5}, {"rpm_limit": 6}, {"tpm_limit": 7}, {"team_alias": "Core"}, {"tags": ["a"]}]
    await asyncio.gather(*(master.post("/team/update", team_id="core", **patch) for patch in patches))
    info = (await master.get("/team/info", team_id="core"))["team_info"]
    assert (info["max_budget"], info["rpm_limit"], info["tpm_limit"]) == (5.0, 6, 7)
    assert (info["team_alias"], info["metadata"]["tags"]) == ("Core", ["a"])


async def test_an_id_is_given_once(master: Client) -> None:
    answers = await asyncio.gather(*(master.ask("POST", "/user/new", {"user_id": "una"}) for _ in range(6)))
    assert sum(answer.status == 200 for answer in answers) == 1
    assert {answer.status for answer in answers} <= {200, 400, 409}
