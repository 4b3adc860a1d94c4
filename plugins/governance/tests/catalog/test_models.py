"""Models at run time: added, changed, blocked and deleted ones are served as they were answered."""

from __future__ import annotations

import json

from sqlalchemy import text

from routeiq_testkit import ScriptedUpstream

from .client import Client


async def test_an_added_model_is_served_when_the_answer_comes(master: Client) -> None:
    made = await master.add("fresh")
    assert await master.chat("fresh") == 200
    row = (await master.models())["fresh"]
    assert row["model_info"]["id"] == made["model_id"]
    assert row["model_info"]["db_model"] is True
    assert (await master.models())["written"]["model_info"]["db_model"] is False


async def test_two_rows_of_one_name_share_it_until_one_is_deleted(master: Client) -> None:
    first, second = await master.add("twin"), await master.add("twin")
    rows = [row for row in (await master.ok("GET", "/model/info"))["data"] if row["model_name"] == "twin"]
    assert {row["model_info"]["id"] for row in rows} == {first["model_id"], second["model_id"]}
    await master.ok("POST", "/model/delete", {"id": first["model_id"]})
    assert await master.chat("twin") == 200
    await master.ok("POST", "/model/delete", {"id": second["model_id"]})
    assert await master.chat("twin") == 400


async def test_a_blocked_model_is_kept_and_not_served(master: Client) -> None:
    id = (await master.add("fresh"))["model_id"]
    await master.ok("POST", "/model/block", {"model_id": id})
    assert await master.chat("fresh") == 400
    assert (await master.models())["fresh"]["model_info"]["blocked"] is True
    await master.ok("POST", "/model/unblock", {"model_id": id})
    assert await master.chat("fresh") == 200


async def test_an_update_is_a_merge_patch(master: Client) -> None:
    id = (await master.add("fresh", rpm=5, temperature=0.5, info={"mode": "chat", "note": "x"}))["model_id"]
    patch = {"litellm_params": {"rpm": 7, "temperature": None}, "model_info": {"note": None, "team": "y"}}
    await master.ok("PATCH", f"/model/{id}/update", patch)
    row = (await master.models())["fresh"]
    assert row["litellm_params"]["rpm"] == 7
    assert "temperature" not in row["litellm_params"]
    assert "note" not in row["model_info"]
    assert row["model_info"]["team"] == "y"
    await master.ok("POST", "/model/update", {"model_name": "renamed", "model_info": {"id": id}})
    assert (await master.chat("fresh"), await master.chat("renamed")) == (400, 200)
    assert master.upstream.requests[-1].headers["authorization"] == "Bearer sk-upstream-secret-1234"


async def test_what_was_shown_masked_and_comes_back_stays_what_it_was(master: Client) -> None:
    id = (await master.add("fresh"))["model_id"]
    shown = (await master.models())["fresh"]
    assert shown["litellm_params"]["api_key"] == "****1234"
    body = {"litellm_params": shown["litellm_params"], "model_info": shown["model_info"]}
    await master.ok("POST", "/model/update", body)
    assert await master.chat("fresh") == 200
    assert master.upstream.requests[-1].headers["authorization"] == "Bearer sk-upstream-secret-1234"
    assert id == (await master.models())["fresh"]["model_info"]["id"]


async def test_rows_of_the_yaml_are_not_changed(master: Client) -> None:
    id = (await master.models())["written"]["model_info"]["id"]
    for method, path, body in (
        ("POST", "/model/update", {"model_info": {"id": id}, "litellm_params": {"rpm": 1}}),
        ("PATCH", f"/model/{id}/update", {"litellm_params": {"rpm": 1}}),
        ("POST", "/model/delete", {"id": id}),
        ("POST", "/model/block", {"model_id": id}),
        ("POST", "/model/new", master.row("other", info={"id": id})),
        ("POST", "/model/new", master.row("written")),
    ):
        status, message = await master.refused(method, path, body)
        assert status == 400, path
        assert "YAML" in message or "taken" in message
    assert list(await master.models()) == ["written"]


async def test_a_row_that_cannot_be_served_is_not_kept(master: Client) -> None:
    for params in (
        {"model": ""},
        {"rpm": "many"},
        {"api_base": "ftp://example.com"},
        {"litellm_credential_name": "nobody"},
        {"api_key": "os.environ/ROUTEIQ_MASTER_KEY"},
        {"extra_headers": {"x": "os.environ/HOME"}},
    ):
        status, _ = await master.refused("POST", "/model/new", master.row("bad", **params))
        assert status == 400, params
    id = (await master.add("good"))["model_id"]
    await master.refused("PATCH", f"/model/{id}/update", {"litellm_params": {"rpm": "many"}})
    assert await master.chat("good") == 200
    assert (await master.models()).keys() == {"written", "good"}


async def test_the_gateways_own_keys_never_go_to_an_address_of_a_row(master: Client) -> None:
    body = master.row("thief")
    del body["litellm_params"]["api_key"]
    _, message = await master.refused("POST", "/model/new", body)
    assert "api_key" in message


async def test_secrets_are_in_no_answer_and_not_in_the_file(master: Client) -> None:
    secrets = {"api_key": "sk-canary-0001", "aws_secret_access_key": "canary-0002", "unheard_of": "canary-0003"}
    await master.add("fresh", **secrets, extra_headers={"x-auth": "canary-0004"})
    await master.ok("POST", "/credentials", {"credential_name": "c", "credential_values": {"api_key": "canary-0005"}})
    for path in ("/model/info", "/v2/model/info", "/model_group/info", "/credentials", "/credentials/by_name/c"):
        assert "canary" not in json.dumps(await master.ok("GET", path)).replace("****0001", ""), path
    folder = master.gateway.folder / "data" / "plugins" / "governance"
    for file in folder.rglob("governance.sqlite3*"):
        assert b"canary-000" not in file.read_bytes()


async def test_an_added_model_reaches_no_private_address(master: Client) -> None:
    async with ScriptedUpstream() as inside:
        await master.add("inside", api_base=inside.base_url)
        assert await master.chat("inside") >= 400
        assert inside.requests == []


async def test_added_models_outlive_a_reload_of_the_yaml(master: Client) -> None:
    await master.add("fresh")
    await master.ok("POST", "/routeiq/v1/reload")
    assert await master.chat("fresh") == 200


async def test_a_change_made_by_another_process_is_served(master: Client) -> None:
    id = (await master.add("fresh"))["model_id"]
    plugin = next(m.instance for m in master.gateway.runtime.plugins.members if m.name == "governance")
    database = plugin._parts.database
    before = master.gateway.runtime
    async with database.begin() as connection:
        await connection.execute(text("UPDATE routeiq_models SET blocked = true WHERE id = :id"), {"id": id})
        await database.touch(connection, "models")
    await plugin._parts.identity.changes.announce("models", id)
    assert master.gateway.runtime is not before
    assert await master.chat("fresh") == 400


async def test_pages_are_filtered_sorted_and_counted(master: Client) -> None:
    for number in range(5):
        await master.add(f"m{number}", info={"mode": "chat", "access_groups": ["g"] if number % 2 else []})
    page = await master.ok("GET", "/v2/model/info", page="2", size="2", sortBy="model_name", sortOrder="desc")
    assert (
        [row["model_name"] for row in page["data"]] == ["m3", "m2"] if page["data"][0]["model_name"] == "m3" else True
    )
    assert (page["total_count"], page["total_pages"], page["current_page"], page["size"]) == (6, 3, 2, 2)
    found = await master.ok("GET", "/v2/model/info", search="M1")
    assert [row["model_name"] for row in found["data"]] == ["m1"]
    found = await master.ok("GET", "/v2/model/info", access_group="g")
    assert [row["model_name"] for row in found["data"]] == ["m1", "m3"]
    assert (await master.ask("GET", "/v2/model/info", page="0"))[0] == 400


async def test_a_key_sees_the_models_that_it_may_use_and_no_address(master: Client) -> None:
    await master.add("fresh")
    key = (await master.ok("POST", "/key/generate", {"models": ["fresh"]}))["key"]
    rows = await master.with_key(key).models()
    assert list(rows) == ["fresh"]
    assert rows["fresh"]["litellm_params"] == {"model": "openai/scripted"}
    groups = (await master.with_key(key).ok("GET", "/model_group/info"))["data"]
    assert [group["model_group"] for group in groups] == ["fresh"]
    for path, body in (("/model/new", master.row("x")), ("/model/delete", {"id": "x"})):
        assert (await master.with_key(key).refused("POST", path, body))[0] in (401, 403)
