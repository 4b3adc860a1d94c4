"""What a person granted can be seen and taken back, by that person and by an administrator, and by nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from routeiq_sdk import Event
from routeiq_testkit.gateway import TestGateway

from .browser import Browser
from .client import Client

OpenBrowser = Callable[[TestGateway], Awaitable[Browser]]


async def grants(gateway: TestGateway, key: str) -> list[dict[str, Any]]:
    """What the holder of a key granted."""
    async with gateway.session.get("/v1/oauth/grants", headers={"authorization": f"Bearer {key}"}) as response:
        assert response.status == 200
        told: list[dict[str, Any]] = (await response.json())["data"]
        return told


async def delete(gateway: TestGateway, path: str, key: str) -> int:
    """Take something back."""
    async with gateway.session.delete(path, headers={"authorization": f"Bearer {key}"}) as response:
        return response.status


async def test_a_person_sees_what_was_granted_and_takes_it_back(
    served: TestGateway, browser: Browser, client: Client
) -> None:
    told = await client.tokens(browser)
    (grant,) = await grants(served, "sk-ann")
    assert (grant["client_id"], grant["client_name"], grant["resource"]) == ("editor", "Editor", client.resource)
    assert (grant["scopes"], grant["refreshes"]) == (["read"], True)
    assert await grants(served, "sk-bob") == []

    assert await delete(served, f"/v1/oauth/grants/{grant['id']}", "sk-bob") == 404
    assert (await client.call(told["access_token"]))[0] == 200
    assert await delete(served, f"/v1/oauth/grants/{grant['id']}", "sk-ann") == 200

    assert (await client.call(told["access_token"]))[0] == 401
    assert (await client.refresh(told["refresh_token"]))[0] == 400
    assert await grants(served, "sk-ann") == []
    assert (await client.ask(browser)).elsewhere is None, "the consent is forgotten, too"


async def test_the_page_does_the_same(served: TestGateway, browser: Browser, client: Client) -> None:
    told = await client.tokens(browser)
    page = await browser.get("/authorize/clients")
    assert "Editor" in page.text

    forged = await browser.press(page, csrf="x")
    assert forged.status == 403
    assert (await client.call(told["access_token"]))[0] == 200

    page = await browser.press(page)
    assert "No client may act for you" in page.text
    assert (await client.call(told["access_token"]))[0] == 401


async def test_the_page_asks_who_is_there(browser: Browser) -> None:
    assert 'name="key"' in (await browser.get("/authorize/clients")).text


async def test_the_page_ends_nothing_of_somebody_else(
    served: TestGateway, browser: Browser, client: Client, open_browser: OpenBrowser
) -> None:
    told = await client.tokens(browser)
    (grant,) = await grants(served, "sk-ann")
    bobs = await open_browser(served)
    await client.tokens(bobs, key="sk-bob")
    page = await bobs.get("/authorize/clients")

    await bobs.press(page, grant=grant["id"])

    assert (await client.call(told["access_token"]))[0] == 200


async def test_an_administrator_ends_all_of_a_person(served: TestGateway, browser: Browser, client: Client) -> None:
    first, second = await client.tokens(browser), await client.tokens(browser)

    assert await delete(served, "/v1/oauth/users/ann/grants", "sk-bob") in (401, 403)
    assert (await client.call(first["access_token"]))[0] == 200
    assert await delete(served, "/v1/oauth/users/ann/grants", served.key) == 200

    for told in (first, second):
        assert (await client.call(told["access_token"]))[0] == 401


async def test_whoever_is_deactivated_granted_nothing_any_more(
    served: TestGateway, browser: Browser, client: Client, open_browser: OpenBrowser
) -> None:
    told = await client.tokens(browser)
    bobs = await client.tokens(await open_browser(served), key="sk-bob")
    (oauth,) = [member.instance for member in served.runtime.plugins.members if member.name == "oauth"]
    await oauth.emit([Event("routeiq.scim.v1", 0, {"what": "user.deactivated", "id": "ann"})])
    assert (await client.call(told["access_token"]))[0] == 401
    assert (await client.refresh(told["refresh_token"]))[0] == 400
    assert await grants(served, "sk-ann") == []
    assert (await client.call(bobs["access_token"]))[0] == 200


async def test_a_key_without_a_person_has_granted_nothing(served: TestGateway) -> None:
    async with served.session.get("/v1/oauth/grants", headers={"authorization": "Bearer sk-robot"}) as response:
        assert response.status == 403


@pytest.mark.parametrize("token", ["access_token", "refresh_token"])
async def test_a_clients_token_is_no_key_to_the_list(
    served: TestGateway, browser: Browser, client: Client, token: str
) -> None:
    told = await client.tokens(browser)

    async with served.session.get("/v1/oauth/grants", headers={"authorization": f"Bearer {told[token]}"}) as response:
        assert response.status == 401
