"""Access groups: a name that keys and teams are allowed, whatever models stand behind it."""

from __future__ import annotations

from .client import Client


async def keyed(master: Client, **fields: object) -> Client:
    return master.with_key((await master.ok("POST", "/key/generate", fields))["key"])


async def test_a_key_that_names_a_group_may_use_its_models_as_they_change(master: Client) -> None:
    await master.add("fresh")
    await master.ok("POST", "/access_group/new", {"access_group": "good", "model_names": ["written"]})
    key = await keyed(master, models=["good"])
    assert (await key.chat("written"), await key.chat("fresh")) == (200, 403)
    await master.ok("PUT", "/access_group/good/update", {"model_names": ["fresh"]})
    assert (await key.chat("written"), await key.chat("fresh")) == (403, 200)
    await master.ok("DELETE", "/access_group/good/delete")
    assert await key.chat("fresh") == 403


async def test_rows_are_named_by_their_ids_too(master: Client) -> None:
    id = (await master.add("fresh"))["model_id"]
    told = await master.ok("POST", "/access_group/new", {"access_group": "good", "model_ids": [id]})
    assert told["model_names"] == ["fresh"]
    assert told["deployment_count"] == 1
    bad = {"access_group": "other", "model_ids": ["nobody"]}
    assert (await master.refused("POST", "/access_group/new", bad))[0] == 404


async def test_the_groups_of_rows_are_listed_and_not_changed(master: Client) -> None:
    await master.add("fresh", info={"access_groups": ["of-rows"]})
    listed = (await master.ok("GET", "/access_group/list"))["access_groups"]
    assert [(group["access_group"], group["model_names"]) for group in listed] == [("of-rows", ["fresh"])]
    assert (await master.refused("PUT", "/access_group/of-rows/update", {"model_names": []}))[0] == 400
    key = await keyed(master, models=["of-rows"])
    assert (await key.chat("fresh"), await key.chat("written")) == (200, 403)


async def test_a_group_is_assigned_to_teams_and_keys(master: Client) -> None:
    await master.add("fresh")
    await master.ok("POST", "/team/new", {"team_id": "blue", "models": ["written"]})
    key = await keyed(master, team_id="blue")
    assert await key.chat("fresh") == 403
    body = {"access_group_name": "more", "access_model_names": ["fresh"], "assigned_team_ids": ["blue"]}
    status, made = await master.ask("POST", "/v1/access_group", body)
    assert status == 201
    assert made["assigned_teams"] == [{"id": "blue", "name": None}]
    assert await key.chat("fresh") == 200
    told = await master.ok("PUT", f"/v1/access_group/{made['access_group_id']}", {"assigned_team_ids": []})
    assert told["assigned_team_ids"] == []
    assert await key.chat("fresh") == 403
    assert (await master.ask("DELETE", "/v1/access_group/more"))[0] == 204
    assert await master.ok("GET", "/v1/access_group") == []


async def test_a_key_sees_its_own_groups_alone(master: Client) -> None:
    for name in ("mine", "theirs"):
        await master.ok("POST", "/access_group/new", {"access_group": name, "model_names": ["written"]})
    key = await keyed(master, models=["mine"])
    listed = (await key.ok("GET", "/access_group/list"))["access_groups"]
    assert [group["access_group"] for group in listed] == ["mine"]
    assert (await key.refused("GET", "/access_group/theirs/info"))[0] == 404
    assert (await key.refused("POST", "/access_group/new", {"access_group": "x"}))[0] in (401, 403)
    assert (await master.refused("POST", "/access_group/new", {"access_group": "mine"}))[0] == 409
