"""A client that knows nothing but a resource's address finds out where to get a token for it."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientSession

from routeiq_testkit.gateway import TestGateway

from .conftest import CLIENTS, Open
from .issuer import Issuer

WELL_KNOWN = "/.well-known/oauth-protected-resource"
SERVER = {"enabled": True, "clients": CLIENTS}


async def fetch(gateway: TestGateway, path: str, **headers: str) -> tuple[int, Any]:
    """A document, without any credential."""
    async with ClientSession() as session, session.get(gateway.url + path, headers=headers) as response:
        return response.status, await response.json()


async def challenge(gateway: TestGateway, path: str, *, credential: str | None = None) -> tuple[int, str]:
    """What a refused call is told."""
    headers = {"authorization": f"Bearer {credential}"} if credential is not None else {}
    async with ClientSession() as session, session.post(gateway.url + path, headers=headers) as response:
        return response.status, response.headers.get("www-authenticate", "")


async def test_a_resource_describes_itself_under_its_path(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}], authorization_server=SERVER)

    assert await fetch(gateway, f"{WELL_KNOWN}/github/mcp") == (
        200,
        {
            "resource": f"{gateway.url}/github/mcp",
            "authorization_servers": [issuer.url, gateway.url],
            "bearer_methods_supported": ["header"],
            "resource_name": "GitHub",
            "scopes_supported": ["read", "write"],
        },
    )


async def test_the_root_describes_everything(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    status, told = await fetch(gateway, WELL_KNOWN)
    assert (status, told["resource"]) == (200, f"{gateway.url}/mcp")
    assert (await fetch(gateway, f"{WELL_KNOWN}/mcp"))[1] == told


async def test_the_resource_is_what_the_client_used(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    port = gateway.url.rpartition(":")[2]

    _, by_name = await fetch(gateway, f"{WELL_KNOWN}/mcp/files", host=f"localhost:{port}")
    assert by_name["resource"] == f"http://localhost:{port}/mcp/files"


async def test_a_host_that_is_not_the_gateways_gets_nothing(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    async with (
        ClientSession() as session,
        session.get(gateway.url + WELL_KNOWN, headers={"host": "evil.example"}) as answer,
    ):
        assert answer.status >= 400
        assert "authorization_servers" not in await answer.text()


async def test_a_public_url_is_what_counts(open_gateway: Open, issuer: Issuer) -> None:
    public = "https://gw.example/llm"
    gateway = await open_gateway(public_url=public + "/", issuers=[{"issuer": issuer.url}], authorization_server=SERVER)

    for path in ("/github/mcp", "/llm/github/mcp"):
        assert (await fetch(gateway, WELL_KNOWN + path))[1]["resource"] == f"{public}/github/mcp"
    status, told = await challenge(gateway, "/github/mcp")
    assert status == 401
    assert f'resource_metadata="https://gw.example{WELL_KNOWN}/llm/github/mcp"' in told
    token = issuer.token(f"{public}/github/mcp")
    async with gateway.session.post("/github/mcp", headers={"authorization": f"Bearer {token}"}) as response:
        assert response.status == 200
    for name in ("oauth-authorization-server", "openid-configuration"):
        for path in ("", "/llm"):
            assert (await fetch(gateway, f"/.well-known/{name}{path}"))[1]["issuer"] == public
        assert (await fetch(gateway, f"/.well-known/{name}/other"))[0] == 404


async def test_what_is_no_resource_has_no_description(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    for path in ("/plain", "/v1/chat/completions", "/github", "/", "/github/mcp/", "//github/mcp", "/github/mcp%22x"):
        assert (await fetch(gateway, WELL_KNOWN + path))[0] in (404, 400), path


async def test_without_an_issuer_there_is_nothing_to_tell(open_gateway: Open) -> None:
    gateway = await open_gateway()

    async with gateway.session.get(f"{WELL_KNOWN}/github/mcp") as response:
        assert response.status == 404
    assert (await challenge(gateway, "/github/mcp"))[1] == ""


async def test_a_refused_client_is_shown_the_way(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    metadata = f'resource_metadata="{gateway.url}{WELL_KNOWN}/github/mcp"'

    assert await challenge(gateway, "/github/mcp") == (401, f'Bearer {metadata}, scope="read write"')
    for wrong in ("sk-wrong", "eyJhbGciOiJub25lIn0.e30."):
        status, told = await challenge(gateway, "/github/mcp", credential=wrong)
        assert (status, 'error="invalid_token"' in told, metadata in told) == (401, True, True)
    assert "scope=" not in (await challenge(gateway, "/files/mcp"))[1]


async def test_a_call_that_needs_more_scopes_is_told_all_of_them(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    token = issuer.token(gateway.url + "/github/mcp", scope="read")

    status, told = await challenge(gateway, "/github/mcp?needs=read+write", credential=token)

    assert status == 403
    assert 'error="insufficient_scope"' in told
    assert 'scope="read write"' in told
    assert f"{WELL_KNOWN}/github/mcp" in told


async def test_scopes_that_would_break_the_header_are_left_out(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])
    token = issuer.token(gateway.url + "/github/mcp", scope="read")

    _, told = await challenge(gateway, '/github/mcp?needs=read+a"b+c%5Cd', credential=token)

    assert told.startswith("Bearer ")
    assert 'scope="read"' in told


async def test_other_refusals_are_no_challenge(open_gateway: Open, issuer: Issuer) -> None:
    gateway = await open_gateway(issuers=[{"issuer": issuer.url}])

    assert (await challenge(gateway, "/plain"))[0] == 401
    assert "resource_metadata" not in (await challenge(gateway, "/plain"))[1]


async def test_the_server_describes_itself(served: TestGateway) -> None:
    documents = [
        (await fetch(served, f"/.well-known/{name}"))[1]
        for name in ("oauth-authorization-server", "openid-configuration")
    ]

    assert documents[0] == documents[1]
    told = documents[0]
    assert told["issuer"] == served.url
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["client_id_metadata_document_supported"] is True
    assert told["registration_endpoint"] == f"{served.url}/register"
    _, keys = await fetch(served, told["jwks_uri"].removeprefix(served.url))
    assert [sorted(key) for key in keys["keys"]] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]


async def test_registration_is_closed_unless_opened(open_gateway: Open) -> None:
    gateway = await open_gateway(authorization_server=SERVER)

    assert "registration_endpoint" not in (await fetch(gateway, "/.well-known/oauth-authorization-server"))[1]
    async with gateway.session.post("/register", json={"redirect_uris": ["https://x.example/cb"]}) as response:
        assert response.status == 404
