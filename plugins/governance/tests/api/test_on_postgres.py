"""The same promises on PostgreSQL, and what clients hear while it is away."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any

import pytest_asyncio
from sqlalchemy.ext.asyncio import create_async_engine

from routeiq_governance.store.schema import upgrade
from routeiq_testkit.servers import PostgresServer

from .conftest import Open
from .world import Client, build

AWAY: list[tuple[str, str, Any, dict[str, str]]] = [
    ("GET", "/team/info", None, {"team_id": "core"}),
    ("GET", "/team/list", None, {}),
    ("GET", "/v2/team/list", None, {}),
    ("POST", "/team/update", {"team_id": "core", "team_alias": "x"}, {}),
    ("GET", "/user/info", None, {"user_id": "tess"}),
]


@pytest_asyncio.fixture
async def on_postgres(open_gateway: Open, postgres: PostgresServer) -> Client:
    """The holder of the master key of a gateway on an empty PostgreSQL database."""
    url = await postgres.database()
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()
    return await open_gateway(
        general_settings={"database_url": url},
        routeiq={
            "state": {"url": "memory://"},
            "plugins": {"governance": {"encryption_key": "a secret of the tests alone"}},
        },
    )


async def test_two_tenants_are_built_and_taken_down(on_postgres: Client) -> None:
    world = await build(on_postgres.gateway)
    await world.master.post("/budget/new", budget_id="b", max_budget=1, budget_duration="30d")
    await world.master.post("/customer/new", user_id="c", budget_id="b")
    await world.master.post("/tag/new", name="t", max_budget=2)
    await world.tess.post("/team/update", team_id="blue", metadata={"a": [1, None]})
    page = await world.olga.get("/v2/team/list", team_alias="BLU", sort_by="team_alias")
    assert [team["metadata"] for team in page["teams"]] == [{"a": [1, None]}]
    users = await world.olga.get("/user/list", sort_by="user_id", search="EXAMPLE")
    assert [user["user_id"] for user in users["users"]] == ["olga", "tess", "uma"]
    assert (await world.olga.unread("/team/info", team_id="red")).status == 404
    await world.master.post("/budget/delete", id="b")
    assert (await world.master.get("/customer/info", end_user_id="c"))["budget_id"] is None
    await world.master.delete("/organization/delete", organization_ids=["acme", "rival"])
    assert await world.master.get("/team/list") == []
    assert await world.master.post("/user/delete", user_ids=["olga", "tess", "uma", "ina", "rolf", "rita"]) == 6


async def test_changes_at_the_same_time_follow_one_another(on_postgres: Client) -> None:
    await on_postgres.post("/team/new", team_id="core")
    patches = [{"max_budget": 5}, {"rpm_limit": 6}, {"tpm_limit": 7}, {"team_alias": "Core"}, {"soft_budget": 4}]
    await asyncio.gather(*(on_postgres.post("/team/update", team_id="core", **patch) for patch in patches))
    info = (await on_postgres.get("/team/info", team_id="core"))["team_info"]
    assert (info["max_budget"], info["soft_budget"], info["rpm_limit"], info["tpm_limit"]) == (5.0, 4.0, 6, 7)
    body = {"team_id": "core", "member": {"user_id": "una", "role": "user"}}
    answers = await asyncio.gather(*(on_postgres.ask("POST", "/team/member_add", body) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400, 400]


async def test_a_database_that_is_away_is_503_and_never_401(on_postgres: Client, postgres: PostgresServer) -> None:
    await on_postgres.post("/team/new", team_id="core")
    known = await on_postgres.as_user("tess")
    await on_postgres.post("/team/member_add", team_id="core", member={"user_id": "tess", "role": "admin"})
    assert [team["team_id"] for team in await known.get("/team/list")] == ["core"]
    postgres.stop()
    for client, (method, path, body, query) in product((on_postgres, known), AWAY):
        headers = {"authorization": f"Bearer {client.key}"}
        session = client.gateway.session
        async with session.request(method, path, json=body, params=query, headers=headers) as response:
            error = (await response.json())["error"]
            assert (response.status, error["type"]) == (503, "no_db_connection"), (path, error)
            assert response.headers["retry-after"]
