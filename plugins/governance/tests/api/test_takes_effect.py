"""What is changed through the API holds for the next request of a key that was used before."""

from __future__ import annotations

from typing import Any

from .world import Client, World


async def _asks(client: Client, model: str = "fast", **fields: Any) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, **fields}
    return (await client.ask("POST", "/v1/chat/completions", body)).status


async def _key_of_blue(world: World) -> Client:
    made = await world.master.post("/key/generate", team_id="blue", user_id="uma")
    return Client(world.master.gateway, made["key"])


async def test_a_blocked_team_and_a_blocked_user_are_refused(world: World) -> None:
    key = await _key_of_blue(world)
    assert await _asks(key) == 200
    await world.master.post("/team/block", team_id="blue")
    assert await _asks(key) == 401
    await world.master.post("/team/unblock", team_id="blue")
    assert await _asks(key) == 200
    await world.master.post("/user/update", user_id="uma", blocked=True)
    assert await _asks(key) == 401


async def test_models_of_a_team_and_of_an_organization_bind(world: World) -> None:
    key = await _key_of_blue(world)
    assert await _asks(key, "smart") == 200
    await world.master.post("/team/model/add", team_id="blue", models=["fast"])
    assert (await _asks(key, "smart"), await _asks(key, "fast")) == (403, 200)
    await world.master.post("/team/model/delete", team_id="blue", models=["fast"])
    assert (await _asks(key, "smart"), await _asks(key, "fast")) == (403, 403)
    await world.master.post("/team/update", team_id="blue", models=[])
    await world.master.patch("/organization/update", organization_id="acme", models=["smart"])
    assert (await _asks(key, "smart"), await _asks(key, "fast")) == (200, 403)


async def test_a_limit_of_nothing_lets_nothing_through(world: World) -> None:
    key = await _key_of_blue(world)
    assert await _asks(key) == 200
    for path, fields, back in (
        ("/team/update", {"team_id": "blue", "max_parallel_requests": 0}, {"max_parallel_requests": None}),
        ("/team/update", {"team_id": "blue", "rpm_limit": 0}, {"rpm_limit": None}),
        ("/team/member_update", {"team_id": "blue", "user_id": "uma", "rpm_limit": 0}, {"rpm_limit": None}),
    ):
        await world.master.post(path, **fields)
        assert await _asks(key) == 429, (path, fields)
        await world.master.post(path, **fields | back)
        assert await _asks(key) == 200, (path, fields)


async def test_a_blocked_customer_is_refused(world: World) -> None:
    key = await _key_of_blue(world)
    assert await _asks(key, user="c1") == 200
    await world.master.post("/customer/block", user_ids=["c1"])
    assert await _asks(key, user="c1") in (400, 401, 403)
    assert await _asks(key, user="c2") == 200
    await world.master.post("/customer/unblock", user_ids=["c1"])
    assert await _asks(key, user="c1") == 200


async def test_a_shared_budget_binds_whoever_names_it(world: World) -> None:
    key = await _key_of_blue(world)
    await world.master.post("/budget/new", budget_id="slow", rpm_limit=0)
    assert await _asks(key) == 200
    await world.master.post("/team/update", team_id="blue", budget_id="slow")
    assert await _asks(key) == 429
    await world.master.post("/budget/update", budget_id="slow", rpm_limit=100)
    assert await _asks(key) == 200


async def test_a_removed_member_is_out_at_once(world: World) -> None:
    key = await _key_of_blue(world)
    assert await _asks(key) == 200
    await world.master.delete("/organization/member_delete", organization_id="acme", user_id="uma")
    assert await _asks(key) == 401
    assert await world.uma.get("/team/list") == []
