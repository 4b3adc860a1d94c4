"""What a person is connected to: seen by them alone, ended by them, by their leaving, by the upstream's going."""

from __future__ import annotations

import httpx

from routeiq_sdk import Event
from routeiq_testkit.gateway import TestGateway

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE, BOB, NOBODY
from ..outbound import Browser, Open, call, connect

PER_USER = {"mode": "authorization_code"}


async def api(running: TestGateway, method: str, path: str, key: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.request(method, running.url + path, headers={"authorization": f"Bearer {key}"})


async def test_the_list_is_ones_own(open_gateway: Open, server: AuthorizationServer, upstream: Upstream) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER, "title": "Files"}})
    await connect(running, "mcp:a", ALICE)
    told = (await api(running, "GET", "/v1/connections", ALICE)).json()
    assert [(row["upstream"], row["status"], row["scopes"]) for row in told["connections"]] == [
        ("mcp:a", "connected", ["read"])
    ]
    assert (await api(running, "GET", "/v1/connections", BOB)).json() == {"connections": [], "asked": []}
    await call(running, "mcp:a", BOB)
    asked = (await api(running, "GET", "/v1/connections", BOB)).json()["asked"]
    assert [(row["upstream"], row["title"]) for row in asked] == [("mcp:a", "Files")]
    assert (await api(running, "GET", "/v1/connections", "sk-unknown-0123456789")).status_code == 401


async def test_a_person_can_begin_from_here(open_gateway: Open, upstream: Upstream) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER}})
    begun = await api(running, "POST", "/v1/connections/mcp:a", ALICE)
    assert begun.status_code == 201
    async with Browser(running) as browser:
        assert "You are connected" in (await browser.consent(begun.json()["url"], ALICE)).text
    assert (await call(running, "mcp:a", ALICE)).status_code == 200
    assert (await api(running, "POST", "/v1/connections/mcp:none", ALICE)).status_code == 404


async def test_who_disconnects_is_forgotten_here_and_revoked_there(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER}})
    for user, key in (("alice", ALICE), ("bob", BOB)):
        server.user = user
        await connect(running, "mcp:a", key)
    assert (await api(running, "DELETE", "/v1/connections/mcp:a", ALICE)).status_code == 200
    assert len(server.revoked) == 1
    assert server.revoked[0].startswith("rt-alice")
    assert (await call(running, "mcp:a", ALICE)).status_code == 412
    assert (await call(running, "mcp:a", BOB)).json()["user"] == "bob"
    assert (await api(running, "DELETE", "/v1/connections/mcp:a", ALICE)).status_code == 404
    async with Browser(running) as browser:
        home = await browser.sign_in(BOB)
        assert (await browser.submit(home)).status_code == 303
    assert (await call(running, "mcp:a", BOB)).status_code == 412


async def test_a_server_that_is_away_does_not_keep_one_connected(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "mcp:a", ALICE)
    server.trouble.down = True
    assert (await api(running, "DELETE", "/v1/connections/mcp:a", ALICE)).status_code == 200
    assert (await api(running, "GET", "/v1/connections", ALICE)).json()["connections"] == []


async def test_whoever_leaves_takes_their_grants_along(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER}})
    for user, key in (("alice", ALICE), ("bob", BOB)):
        server.user = user
        await connect(running, "mcp:a", key)
    plugin = next(member.instance for member in running.runtime.plugins.members if member.name == "oauth")
    await plugin.emit(
        [
            Event("routeiq.scim.v1", 0, {"what": "user.updated", "id": "bob"}),
            Event("routeiq.scim.v1", 0, {"what": "user.deleted", "id": "alice"}),
        ]
    )
    assert len(server.revoked) == 1
    assert (await call(running, "mcp:a", ALICE)).status_code == 412
    assert (await call(running, "mcp:a", BOB)).status_code == 200
    removed = {"action": "user:delete", "phase": "done", "changes": {"user_ids": ["bob"]}}
    await plugin.emit([Event("routeiq.admin.v1", 0, removed)])
    assert (await call(running, "mcp:a", BOB)).status_code == 412


async def test_an_upstream_that_goes_takes_all_grants_along(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "mcp:a", ALICE)
    await api(running, "DELETE", "/test/upstream/mcp:a", ALICE)
    assert len(server.revoked) == 1
    assert (await call(running, "mcp:a", ALICE)).status_code == 412


async def test_a_key_without_a_user_has_grants_of_its_own(open_gateway: Open, upstream: Upstream) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "mcp:a", NOBODY)
    assert (await call(running, "mcp:a", NOBODY)).status_code == 200
    assert (await call(running, "mcp:a", running.key)).status_code == 412
