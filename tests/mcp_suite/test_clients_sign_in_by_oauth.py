"""Promise: a client that knows a server's address alone comes in by OAuth, in both eras, by the gateway's own server or
by a company's, as the person who agreed and as nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import pytest_asyncio
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from mcp_types import TextContent
from pydantic import AnyUrl

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway

from .authorization_server import AuthorizationServer, authorization_server, sign_in
from .everything import everything
from .signing_in import with_key

CALLBACK = "http://127.0.0.1:9/callback"
Start = Callable[..., Awaitable[TestGateway]]


class Storage:
    """What a client keeps."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Somebody with a browser: `walk` goes from the client's link to where it ends up."""

    def __init__(self, walk: Callable[[str], Awaitable[str]]) -> None:
        self._walk = walk
        self._arrived = ""
        self.asked: list[str] = []

    async def open(self, url: str) -> None:
        """The client shows a link."""
        self.asked.append(url)
        self._arrived = await self._walk(url)

    async def come_back(self) -> AuthorizationCodeResult:
        """What the client hears at its callback."""
        told = {name: values[0] for name, values in parse_qs(urlsplit(self._arrived).query).items()}
        return AuthorizationCodeResult(code=told["code"], state=told.get("state"), iss=told.get("iss"))


@asynccontextmanager
async def connected(
    url: str, person: Person, storage: Storage, mode: Literal["legacy", "auto"] = "auto"
) -> AsyncIterator[Client]:
    """The SDK's client, signed in by its own OAuth."""
    metadata = OAuthClientMetadata(
        client_name="The SDK",
        redirect_uris=[AnyUrl(CALLBACK)],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none",
    )
    auth = OAuthClientProvider(url, metadata, storage, redirect_handler=person.open, callback_handler=person.come_back)
    async with (
        httpx2.AsyncClient(auth=auth, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest_asyncio.fixture
async def start(gateway: StartGateway) -> AsyncIterator[Start]:
    """A function that starts a gateway with governance and one MCP server, and this oauth block."""
    async with everything() as upstream:

        async def start(**oauth: Any) -> TestGateway:
            return await gateway(
                {
                    "model_list": [],
                    "mcp_servers": {"every": {"url": upstream}},
                    "routeiq": {
                        "plugins": {
                            "governance": {},
                            "oauth": oauth,
                            "mcp": {"virtual_servers": {name: {"servers": ["every"]} for name in ("tools", "more")}},
                        }
                    },
                }
            )

        yield start


async def post(gateway: TestGateway, path: str, **body: Any) -> dict[str, Any]:
    """An administrator's request."""
    async with gateway.session.post(path, json=body) as response:
        told: dict[str, Any] = await response.json()
        assert response.status == 200, told
        return told


async def key_of(gateway: TestGateway, user: str) -> dict[str, Any]:
    """A new user with a key."""
    await post(gateway, "/user/new", user_id=user, auto_create_key=False)
    return await post(gateway, "/key/generate", user_id=user)


OWN = {"authorization_server": {"enabled": True, "dynamic_registration": True}}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("path", ["/tools/mcp", "/mcp"])
async def test_by_the_gateways_own_server(start: Start, mode: Literal["legacy", "auto"], path: str) -> None:
    gateway = await start(**OWN)
    person, storage = Person(with_key((await key_of(gateway, "ann"))["key"], CALLBACK)), Storage()

    async with connected(gateway.url + path, person, storage, mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        name = next(name for name in names if name.endswith("test_simple_text"))
        result = await client.call_tool(name, {})

    assert isinstance(result.content[0], TextContent)
    assert not result.is_error
    assert len(person.asked) == 1
    assert storage.client is not None
    assert str(storage.client.client_id).startswith("dcr-")


async def test_a_token_does_no_more_than_the_key_that_signed_in(start: Start) -> None:
    gateway = await start(**OWN)
    made = await key_of(gateway, "ann")
    person, storage = Person(with_key(made["key"], CALLBACK)), Storage()
    url = gateway.url + "/tools/mcp"
    async with connected(url, person, storage) as client:
        await client.list_tools()
    assert storage.tokens is not None
    bearer = {"authorization": f"Bearer {storage.tokens.access_token}"}
    ping = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}

    async def answers() -> int:
        async with gateway.session.post("/tools/mcp", json=ping, headers=bearer) as response:
            return response.status

    assert await answers() != 401
    await post(gateway, "/key/delete", keys=[made["key"]])

    assert await answers() in (401, 403)


async def test_a_token_for_one_virtual_server_opens_no_other(start: Start) -> None:
    gateway = await start(**OWN)
    person, storage = Person(with_key((await key_of(gateway, "ann"))["key"], CALLBACK)), Storage()
    async with connected(gateway.url + "/tools/mcp", person, storage) as client:
        await client.list_tools()
    assert storage.tokens is not None
    bearer = {"authorization": f"Bearer {storage.tokens.access_token}"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for path in ("/more/mcp", "/mcp", "/every/mcp"):
        async with gateway.session.post(path, json=body, headers=bearer) as response:
            assert response.status == 401, path
            metadata = f"{gateway.url}/.well-known/oauth-protected-resource{path}"
            assert metadata in response.headers["www-authenticate"]


async def test_by_a_companys_server(start: Start) -> None:
    async with authorization_server() as company:
        gateway = await start(issuers=[{"issuer": company.url}])
        url = gateway.url + "/tools/mcp"
        await company.allow(url, scope="")
        person, storage = Person(by_company(company, "alice")), Storage()

        async with connected(url, person, storage) as client:
            result = await client.call_tool("test_simple_text", {})

        assert not result.is_error
        assert storage.tokens is not None
        claims = await company.claims(storage.tokens.access_token, url)
        assert claims["sub"] == "alice"
        bearer = {"authorization": f"Bearer {storage.tokens.access_token}"}
        for path in ("/mcp", "/every/mcp"):
            body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            async with gateway.session.post(path, json=body, headers=bearer) as response:
                assert response.status == 401, path


def by_company(company: AuthorizationServer, user: str) -> Callable[[str], Awaitable[str]]:
    """A walk through the company's pages."""

    async def walk(url: str) -> str:
        assert url.startswith(company.url)
        return await sign_in(url, user, stop_at=CALLBACK)

    return walk
