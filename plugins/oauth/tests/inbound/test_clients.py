"""Clients that nobody configured: known by their metadata documents, or registered; fetched and kept within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway

from .behind import Behind
from .browser import Browser
from .client import Client
from .conftest import CLIENTS, REDIRECT
from .documents import Documents

OpenBrowser = Callable[[TestGateway], Awaitable[Browser]]
Start = Callable[..., Awaitable[TestGateway]]


@pytest_asyncio.fixture
async def documents(tmp_path: Path) -> AsyncIterator[Documents]:
    """Where clients publish their documents."""
    async with Documents(tmp_path / "documents") as documents:
        yield documents


@pytest.fixture
def start(gateway: StartGateway, behind: type[Behind], documents: Documents) -> Start:
    """A function that starts a gateway that trusts the documents' server, and may call it."""

    async def start(*, allowed: bool = True, **server: Any) -> TestGateway:
        return await gateway(
            {
                "model_list": [],
                "litellm_settings": {"ssl_verify": str(documents.certificate)},
                "routeiq": {
                    "plugins": {
                        "oauth": {"authorization_server": {"enabled": True, "clients": CLIENTS, **server}},
                        "test-behind": {},
                    },
                    **({"egress": {"allow": ["127.0.0.0/8"]}} if allowed else {}),
                },
            }
        )

    return start


async def test_a_client_is_known_by_its_document(start: Start, documents: Documents, open_browser: OpenBrowser) -> None:
    gateway = await start()
    async with Client(gateway.url, documents.client_id(), REDIRECT) as client:
        browser = await open_browser(gateway)
        page = await client.ask(browser)
        assert "Wandering editor" in page.text
        assert documents.client_id() in page.text
        assert "nobody checked it" in page.text
        told = await client.tokens(browser)
        status, seen, _ = await client.call(told["access_token"])

    assert (status, seen["attributes"]["client_id"]) == (200, documents.client_id())
    assert "refresh_token" in told
    assert documents.calls["client"] == 1, "a document is remembered"


@pytest.mark.parametrize("name", ["redirect", "missing", "endless", "text"])
async def test_a_document_that_cannot_be_had_is_no_client(
    start: Start, documents: Documents, open_browser: OpenBrowser, name: str
) -> None:
    gateway = await start()
    async with Client(gateway.url, documents.client_id(name), REDIRECT) as client:
        browser = await open_browser(gateway)
        pages = [await browser.get("/authorize", **client.question()) for _ in range(3)]
        status, told = await client.redeem("x")

    assert [(page.status, page.elsewhere) for page in pages] == [(400, None)] * 3
    assert (status, told["error"]) == (400, "invalid_client")
    assert documents.calls[name] == 1, "a failure is remembered for a moment, too"
    assert documents.calls["client"] == 0, "no redirect is followed"
    assert documents.calls["blocks"] < 50 * 1024, "nobody waits for the end of a document without one"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://elsewhere.example/client"},
        {"client_id": None},
        {"redirect_uris": []},
        {"redirect_uris": None},
        {"redirect_uris": "https://editor.example/callback"},
        {"redirect_uris": [REDIRECT, "http://editor.example/callback"]},
        {"redirect_uris": [REDIRECT, "javascript:alert(1)"]},
        {"redirect_uris": [REDIRECT, "data:text/html,x"]},
        {"redirect_uris": [REDIRECT, "https://editor.example/#x"]},
        {"redirect_uris": [f"https://editor.example/{number}" for number in range(30)]},
        {"client_secret": "not so secret"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"response_types": ["token"]},
        {"grant_types": ["client_credentials"]},
    ],
)
async def test_a_document_that_says_something_else_is_no_client(
    start: Start, documents: Documents, open_browser: OpenBrowser, changes: dict[str, Any]
) -> None:
    documents.changes = changes
    gateway = await start()
    async with Client(gateway.url, documents.client_id(), REDIRECT) as client:
        page = await (await open_browser(gateway)).get("/authorize", **client.question())

    assert (page.status, page.elsewhere) == (400, None)
    assert documents.calls["client"] == 1


async def test_private_addresses_are_never_asked_for_a_document(
    start: Start, documents: Documents, open_browser: OpenBrowser
) -> None:
    gateway = await start(allowed=False)
    browser = await open_browser(gateway)
    for id in (
        documents.client_id(),
        documents.client_id().replace("127.0.0.1", "localhost"),
        documents.client_id().replace("127.0.0.1", "[::1]"),
        documents.client_id().replace("127.0.0.1", "2130706433"),
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/client",
        "https://metadata.google.internal/client",
    ):
        async with Client(gateway.url, id, REDIRECT) as client:
            page = await browser.get("/authorize", **client.question())
            assert (page.status, page.elsewhere) == (400, None), id

    assert not documents.calls


@pytest.mark.parametrize(
    "id",
    [
        "http://editor.example/client",
        "https://editor.example",
        "https://editor.example/",
        "https://editor.example/a/../client",
        "https://editor.example/a/%2e%2e/client",
        "https://editor.example/client#x",
        "https://user:secret@editor.example/client",
        "https://editor.example:x/client",
        "https://editor.example/" + "x" * 1100,
        "https:///client",
        "https://ed\u0456tor.example/client",
    ],
)
async def test_only_a_plain_https_url_is_a_client_id(
    served: TestGateway, browser: Browser, client: Client, id: str
) -> None:
    page = await browser.get("/authorize", **client.question(client_id=id))

    assert (page.status, page.elsewhere) == (400, None)
    assert "no URL of a metadata document" in page.text


async def test_documents_can_be_turned_off(start: Start, documents: Documents, open_browser: OpenBrowser) -> None:
    gateway = await start(metadata_documents=False)
    async with Client(gateway.url, documents.client_id(), REDIRECT) as client:
        page = await (await open_browser(gateway)).get("/authorize", **client.question())

    assert page.status == 400
    assert not documents.calls


async def register(gateway: TestGateway, **metadata: Any) -> tuple[int, dict[str, Any]]:
    """Register a client."""
    async with gateway.session.post("/register", json={"redirect_uris": [REDIRECT], **metadata}) as response:
        return response.status, await response.json()


async def test_a_client_registers_and_asks(served: TestGateway, browser: Browser) -> None:
    status, told = await register(
        served, client_name="New", token_endpoint_auth_method="none", grant_types=["authorization_code"]
    )
    assert status == 201
    assert told["client_id"].startswith("dcr-")
    assert "client_secret" not in told
    async with Client(served.url, told["client_id"], REDIRECT) as client:
        tokens = await client.tokens(browser)

    assert "refresh_token" not in tokens, "it did not say that it uses them"


async def test_a_registered_client_with_a_secret_has_to_show_it(served: TestGateway, browser: Browser) -> None:
    _, told = await register(served)
    assert told["token_endpoint_auth_method"] == "client_secret_basic"
    async with Client(served.url, told["client_id"], REDIRECT) as client:
        code = await client.code(browser)
        assert (await client.redeem(code))[0] == 401
        assert (await client.redeem(code, client_secret=told["client_secret"]))[0] == 200


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://editor.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://editor.example/cb#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a@b.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [7]}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
        ({"client_name": "x" * 20_000}, "invalid_client_metadata"),
    ],
)
async def test_a_registration_that_does_not_fit_is_refused(
    served: TestGateway, metadata: dict[str, Any], error: str
) -> None:
    status, told = await register(served, **metadata)
    assert (status, told["error"]) == (400, error)


@pytest.mark.parametrize("body", [b"[]", b"", b"{", b'{"a":1,"a":2}', b"[" * 100_000])
async def test_what_is_no_registration_is_refused(served: TestGateway, body: bytes) -> None:
    async with served.session.post("/register", data=body) as response:
        assert 400 <= response.status < 500


async def test_registrations_are_few(start: Start) -> None:
    gateway = await start(dynamic_registration=True, registrations_per_hour=3)

    seen = [(await register(gateway))[0] for _ in range(5)]

    assert seen == [201, 201, 201, 429, 429]
