"""Promise: the authorization server of the OAuth tests does by itself what they count on, each grant walked once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from .authorization_server import (
    ACCESS_TOKEN,
    ID_JAG,
    ID_TOKEN,
    JWT_BEARER,
    TOKEN_EXCHANGE,
    AuthorizationServer,
    Exchange,
    IdentityAssertions,
    answered,
    authorization_server,
    sign_in,
)
from .serving import serving

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them
BACK = "http://127.0.0.1:9/back"
FILES, MAIL = "http://127.0.0.1:9/files/mcp", "http://127.0.0.1:9/mail/mcp"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[AuthorizationServer]:
    async with authorization_server(resources={FILES: "mcp:read mcp:call", MAIL: "mcp:read"}) as started:
        yield started


async def test_both_users_get_tokens_of_their_own_for_one_resource(server: AuthorizationServer) -> None:
    client = await _registered(server)
    for user in ("alice", "bob"):
        tokens = await _tokens(server, client, user, FILES, "openid mcp:read")
        claims = await server.claims(tokens["access_token"], FILES)
        assert claims["sub"] == user
        assert claims["scope"].split() == ["mcp:read"]
        with pytest.raises(jwt.InvalidAudienceError):
            await server.claims(tokens["access_token"], MAIL)
    counts = await server.counts()
    assert counts.success == {"authorization_code": 2}
    assert counts.registration == 1


async def test_the_metadata_says_what_an_mcp_client_looks_for(server: AuthorizationServer) -> None:
    async with httpx.AsyncClient() as http:
        plain = (await http.get(f"{server.url}/.well-known/oauth-authorization-server")).json()
        openid = (await http.get(f"{server.url}/.well-known/openid-configuration")).json()
    for metadata in (plain, openid):
        assert metadata["issuer"] == server.url
        assert metadata["code_challenge_methods_supported"] == ["S256"]
        assert metadata["authorization_response_iss_parameter_supported"] is True
        assert metadata["client_id_metadata_document_supported"] is True
        assert metadata["registration_endpoint"] == f"{server.url}/reg"
        assert {TOKEN_EXCHANGE, JWT_BEARER, "client_credentials"} <= set(metadata["grant_types_supported"])


async def test_a_code_without_pkce_or_for_an_unknown_resource_is_refused(server: AuthorizationServer) -> None:
    client = await _registered(server)
    plain = {"client_id": client["client_id"], "response_type": "code", "redirect_uri": BACK, "resource": FILES}
    refused = answered(await sign_in(f"{server.url}/auth?{urlencode(plain)}", "alice"))
    assert refused["error"] == "invalid_request"
    unknown = {**plain, "resource": "http://127.0.0.1:9/other", **_challenge("v" * 43)}
    assert answered(await sign_in(f"{server.url}/auth?{urlencode(unknown)}", "alice"))["error"] == "invalid_target"


async def test_a_user_who_denies_comes_back_with_access_denied(server: AuthorizationServer) -> None:
    client = await _registered(server)
    url, _ = _authorization_url(server, client, FILES, "mcp:read")
    back = answered(await sign_in(url, "alice", allow=False))
    assert (back["error"], back["iss"]) == ("access_denied", server.url)


async def test_a_refresh_token_is_used_once(server: AuthorizationServer) -> None:
    client = await _registered(server)
    first = await _tokens(server, client, "alice", FILES, "mcp:read")
    refresh = {"grant_type": "refresh_token", "client_id": client["client_id"]}
    second = await server.token(**refresh, refresh_token=first["refresh_token"])
    assert second.status_code == 200
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert (await server.claims(second.json()["access_token"], FILES))["sub"] == "alice"
    again = await server.token(**refresh, refresh_token=first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    counts = await server.counts()
    assert (counts.success["refresh_token"], counts.error["refresh_token"]) == (1, 1)


@pytest.mark.parametrize("by", ["its client", "the server"])
async def test_what_was_revoked_cannot_be_refreshed(server: AuthorizationServer, by: str) -> None:
    client = await _registered(server)
    tokens = {user: await _tokens(server, client, user, FILES, "mcp:read") for user in ("alice", "bob")}
    if by == "its client":
        form = {"token": tokens["alice"]["refresh_token"], "client_id": client["client_id"]}
        async with httpx.AsyncClient() as http:
            assert (await http.post(f"{server.url}/token/revocation", data=form)).status_code == 200
    else:
        await server.revoke_user("alice")
    refresh = {"grant_type": "refresh_token", "client_id": client["client_id"]}
    gone = await server.token(**refresh, refresh_token=tokens["alice"]["refresh_token"])
    kept = await server.token(**refresh, refresh_token=tokens["bob"]["refresh_token"])
    assert (gone.status_code, gone.json()["error"], kept.status_code) == (400, "invalid_grant", 200)


async def test_client_credentials_by_secret_and_by_private_key(server: AuthorizationServer) -> None:
    known = await _registered(server, "client_credentials", token_endpoint_auth_method="client_secret_basic")
    secret = (known["client_id"], known["client_secret"])
    by_secret = await server.token(secret, grant_type="client_credentials", resource=FILES, scope="mcp:call")
    key = ec.generate_private_key(ec.SECP256R1())
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k1", "alg": "ES256", "use": "sig"}
    public.pop("key_ops", None)
    method = {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256"}
    keyed = await _registered(server, "client_credentials", **method, jwks={"keys": [public]})
    name, now = keyed["client_id"], int(time.time())
    about = {"iss": name, "sub": name, "aud": server.url, "iat": now, "exp": now + 60, "jti": secrets.token_hex(8)}
    by_key = await server.token(
        grant_type="client_credentials",
        resource=FILES,
        scope="mcp:call",
        client_id=name,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=jwt.encode(about, key, algorithm="ES256", headers={"kid": "k1"}),
    )
    for answer, client_id in ((by_secret, known["client_id"]), (by_key, name)):
        assert answer.status_code == 200, answer.text
        claims = await server.claims(answer.json()["access_token"], FILES)
        assert (claims["sub"], claims["scope"]) == (client_id, "mcp:call")
    wrong = await server.token((known["client_id"], "wrong"), grant_type="client_credentials", resource=FILES)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


async def test_a_client_is_known_by_its_metadata_document(server: AuthorizationServer) -> None:
    name = "https://client.example.test/oauth/client.json"
    document = {
        "client_id": name,
        "client_name": "A test",
        "redirect_uris": [BACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "application_type": "native",
    }

    async def serve(request: Request) -> JSONResponse:
        return JSONResponse(document)

    async with serving(Starlette(routes=[Route("/oauth/client.json", serve)])) as base:
        await server.serve_client_documents("https://client.example.test", base)
        tokens = await _tokens(server, {"client_id": name}, "bob", FILES, "mcp:read")
    assert (await server.claims(tokens["access_token"], FILES))["client_id"] == name
    assert (await server.counts()).registration == 0


async def test_an_exchange_names_the_actor_and_never_widens(server: AuthorizationServer) -> None:
    gateway = await _registered(server, TOKEN_EXCHANGE, token_endpoint_auth_method="client_secret_basic")
    front = "http://127.0.0.1:9/gateway"
    await server.allow(front, scope="mcp:read")
    rule = Exchange(gateway["client_id"], audiences=(FILES,), subject_audiences=(front,))
    await server.allow_exchange(rule)
    user = await _tokens(server, await _registered(server), "alice", front, "mcp:read")
    stranger = await _tokens(server, await _registered(server), "alice", MAIL, "mcp:read")

    async def exchange(subject: str, **more: str) -> httpx.Response:
        secret = (gateway["client_id"], gateway["client_secret"])
        given = {"subject_token": subject, "subject_token_type": ACCESS_TOKEN, **more}
        return await server.token(secret, grant_type=TOKEN_EXCHANGE, **given)

    done = await exchange(user["access_token"], audience=FILES, scope="mcp:read")
    assert done.status_code == 200, done.text
    assert done.json()["issued_token_type"] == ACCESS_TOKEN
    claims = await server.claims(done.json()["access_token"], FILES)
    assert (claims["sub"], claims["act"], claims["scope"]) == ("alice", {"sub": gateway["client_id"]}, "mcp:read")
    assert (await exchange(user["access_token"], audience=FILES, scope="mcp:call")).json()["error"] == "invalid_scope"
    assert (await exchange(user["access_token"], audience=MAIL)).json()["error"] == "invalid_target"
    assert (await exchange(stranger["access_token"], audience=FILES)).json()["error"] == "invalid_grant"
    assert (await exchange(user["access_token"] + "x", audience=FILES)).json()["error"] == "invalid_grant"


async def test_an_identity_assertion_is_good_once_at_the_server_it_names(server: AuthorizationServer) -> None:
    gateway = await _registered(server, TOKEN_EXCHANGE, token_endpoint_auth_method="client_secret_basic")
    secret = (gateway["client_id"], gateway["client_secret"])
    login = await _tokens(server, gateway, "alice", None, "openid", auth=secret)
    async with authorization_server(resources={FILES: "mcp:read"}) as other:
        there = await _registered(other, JWT_BEARER, token_endpoint_auth_method="client_secret_basic")
        secret_there = (there["client_id"], there["client_secret"])
        await other.trust(server.url)
        rules = (
            Exchange(gateway["client_id"]),
            IdentityAssertions(gateway["client_id"], other.url, there["client_id"], "mcp:read"),
        )
        await server.allow_exchange(*rules)
        asked = {
            "subject_token": login["id_token"],
            "subject_token_type": ID_TOKEN,
            "requested_token_type": ID_JAG,
            "audience": other.url,
            "resource": FILES,
            "scope": "mcp:read",
        }
        made = await server.token(secret, grant_type=TOKEN_EXCHANGE, **asked)
        assert made.status_code == 200, made.text
        assert (made.json()["issued_token_type"], made.json()["token_type"]) == (ID_JAG, "N_A")
        assertion = made.json()["access_token"]
        assert jwt.get_unverified_header(assertion)["typ"] == "oauth-id-jag+jwt"
        taken = await other.token(secret_there, grant_type=JWT_BEARER, assertion=assertion)
        again = await other.token(secret_there, grant_type=JWT_BEARER, assertion=assertion)
        claims = await other.claims(taken.json()["access_token"], FILES)
        elsewhere = await server.token(
            secret, grant_type=TOKEN_EXCHANGE, **{**asked, "audience": "http://127.0.0.1:9/as"}
        )
    assert (claims["sub"], claims["scope"]) == ("alice", "mcp:read")
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert elsewhere.json()["error"] == "invalid_target"


async def test_it_fails_and_dawdles_when_told_and_counts_all_the_same(server: AuthorizationServer) -> None:
    known = await _registered(server, "client_credentials", token_endpoint_auth_method="client_secret_basic")
    secret = (known["client_id"], known["client_secret"])

    async def ask() -> int:
        return (await server.token(secret, grant_type="client_credentials", resource=FILES)).status_code

    await server.fail(503, times=2)
    assert [await ask() for _ in range(3)] == [503, 503, 200]
    await server.fail(500)
    assert [await ask() for _ in range(2)] == [500, 500]
    await server.fail(0)
    await server.reset_counts()
    assert await asyncio.gather(*(ask() for _ in range(10))) == [200] * 10
    counts = await server.counts()
    assert (counts.token, counts.success) == (10, {"client_credentials": 10})


async def test_lifetimes_can_be_changed_while_it_runs(server: AuthorizationServer) -> None:
    client = await _registered(server)
    await server.lifetimes(access_seconds=5)
    tokens = await _tokens(server, client, "alice", FILES, "mcp:read")
    claims = await server.claims(tokens["access_token"], FILES)
    assert claims["exp"] - claims["iat"] == 5


async def test_the_second_sign_in_of_one_browser_needs_no_password(server: AuthorizationServer) -> None:
    client = await _registered(server)
    async with httpx.AsyncClient() as browser:
        for _ in range(2):
            url, _verifier = _authorization_url(server, client, FILES, "mcp:read")
            assert "code" in answered(await sign_in(url, "alice", browser=browser))
        alone = await browser.get(_authorization_url(server, client, FILES, "mcp:read")[0])
    assert alone.is_redirect


async def _registered(server: AuthorizationServer, *grants: str, **metadata: Any) -> dict[str, Any]:
    allowed = [*grants, "authorization_code", "refresh_token"]
    named = {"redirect_uris": [BACK], "grant_types": allowed, "application_type": "native"}
    return await server.register(**{"token_endpoint_auth_method": "none", **named, **metadata})


def _challenge(verifier: str) -> dict[str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return {"code_challenge": digest, "code_challenge_method": "S256"}


def _authorization_url(
    server: AuthorizationServer, client: dict[str, Any], resource: str | None, scope: str
) -> tuple[str, str]:
    verifier = secrets.token_urlsafe(40)
    query = {
        "client_id": client["client_id"],
        "response_type": "code",
        "redirect_uri": BACK,
        "scope": scope,
        "state": "a state",
        **({"resource": resource} if resource else {}),
        **_challenge(verifier),
    }
    return f"{server.url}/auth?{urlencode(query)}", verifier


async def _tokens(
    server: AuthorizationServer,
    client: dict[str, Any],
    user: str,
    resource: str | None,
    scope: str,
    *,
    auth: tuple[str, str] | None = None,
) -> dict[str, Any]:
    url, verifier = _authorization_url(server, client, resource, scope)
    back = answered(await sign_in(url, user))
    assert (back.get("state"), back.get("iss")) == ("a state", server.url), back
    form = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": BACK, "code_verifier": verifier}
    if resource:
        form["resource"] = resource
    if auth is None:
        form["client_id"] = client["client_id"]
    answer = await server.token(auth, **form)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens
