"""Modes that ask nobody: what the upstream gets in each, and how often the authorization server is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from routeiq_sdk import RouteIQError

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE, BOB
from ..outbound import Open, call

SECRET = "s3cret/with +odd: characters"
OWN = {"mode": "client_credentials", "client_id": "gateway", "client_secret": SECRET}


async def test_mode_none_sends_nothing(open_gateway: Open, upstream: Upstream) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": {"mode": "none"}}})
    await call(running, "a", ALICE)
    assert all("authorization" not in one.headers for one in upstream.seen)


async def test_mode_static_sends_the_configured_headers(open_gateway: Open, upstream: Upstream) -> None:
    auth = {"mode": "static", "headers": {"Authorization": "Bearer fixed", "X-Tenant": "acme"}}
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    await call(running, "a", ALICE)
    assert (upstream.seen[0].bearer, upstream.seen[0].headers["x-tenant"]) == ("fixed", "acme")


async def test_passthrough_sends_one_header_of_the_client_and_never_its_credential(
    open_gateway: Open, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": {"mode": "passthrough", "header": "X-Up"}}})
    await call(running, "a", ALICE, x_up="the upstream's own", x_other="not this")
    assert upstream.seen[0].headers["x-up"] == "the upstream's own"
    assert "x-other" not in upstream.seen[0].headers
    refused = await call(running, "a", ALICE, x_up=f"Bearer {ALICE}")
    assert refused.status_code == 400
    assert "X-Up" in refused.text
    assert ALICE not in upstream.everything()
    assert ALICE not in refused.text


@pytest.mark.parametrize("methods", [["client_secret_basic"], ["client_secret_post"], None])
async def test_the_gateways_own_token_is_fetched_once_for_all_callers(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream, methods: list[str] | None
) -> None:
    server.changes["token_endpoint_auth_methods_supported"] = methods
    running = await open_gateway({"a": {"url": upstream.url, "auth": OWN}})
    answers = await asyncio.gather(*(call(running, "a", key) for key in (ALICE, BOB) * 25))
    assert {answer.status_code for answer in answers} == {200}
    assert server.grants["client_credentials"] == 1
    assert answers[0].json()["user"] == "client:gateway"
    assert server.forms[0]["resource"] == upstream.url
    assert ("client_secret" in server.forms[0]) == (methods == ["client_secret_post"])


async def test_a_private_key_proves_who_the_gateway_is(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    server.clients["keyed"] = {"public_key": key.public_key()}
    auth = {"mode": "client_credentials", "client_id": "keyed", "client_key": pem}
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    served = await call(running, "a", ALICE)
    assert served.json()["user"] == "client:keyed"
    assert "client_secret" not in server.forms[0]


async def test_a_key_that_is_none_stops_the_start(open_gateway: Open, upstream: Upstream) -> None:
    auth = {"mode": "client_credentials", "client_id": "keyed", "client_key": "no PEM at all"}
    with pytest.raises(RouteIQError, match="client_key is no private key"):
        await open_gateway({"mcp:a": {"url": upstream.url, "auth": auth}})


async def test_a_token_that_is_refused_is_fetched_anew_once(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": OWN}})
    assert (await call(running, "a", ALICE)).status_code == 200
    server.end_all()
    assert (await call(running, "a", ALICE)).status_code == 200
    assert server.grants["client_credentials"] == 2
    upstream.refuses_all = True
    refused = await call(running, "a", ALICE)
    assert refused.status_code == 502
    assert "refuses a token that was fetched anew" in refused.text
    assert server.grants["client_credentials"] == 3


async def test_a_token_is_fetched_again_shortly_before_it_ends(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    server.life = 0
    running = await open_gateway({"a": {"url": upstream.url, "auth": OWN}})
    await call(running, "a", ALICE)
    server.life = 3600
    assert (await call(running, "a", ALICE)).status_code == 200
    await call(running, "a", ALICE)
    assert len({one.bearer for one in upstream.seen if one.bearer}) >= 2


@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        ({"down": True}, 503, "answered 503"),
        ({"secret": "wrong"}, 502, "answered invalid_client"),
        ({"answer": {"token_type": "mac"}}, 502, "of a type that was not asked for"),
        ({"answer": {"access_token": "two\r\nlines"}}, 502, "gave no access token"),
    ],
)
async def test_what_goes_wrong_at_the_server_is_told(
    open_gateway: Open,
    server: AuthorizationServer,
    upstream: Upstream,
    trouble: dict[str, Any],
    status: int,
    said: str,
) -> None:
    auth = {**OWN, "client_secret": trouble.get("secret", SECRET), "token_url": f"{server.url}/token"}
    server.trouble.down = trouble.get("down", False)
    server.token_changes = trouble.get("answer", {})
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    answer = await call(running, "a", ALICE)
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert SECRET not in answer.text


async def test_plain_http_beyond_loopback_carries_no_tokens(open_gateway: Open) -> None:
    with pytest.raises(RouteIQError, match="plain http"):
        await open_gateway({"mcp:a": {"url": "http://upstream.example/mcp", "auth": OWN}})
