"""Where tokens come from: the order of places, who is believed, and who is not sent anything."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    build_protected_resource_metadata_discovery_urls,
)

from routeiq_oauth.delegation.challenge import bearer_params
from routeiq_oauth.delegation.discovery import canonical, covers, resource_urls, same_issuer, server_urls

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE
from ..outbound import Browser, Open, call, connect

PER_USER = {"mode": "authorization_code"}


@pytest.mark.parametrize("told", [None, "https://up.example/meta"])
@pytest.mark.parametrize("url", ["https://up.example", "https://up.example/", "https://up.example/a/mcp"])
def test_resources_are_looked_for_where_mcp_clients_look(told: str | None, url: str) -> None:
    assert list(resource_urls(told, url)) == build_protected_resource_metadata_discovery_urls(told, url)


@pytest.mark.parametrize("issuer", ["https://as.example", "https://as.example/", "https://as.example/tenant/one"])
def test_servers_are_looked_for_where_mcp_clients_look(issuer: str) -> None:
    assert list(server_urls(issuer)) == build_oauth_authorization_server_metadata_discovery_urls(issuer, "")
    legacy = build_oauth_authorization_server_metadata_discovery_urls(None, issuer)
    assert list(server_urls(issuer, legacy=True)) == legacy


@pytest.mark.parametrize(
    ("resource", "url", "does"),
    [
        ("https://up.example/mcp", "https://up.example/mcp", True),
        ("https://up.example/mcp/", "https://up.example/mcp", True),
        ("https://up.example", "https://up.example/mcp", True),
        ("https://UP.example:443/mcp", "https://up.example/mcp/deeper", True),
        ("https://up.example/mc", "https://up.example/mcp", False),
        ("https://up.example/mcp/deeper", "https://up.example/mcp", False),
        ("https://up.example:8443/mcp", "https://up.example/mcp", False),
        ("http://up.example/mcp", "https://up.example/mcp", False),
        ("https://up.example.evil.example/mcp", "https://up.example/mcp", False),
        ("https://up.example@evil.example/mcp", "https://up.example/mcp", False),
        ("not a url", "https://up.example/mcp", False),
    ],
)
def test_a_resource_covers_its_own_origin_and_whole_segments(resource: str, url: str, does: bool) -> None:
    assert covers(resource, url) is does


def test_an_issuer_is_equal_or_another() -> None:
    assert same_issuer("https://as.example", "https://as.example/")
    assert not same_issuer("https://as.example/a", "https://as.example/a/")
    assert not same_issuer("https://as.example", "https://as.example.evil")
    assert canonical("https://UP.example:443/?q#f") == "https://up.example"


@pytest.mark.parametrize(
    ("header", "params"),
    [
        ('Bearer error="invalid_token", scope="a b"', {"error": "invalid_token", "scope": "a b"}),
        ('Basic realm="x, y", Bearer scope=a, DPoP algs="ES256"', {"scope": "a"}),
        ('Negotiate abc==, bearer realm="\\"q\\""', {"realm": '"q"'}),
        ('Bearer error_scope="no", scope="yes", scope="again"', {"error_scope": "no", "scope": "yes"}),
        ("Basic scope=no", {}),
        ('Bearer scope="never closed', {}),
        ("", {}),
    ],
)
def test_challenges_are_read_as_they_are_written(header: str, params: dict[str, str]) -> None:
    assert bearer_params(header) == params


@pytest.mark.parametrize(
    ("resource", "server_says", "said"),
    [
        ({"resource": "https://other.example/mcp"}, {}, "describe another resource"),
        ({"resource": None}, {}, "describe another resource"),
        ({}, {"issuer": "https://other.example"}, "those of another issuer"),
        ({}, {"code_challenge_methods_supported": ["plain"]}, "does not offer PKCE"),
        ({}, {"code_challenge_methods_supported": None}, "does not offer PKCE"),
        ({}, {"token_endpoint": None}, "name no token_endpoint"),
        ({}, {"token_endpoint": "http://as.example/token"}, "plain http"),
        ({}, {"authorization_endpoint": "javascript:alert(1)"}, "not an http(s) URL"),
        ({"authorization_servers": ["http://as.example"]}, {}, "plain http"),
        ({"authorization_servers": ["https://10.1.2.3"]}, {}, "10.1.2.3, or the size"),
        ({"authorization_servers": ["https://169.254.169.254"]}, {}, "169.254.169.254, or the size"),
    ],
)
async def test_what_does_not_fit_together_stops(
    open_gateway: Open,
    server: AuthorizationServer,
    upstream: Upstream,
    resource: dict[str, Any],
    server_says: dict[str, Any],
    said: str,
) -> None:
    upstream.metadata = resource
    server.changes = server_says
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    answer = await call(running, "a", ALICE)
    assert answer.status_code in (502, 503), answer.text
    assert said in answer.text
    assert server.calls["register"] == server.calls["authorize"] == 0


async def test_an_upstream_without_metadata_is_its_own_server(open_gateway: Open) -> None:
    async with AuthorizationServer() as server, Upstream(server) as upstream:
        upstream.metadata = None
        running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
        asked = await call(running, "a", ALICE)
        assert asked.status_code == 412
        assert server.calls["metadata"] == 0, "the upstream never named this server"


async def test_a_server_below_a_path_is_found(open_gateway: Open) -> None:
    async with AuthorizationServer("/tenant/one") as server, Upstream(server) as upstream:
        running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
        await connect(running, "a", ALICE)
        assert (await call(running, "a", ALICE)).status_code == 200


async def test_scopes_come_from_the_challenge_and_then_from_the_metadata(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    rows: dict[str, Any] = {
        "challenged": {"url": upstream.url, "auth": PER_USER},
        "configured": {"url": upstream.url, "auth": {**PER_USER, "scopes": ["mine"], "issuer": server.url}},
    }
    running = await open_gateway(rows)
    for id in rows:
        await connect(running, id, ALICE)
    upstream.scope = ""
    again = await open_gateway({"metadata": rows["challenged"]})
    server.changes["scopes_supported"] = ["offline_access", "read"]
    await connect(again, "metadata", ALICE)
    asked = [query.get("scope") for query in server.authorizations]
    assert asked[:2] == ["read", "mine"]
    assert asked[2] == "read write offline_access"
    assert server.authorizations[2]["prompt"] == "consent"


async def test_a_server_that_moved_gets_a_client_of_its_own_and_no_old_token(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    old_refresh = next(iter(server.refreshes))
    async with AuthorizationServer() as moved:
        upstream.server = moved
        await connect(running, "a", ALICE)
        served = await call(running, "a", ALICE)
        assert served.status_code == 200
        assert moved.calls["register"] == 1
        assert old_refresh not in str(moved.forms)
        assert server.revoked == [old_refresh]


async def test_a_configured_secret_goes_to_no_other_server_than_the_first(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    secret = "s3cret/with +odd: characters"
    auth = {"mode": "authorization_code", "client_id": "gateway", "client_secret": secret}
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    await connect(running, "a", ALICE)
    async with AuthorizationServer() as moved:
        upstream.server = moved
        asked = await call(running, "a", ALICE)
        assert asked.status_code == 412
        async with Browser(running) as browser:
            stopped = await browser.submit(await browser.sign_in(ALICE, asked.json()["consent"]))
        assert stopped.status_code == 502
        assert "write issuer beside client_id" in stopped.text
        assert moved.calls["authorize"] == moved.calls["token authorization_code"] == 0


async def test_a_metadata_document_is_the_client_where_servers_take_one(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    url = "https://gateway.example/connections/client.json"
    server.changes["client_id_metadata_document_supported"] = True
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}}, public_url="https://gateway.example")
    asked = await call(running, "a", ALICE)
    assert asked.json()["consent"].startswith("https://gateway.example/connections/consent/")
    async with Browser(running) as browser:
        document = (await browser.get("/connections/client.json")).json()
    assert document["client_id"] == url
    assert document["redirect_uris"] == ["https://gateway.example/connections/callback"]
    assert document["token_endpoint_auth_method"] == "none"
    assert server.calls["register"] == 0


async def test_an_upstream_nobody_vouches_for_reaches_no_private_address(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway(
        {"a": {"url": upstream.url, "auth": PER_USER}}, untrusted=True, routeiq={"egress": {"allow": []}}
    )
    answer = await call(running, "a", ALICE)
    assert answer.status_code == 502
    assert "rules of egress" in answer.text
    assert upstream.seen == []
    assert server.calls.total() == 0


async def test_endpoints_that_the_operator_wrote_need_no_discovery(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    auth = {
        "mode": "authorization_code",
        "client_id": "gateway",
        "client_secret": "s3cret/with +odd: characters",
        "authorization_url": f"{server.url}/authorize",
        "token_url": f"{server.url}/token",
    }
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    await connect(running, "a", ALICE)
    assert (await call(running, "a", ALICE)).status_code == 200
    assert server.calls["metadata"] == server.calls["register"] == 0
