"""Named credentials: rows take them, changes reach the rows, and nobody sees them again."""

from __future__ import annotations

from .client import Client


async def named(master: Client, **values: str) -> None:
    told = {"api_key": "sk-first-credential-0001", "api_base": master.upstream.base_url, **values}
    await master.ok("POST", "/credentials", {"credential_name": "acme", "credential_values": told})


async def test_a_model_takes_its_credential_and_follows_its_changes(master: Client) -> None:
    await named(master)
    body = {"model_name": "m", "litellm_params": {"model": "openai/x", "litellm_credential_name": "acme"}}
    await master.ok("POST", "/model/new", body)
    assert await master.chat("m") == 200
    assert master.upstream.requests[-1].headers["authorization"] == "Bearer sk-first-credential-0001"
    await master.ok("PATCH", "/credentials/acme", {"credential_values": {"api_key": "sk-second-0002"}})
    assert await master.chat("m") == 200
    assert master.upstream.requests[-1].headers["authorization"] == "Bearer sk-second-0002"


async def test_a_credential_that_is_used_is_not_deleted(master: Client) -> None:
    await named(master)
    body = {"model_name": "m", "litellm_params": {"model": "openai/x", "litellm_credential_name": "acme"}}
    id = (await master.ok("POST", "/model/new", body))["model_id"]
    status, message = await master.refused("DELETE", "/credentials/acme")
    assert status == 400
    assert id in message
    await master.ok("POST", "/model/delete", {"id": id})
    await master.ok("DELETE", "/credentials/acme")
    assert (await master.refused("GET", "/credentials/by_name/acme"))[0] == 404


async def test_values_are_masked_and_null_takes_one_away(master: Client) -> None:
    await named(master, api_version="2026-01")
    shown = await master.ok("GET", "/credentials/by_name/acme")
    assert shown["credential_values"]["api_key"] == "****0001"
    await master.ok("PATCH", "/credentials/acme", {"credential_values": {"api_version": None}})
    shown = (await master.ok("GET", "/credentials"))["credentials"][0]
    assert shown["credential_values"].keys() == {"api_key", "api_base"}


async def test_a_name_is_taken_once_and_a_reference_is_refused(master: Client) -> None:
    await named(master)
    again = {"credential_name": "acme", "credential_values": {"api_key": "x"}}
    assert (await master.refused("POST", "/credentials", again))[0] == 409
    reference = {"credential_name": "b", "credential_values": {"api_key": "os.environ/HOME"}}
    assert (await master.refused("POST", "/credentials", reference))[0] == 400


async def test_a_credential_is_made_of_a_model(master: Client) -> None:
    id = (await master.add("fresh"))["model_id"]
    await master.ok("POST", "/credentials", {"credential_name": "copy", "model_id": id})
    shown = await master.ok("GET", "/credentials/by_name/copy")
    assert shown["credential_values"].keys() == {"api_key", "api_base"}
    assert (await master.ok("GET", f"/credentials/by_model/{id}"))["credential_values"]["api_key"] == "****1234"


async def test_only_who_runs_the_gateway_sees_credentials(master: Client) -> None:
    await named(master)
    key = (await master.ok("POST", "/key/generate", {}))["key"]
    assert (await master.with_key(key).refused("GET", "/credentials"))[0] in (401, 403)
