"""The MCP SDK's own OAuth client finds its way from a resource's bare address to an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway

from .behind import Behind
from .browser import Browser, Page
from .documents import Documents

OpenBrowser = Callable[[TestGateway], Awaitable[Browser]]
CALLBACK = "http://127.0.0.1:33418/callback"


class Storage:
    """What the client keeps."""

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
    """Ann, who opens what the client gives her and says yes. `asked` counts how often."""

    def __init__(self, browser: Browser, callback: str = CALLBACK) -> None:
        self._browser = browser
        self._callback = callback
        self._page: Page
        self.asked = 0

    async def open(self, url: str) -> None:
        """Go where the client says."""
        page = await self._browser.get(url)
        if 'name="key"' in page.text:
            page = await self._browser.sign_in(page, "sk-ann")
        self.asked += 1
        self._page = page if page.elsewhere is not None else await self._browser.press(page, answer="allow")

    async def come_back(self) -> AuthorizationCodeResult:
        """What arrives at the client's callback."""
        assert str(self._page.elsewhere).startswith(self._callback)
        told = self._page.told
        return AuthorizationCodeResult(code=told["code"], state=told.get("state"), iss=told.get("iss"))


def provider(url: str, person: Person, storage: Storage, callback: str = CALLBACK, **more: Any) -> OAuthClientProvider:
    """The SDK's client for one resource."""
    metadata = OAuthClientMetadata(
        client_name="The SDK",
        redirect_uris=[AnyUrl(callback)],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(
        url, metadata, storage, redirect_handler=person.open, callback_handler=person.come_back, **more
    )


@pytest.mark.parametrize("path", ["/github/mcp", "/mcp"])
async def test_it_registers_asks_and_calls(served: TestGateway, browser: Browser, path: str) -> None:
    person, storage = Person(browser), Storage()
    auth = provider(served.url + path, person, storage)
    async with httpx2.AsyncClient(auth=auth) as client:
        first = await client.post(served.url + path)
        second = await client.post(served.url + path)

    assert (first.status_code, first.json()["user"]) == (200, "ann")
    assert second.status_code == 200
    assert person.asked == 1
    assert storage.client is not None
    assert str(storage.client.client_id).startswith("dcr-")
    assert storage.tokens is not None
    assert storage.tokens.refresh_token is not None


async def test_it_refreshes_without_its_person(served: TestGateway, browser: Browser) -> None:
    person, storage, url = Person(browser), Storage(), served.url + "/github/mcp"
    auth = provider(url, person, storage)
    async with httpx2.AsyncClient(auth=auth) as client:
        await client.post(url)
        assert storage.tokens is not None
        before = storage.tokens.access_token
        auth.context.token_expiry_time = 1.0
        answer = await client.post(url)

    assert answer.status_code == 200
    assert storage.tokens.access_token != before
    assert person.asked == 1


async def test_it_steps_up_when_a_call_needs_more(served: TestGateway, browser: Browser) -> None:
    """The token is narrowed first, as by a client that began with fewer scopes."""
    person, storage, url = Person(browser), Storage(), served.url + "/github/mcp"
    auth = provider(url, person, storage)
    async with httpx2.AsyncClient(auth=auth) as client:
        await client.post(url)
        assert storage.tokens is not None
        assert storage.client is not None
        narrow = await httpx2.AsyncClient().post(
            served.url + "/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": storage.tokens.refresh_token,
                "client_id": storage.client.client_id,
                "scope": "read",
            },
        )
        auth.context.current_tokens = OAuthToken.model_validate(narrow.json())
        answer = await client.post(url, params={"needs": "read write"})

    assert answer.status_code == 200
    assert answer.json()["attributes"]["scopes"] == ["read", "write"]
    assert person.asked == 2


async def test_it_is_known_by_its_metadata_document(
    gateway: StartGateway, behind: type[Behind], open_browser: OpenBrowser, tmp_path: Path
) -> None:
    async with Documents(tmp_path / "documents") as documents:
        callback = "https://editor.example/callback"
        served = await gateway(
            {
                "model_list": [],
                "litellm_settings": {"ssl_verify": str(documents.certificate)},
                "routeiq": {
                    "plugins": {"oauth": {"authorization_server": {"enabled": True}}, "test-behind": {}},
                    "egress": {"allow": ["127.0.0.0/8"]},
                },
            }
        )
        person, storage, url = Person(await open_browser(served), callback), Storage(), served.url + "/github/mcp"
        auth = provider(url, person, storage, callback, client_metadata_url=documents.client_id())
        async with httpx2.AsyncClient(auth=auth) as client:
            answer = await client.post(url)

    assert answer.status_code == 200
    assert answer.json()["attributes"]["client_id"] == documents.client_id()
