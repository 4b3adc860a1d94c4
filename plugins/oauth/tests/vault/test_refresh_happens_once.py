"""A refresh happens once for all who wait, survives whoever asked for it, and fails without losing anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from routeiq_sdk import StoreUnavailable
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.servers.postgres import PostgresServer
from routeiq_testkit.servers.valkey import ValkeyServer

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE, BOB
from ..outbound import Browser, Open, call, connect
from .migrated import migrated

PER_USER = {"mode": "authorization_code"}


async def _patiently(start: Callable[[], Awaitable[TestGateway]]) -> TestGateway:
    """Start a gateway on a machine that may be too busy to answer its store within a second."""
    for _ in range(4):
        try:
            return await start()
        except StoreUnavailable:
            continue
    return await start()


async def test_fifty_refused_calls_make_one_refresh(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    server.end_all()
    answers = await asyncio.gather(*(call(running, "a", ALICE) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert server.grants["refresh_token"] == 1


async def test_fifty_calls_with_a_token_that_ends_make_one_refresh(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    server.life = 0
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    server.life = 3600
    answers = await asyncio.gather(*(call(running, "a", ALICE) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert server.grants["refresh_token"] == 1


async def test_two_gateways_that_share_their_stores_refresh_once(
    open_gateway: Open,
    server: AuthorizationServer,
    upstream: Upstream,
    postgres: PostgresServer,
    valkey: ValkeyServer,
) -> None:
    url = await postgres.database()
    await migrated(url)
    shared = {"database_url": url, "vault_keys": ["one and the same key of both gateways, 32+"]}
    rows = {"a": {"url": upstream.url, "auth": PER_USER}}
    state = {"state": {"url": valkey.url}}
    first, second = [await _patiently(lambda: open_gateway(rows, routeiq=state, **shared)) for _ in range(2)]
    for key in (ALICE, BOB):
        server.user = "alice" if key == ALICE else "bob"
        await connect(first, "a", key)
    for round in range(1, 4):
        server.end_all()
        people = (("alice", ALICE), ("bob", BOB)) * 12
        work = [call(at, "a", key, user) for at in (first, second) for user, key in people]
        answers = await asyncio.gather(*work)
        assert {answer.status_code for answer in answers} == {200}
        assert server.grants["refresh_token"] == 2 * round
    assert all(said in ("", served) for said, served in upstream.served)


async def test_whoever_goes_away_while_the_server_answers_loses_nothing(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    server.end_all()
    assert (await call(running, "a", ALICE)).status_code == 200
    server.end_all()
    server.trouble.gate.clear()
    leaving = asyncio.create_task(call(running, "a", ALICE))
    while server.calls["token refresh_token"] < 2:
        server.asked.clear()
        await server.asked.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    server.trouble.gate.set()
    assert (await call(running, "a", ALICE)).status_code == 200
    assert server.grants["refresh_token"] == 2


async def test_a_server_that_is_away_costs_no_consent(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    server.end_all()
    server.trouble.down = True
    away = await call(running, "a", ALICE)
    assert away.status_code == 503
    assert "Try again" in away.text
    server.trouble.down = False
    assert (await call(running, "a", ALICE)).status_code == 200


async def test_a_grant_that_was_revoked_at_its_server_is_asked_for_again(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    for one in (*server.issued.values(), *server.refreshes.values()):
        one.dead = True
    assert (await call(running, "a", ALICE)).status_code == 412
    await connect(running, "a", ALICE)
    assert (await call(running, "a", ALICE)).status_code == 200


async def test_what_is_refused_after_a_refresh_needs_the_person(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    upstream.refuses_all = True
    assert (await call(running, "a", ALICE)).status_code == 412
    assert server.grants["refresh_token"] == 1
    assert (await call(running, "a", ALICE)).status_code == 412
    assert server.grants["refresh_token"] == 1, "a refresh for each call that was refused already"
    upstream.refuses_all = False
    await connect(running, "a", ALICE)
    assert (await call(running, "a", ALICE)).status_code == 200


@pytest.mark.parametrize("ahead", [0, 60])
async def test_grants_are_kept_alive_while_nobody_calls_only_where_that_is_configured(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream, ahead: int
) -> None:
    server.life = 0
    rows = {"a": {"url": upstream.url, "auth": PER_USER}}
    first = await open_gateway(rows)
    await connect(first, "a", ALICE)
    server.life = 3600
    again = await open_gateway(
        rows,
        routeiq={"data_dir": str(first.folder / "data")},
        delegation={"refresh_ahead_minutes": ahead},
    )
    if ahead:
        async with asyncio.timeout(20):
            while not server.grants["refresh_token"]:
                server.asked.clear()
                await server.asked.wait()
                await asyncio.sleep(0)
    else:
        async with Browser(again) as browser:
            await browser.sign_in(ALICE)
    assert server.grants["refresh_token"] == (1 if ahead else 0)
