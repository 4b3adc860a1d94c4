"""What a person is connected to: seen by them alone, ended by them, by their leaving, by the upstream's going."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from routeiq_sdk import Event
from routeiq_sdk.events import UserV1
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


def shut_out(how: str, user: str) -> Event:
    """What the gateway tells of a user who was deactivated, blocked or deleted."""
    if how.startswith("user."):
        return Event("routeiq.scim.v1", 0, {"what": how, "id": user})
    told = UserV1(event_id="u", timestamp_utc="2026-01-01T00:00:00.000Z", what=how, user=user, by="root")  # type: ignore[arg-type]
    return told.event(0)


@pytest.mark.parametrize("how", ["user.deactivated", "user.deleted", "blocked", "deleted"])
async def test_whoever_is_shut_out_loses_their_grants_and_is_asked_anew_when_let_in_again(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream, how: str
) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER}})
    for user, key in (("alice", ALICE), ("bob", BOB)):
        server.user = user
        await connect(running, "mcp:a", key)
    plugin = next(member.instance for member in running.runtime.plugins.members if member.name == "oauth")
    others = [
        Event("routeiq.scim.v1", 0, {"what": "user.updated", "id": "bob"}),
        # Of several users in one request some may be refused, so what was asked does not count.
        Event("routeiq.admin.v1", 0, {"action": "user:update", "phase": "done", "changes": {"blocked": True}}),
    ]
    await plugin.emit([*others, shut_out(how, "alice"), shut_out(how, "alice")])
    assert len(server.revoked) == 1
    assert (await api(running, "GET", "/v1/connections", ALICE)).json()["connections"] == []
    assert (await call(running, "mcp:a", ALICE)).status_code == 412
    assert (await call(running, "mcp:a", BOB)).status_code == 200
    await plugin.emit([Event("routeiq.scim.v1", 0, {"what": "user.updated", "id": "alice"})])
    assert (await call(running, "mcp:a", ALICE)).status_code == 412
    server.user = "alice"
    await connect(running, "mcp:a", ALICE)
    assert (await call(running, "mcp:a", ALICE)).status_code == 200


async def test_a_user_whom_an_administrator_blocks_is_asked_anew_after_it(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"mcp:a": {"url": upstream.url, "auth": PER_USER}}, more_plugins={"governance": {}})

    async def ask(path: str, **body: object) -> dict[str, str]:
        headers = {"authorization": f"Bearer {running.key}"}
        async with running.session.post(path, json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    key = (await ask("/user/new", user_id="carol", user_role="proxy_admin"))["key"]
    await connect(running, "mcp:a", key)
    assert (await call(running, "mcp:a", key)).status_code == 200
    await ask("/user/update", user_id="carol", blocked=True)
    assert (await call(running, "mcp:a", key)).status_code in (401, 403)
    async with asyncio.timeout(20):
        while not server.revoked:  # the event is on its way to the plugin
            await asyncio.sleep(0.01)
    await ask("/user/update", user_id="carol", blocked=False)
    assert (await call(running, "mcp:a", key)).status_code == 412


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
