"""A key works from the moment it is made until it is blocked, expired, rotated or deleted, and is shown once."""

from __future__ import annotations

import openai
import pytest
from sqlalchemy import select, update

from routeiq_governance.identity import credentials
from routeiq_governance.store.tables import keys
from routeiq_testkit.gateway import openai_row


@pytest.fixture
async def running(gateway, scripted_upstream):
    config = {
        "model_list": [openai_row(name, scripted_upstream.base_url) for name in ("fast", "smart")],
        "routeiq": {"plugins": {"governance": {}}},
    }
    return await gateway(config)


async def post(running, path: str, body: dict, status: int = 200, key: str | None = None) -> dict:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with running.session.post(path, json=body, headers=headers) as response:
        answer = await response.json()
        assert response.status == status, answer
        return answer


async def chat(running, key: str, model: str = "fast") -> int:
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{running.url}/v1", max_retries=0) as client:
        try:
            await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "x"}])
        except openai.APIStatusError as error:
            return error.status_code
        return 200


def parts_of(running):
    return next(member.instance for member in running.runtime.plugins.members if member.name == "governance")._parts


async def test_a_made_key_works_with_the_official_client_and_is_shown_once(running) -> None:
    made = await post(running, "/key/generate", {"key_alias": "first", "models": ["fast"]})
    key = made["key"]
    assert credentials.looks_made(key)
    assert made["token"] == credentials.key_id(key)
    assert await chat(running, key) == 200
    assert await chat(running, key, "smart") == 403
    async with running.session.get("/key/info", params={"key": key}) as response:
        told = await response.text()
    async with running.session.get("/key/list", params={"return_full_object": "true"}) as response:
        told += await response.text()
    assert made["token"] in told
    assert key[4:-4] not in told.replace(f'"key": "{key}"', "").replace(f'"key":"{key}"', "")


async def test_block_and_unblock_act_at_once(running) -> None:
    key = (await post(running, "/key/generate", {}))["key"]
    assert await chat(running, key) == 200
    await post(running, "/key/block", {"key": key})
    assert await chat(running, key) == 401
    await post(running, "/key/unblock", {"key": key})
    assert await chat(running, key) == 200


async def test_a_rotated_key_works_beside_the_new_one_until_its_time_is_over(running) -> None:
    old = (await post(running, "/key/generate", {"key_alias": "r", "rpm_limit": 500}))["key"]
    new = await post(running, "/key/regenerate", {"key": old, "grace_period": "1h"})
    assert await chat(running, old) == 200
    assert await chat(running, new["key"]) == 200
    assert (new["key_alias"], new["rpm_limit"]) == ("r", 500)
    last = (await post(running, f"/key/{new['token']}/regenerate", {}))["key"]
    assert await chat(running, new["key"]) == 401
    assert await chat(running, last) == 200


async def test_an_expired_key_is_refused_as_such(running) -> None:
    made = await post(running, "/key/generate", {"duration": "1h"})
    parts = parts_of(running)
    async with parts.database.begin() as connection:
        await connection.execute(update(keys).where(keys.c.id == made["token"]).values(expires_at=1))
        await parts.database.touch(connection, "keys")
    await parts.identity.changes.announce("keys")
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}]}
    refused = await post(running, "/v1/chat/completions", body, 401, made["key"])
    assert refused["error"]["type"] == "expired_key"


async def test_a_deleted_key_is_unknown_and_deleting_again_does_no_harm(running) -> None:
    made = await post(running, "/key/generate", {"key_alias": "gone"})
    assert await chat(running, made["key"]) == 200
    assert await post(running, "/key/delete", {"key_aliases": ["gone"]}) == {"deleted_keys": ["gone"]}
    assert await chat(running, made["key"]) == 401
    assert await post(running, "/key/delete", {"keys": [made["key"]]}) == {"deleted_keys": []}


async def test_an_imported_key_gets_its_verifier_at_first_use(running) -> None:
    made = await post(running, "/key/generate", {})
    parts = parts_of(running)

    async def verifier() -> str | None:
        async with parts.database.read() as connection:
            return (await connection.execute(select(keys.c.verifier).where(keys.c.id == made["token"]))).scalar()

    async with parts.database.begin() as connection:
        await connection.execute(update(keys).values(verifier=None))
    await parts.identity.changes.announce("keys")
    assert await verifier() is None
    assert await chat(running, made["key"]) == 200
    assert await verifier() is not None


@pytest.mark.parametrize(
    "chosen", ["short", "sk-short", "pk-0123456789abcdef", "sk-with space 0123456789", "sk-" + "x" * 600]
)
async def test_a_chosen_key_has_to_look_like_one(running, chosen: str) -> None:
    refused = await post(running, "/key/generate", {"key": chosen}, 400)
    assert refused["error"]["param"] == "key"


async def test_a_key_of_the_callers_own_choice_works_once_made(running) -> None:
    chosen = "sk-chosen-0123456789abcdef"
    await post(running, "/key/generate", {"key": chosen})
    assert await chat(running, chosen) == 200
    assert (await post(running, "/key/generate", {"key": chosen}, 400))["error"]["param"] == "key"


async def test_a_merge_patch_changes_what_it_names_and_null_clears(running) -> None:
    made = await post(
        running, "/key/generate", {"max_budget": 5, "budget_duration": "30d", "rpm_limit": 9, "metadata": {"a": 1}}
    )
    reset = made["budget_reset_at"]
    assert reset is not None
    changed = await post(running, "/key/update", {"key": made["key"], "rpm_limit": 10})
    assert (changed["rpm_limit"], changed["max_budget"], changed["budget_reset_at"]) == (10, 5.0, reset)
    changed = await post(running, "/key/update", {"key": made["key"], "budget_duration": None, "metadata": {}})
    assert (changed["budget_duration"], changed["budget_reset_at"], changed["metadata"]) == (None, None, {})
    assert changed["max_budget"] == 5.0


async def test_another_process_hears_of_a_change(running) -> None:
    parts = parts_of(running)
    key = (await post(running, "/key/generate", {}))["key"]
    assert await chat(running, key) == 200
    # What another worker does: it writes, and says so on the channel that both share.
    async with parts.database.begin() as connection:
        await connection.execute(update(keys).values(blocked=True))
        await parts.database.touch(connection, "keys")
    await running.runtime.shared.state.publish("governance.changes", b"keys ")
    for _ in range(200):
        if await chat(running, key) == 401:
            return
    raise AssertionError("the key still works")


@pytest.mark.parametrize(("profile", "status"), [("1.109", 403), ("1.80", 401)])
async def test_a_model_that_a_key_may_not_use_is_refused_as_the_profile_says(
    gateway, scripted_upstream, profile: str, status: int
) -> None:
    running = await gateway(
        {
            "model_list": [openai_row(name, scripted_upstream.base_url) for name in ("fast", "smart")],
            "routeiq": {"compat": {"litellm_profile": profile}, "plugins": {"governance": {}}},
        }
    )
    key = (await post(running, "/key/generate", {"models": ["fast"]}))["key"]
    body = {"model": "smart", "messages": [{"role": "user", "content": "x"}]}
    refused = await post(running, "/v1/chat/completions", body, status, key)
    assert refused["error"]["type"] == "key_model_access_denied"
