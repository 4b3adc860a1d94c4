"""The token endpoint: one token a code, for whom and what it was granted, and a stolen copy ends what it was copied
from."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey

from routeiq_sdk.values.directory import DirectoryUser
from routeiq_testkit.gateway import TestGateway

from .behind import Behind
from .browser import Browser, Pkce
from .client import Client
from .conftest import CLIENTS, REDIRECT, Open
from .issuer import SigningKey, assembled

OpenBrowser = Callable[[TestGateway], Awaitable[Browser]]


def claims_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token."""
    head, body, _ = token.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body))  # type: ignore[return-value]


async def test_a_code_becomes_a_token_for_this_resource_alone(
    served: TestGateway, browser: Browser, client: Client
) -> None:
    told = await client.tokens(browser)

    header, claims = claims_of(told["access_token"])
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert (claims["iss"], claims["aud"], claims["sub"]) == (served.url, client.resource, "ann")
    assert (claims["client_id"], claims["scope"]) == ("editor", "read")
    assert claims["exp"] - claims["iat"] == told["expires_in"] == 600
    assert (told["token_type"], told["scope"]) == ("Bearer", "read")
    status, seen, _ = await client.call(told["access_token"])
    assert status == 200
    assert (seen["user"], seen["team"], seen["organization"], seen["models"]) == ("ann", "red", "acme", ["fast"])
    assert (seen["attributes"]["client_id"], seen["attributes"]["scopes"]) == ("editor", ["read"])
    assert (await client.call(told["access_token"], "/files/mcp"))[0] == 401
    assert (await client.call(told["access_token"], "/mcp"))[0] == 401


async def test_a_client_never_has_an_administrators_rights(browser: Browser, client: Client) -> None:
    told = await client.tokens(browser, key="sk-root")

    assert (await client.call(told["access_token"]))[1]["kind"] == "user"


async def test_without_scopes_a_client_gets_those_of_the_resource(browser: Browser, client: Client) -> None:
    told = await client.tokens(browser, scope=None)

    assert told["scope"] == "read write"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": Pkce().verifier}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"redirect_uri": "https://editor.example/other"}, "invalid_grant"),
        ({"client_id": "desk"}, "invalid_grant"),
        ({"client_id": "vault"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"resource": "https://elsewhere.example/"}, "invalid_target"),
        ({"code": "x"}, "invalid_grant"),
        ({"code": None}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": None}, "unsupported_grant_type"),
    ],
)
async def test_a_code_needs_its_client_its_proof_and_its_address(
    browser: Browser, client: Client, changes: dict[str, str | None], error: str
) -> None:
    code = await client.code(browser)

    status, told = await client.redeem(code, **changes)
    assert (status, told["error"]) == (401 if error == "invalid_client" else 400, error)
    assert "access_token" not in told
    assert (await client.redeem(code))[0] == 200


async def test_the_challenge_itself_is_no_verifier(browser: Browser, client: Client) -> None:
    assert (await client.redeem(await client.code(browser), code_verifier=client.pkce.challenge))[0] == 400


async def test_a_second_use_of_a_code_ends_what_the_first_gave(browser: Browser, client: Client) -> None:
    code = await client.code(browser)
    _, first = await client.redeem(code)
    assert (await client.call(first["access_token"]))[0] == 200

    assert (await client.redeem(code))[1]["error"] == "invalid_grant"

    assert (await client.call(first["access_token"]))[0] == 401
    assert (await client.refresh(first["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_a_code_used_by_many_at_once_gives_nobody_a_token_that_lasts(browser: Browser, client: Client) -> None:
    code = await client.code(browser)

    outcomes = await asyncio.gather(*(client.redeem(code) for _ in range(8)))

    given = [told for status, told in outcomes if status == 200]
    assert len(given) <= 1
    for told in given:
        assert (await client.call(told["access_token"]))[0] == 401


async def test_a_confidential_client_shows_its_secret(served: TestGateway, browser: Browser) -> None:
    secret = "a-secret-of-the-vault"
    basic = {"authorization": "Basic " + base64.b64encode(f"vault:{secret}".encode()).decode()}
    async with Client(served.url, "vault", REDIRECT) as client:
        code = await client.code(browser)
        assert (await client.redeem(code))[0] == 401
        assert (await client.redeem(code, client_secret="wrong"))[0] == 401
        assert (await client.redeem(code, client_secret=secret))[0] == 200
        form = {"grant_type": "authorization_code", "code_verifier": client.pkce.verifier}
        code = await client.code(browser)
        wrong = {"authorization": "Basic " + base64.b64encode(b"vault:wrong").decode()}
        assert (await client.post("/token", headers=wrong, code=code, **form))[0] == 401
        assert (await client.post("/token", headers=basic, code=code, client_id="editor", **form))[0] == 400
        assert (await client.post("/token", headers=basic, code=code, client_secret=secret, **form))[0] == 400
        assert (await client.post("/token", headers=basic, code=code, **form))[0] == 200


async def test_a_refresh_token_is_used_once(browser: Browser, client: Client) -> None:
    first = await client.tokens(browser)
    status, second = await client.refresh(first["refresh_token"])
    assert status == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert (await client.call(second["access_token"]))[0] == 200

    assert (await client.refresh(first["refresh_token"]))[1]["error"] == "invalid_grant"

    assert (await client.refresh(second["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await client.call(second["access_token"]))[0] == 401


async def test_an_invented_token_of_a_family_ends_the_family_only_for_who_knows_it(
    browser: Browser, client: Client
) -> None:
    """An access token names its grant; that does not help to end it."""
    first = await client.tokens(browser)
    grant = claims_of(first["access_token"])[1]["grant"]

    assert (await client.refresh(f"rt_{grant[:32]}_{'0' * 64}"))[0] == 400
    assert (await client.refresh(f"rt_{grant}_{'0' * 64}"))[0] == 400

    assert (await client.refresh(first["refresh_token"]))[0] == 200


async def test_a_refresh_token_used_twice_at_once_ends_the_family(browser: Browser, client: Client) -> None:
    first = await client.tokens(browser)

    outcomes = await asyncio.gather(*(client.refresh(first["refresh_token"]) for _ in range(6)))

    assert sum(status == 200 for status, _ in outcomes) <= 1
    for status, told in outcomes:
        if status == 200:
            assert (await client.refresh(told["refresh_token"]))[0] == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "read write"}, "invalid_scope"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example/"}, "invalid_target"),
        ({"client_id": "desk"}, "invalid_grant"),
        ({"refresh_token": "rt_x_y"}, "invalid_grant"),
        ({"refresh_token": None}, "invalid_grant"),
    ],
)
async def test_a_refresh_widens_nothing(
    browser: Browser, client: Client, changes: dict[str, str | None], error: str
) -> None:
    first = await client.tokens(browser)

    status, told = await client.refresh(first["refresh_token"], **changes)
    assert (status, told["error"]) == (400, error)
    assert (await client.refresh(first["refresh_token"]))[0] == 200


async def test_a_refresh_may_narrow(browser: Browser, client: Client) -> None:
    first = await client.tokens(browser, scope="read write")

    _, second = await client.refresh(first["refresh_token"], scope="read")
    assert second["scope"] == "read"
    assert claims_of(second["access_token"])[1]["scope"] == "read"
    _, third = await client.refresh(second["refresh_token"])
    assert third["scope"] == "read write"


async def test_refreshing_can_be_turned_off(open_gateway: Open, open_browser: OpenBrowser) -> None:
    gateway = await open_gateway(authorization_server={"enabled": True, "clients": CLIENTS, "refresh_token_days": 0})
    async with Client(gateway.url, "editor", REDIRECT) as client:
        told = await client.tokens(await open_browser(gateway))

    assert "refresh_token" not in told


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_a_client_can_give_a_grant_back(browser: Browser, client: Client, which: str) -> None:
    told = await client.tokens(browser)

    async def revoke(**changes: str) -> int:
        form = {"token": told[which], "client_id": "editor", **changes}
        return (await client.post("/revoke", **form))[0]

    assert await revoke(client_id="desk") == 200
    assert await revoke(token="unknown") == 200
    assert (await client.call(told["access_token"]))[0] == 200
    assert await revoke() == 200
    assert (await client.call(told["access_token"]))[0] == 401
    assert (await client.refresh(told["refresh_token"]))[0] == 400


async def test_who_has_left_cannot_be_acted_for(
    open_gateway: Open, open_browser: OpenBrowser, behind: type[Behind]
) -> None:
    behind.people["ann"] = DirectoryUser("ann")
    gateway = await open_gateway(authorization_server={"enabled": True, "clients": CLIENTS})
    async with Client(gateway.url, "editor", REDIRECT) as client:
        browser = await open_browser(gateway)
        first, second = await client.tokens(browser), await client.tokens(browser)
        behind.people["ann"] = DirectoryUser("ann", active=False)
        assert (await client.refresh(first["refresh_token"]))[1]["error"] == "invalid_grant"
        assert (await client.call(first["access_token"]))[0] == 401
        behind.people["ann"] = DirectoryUser("ann")
        del behind.people["ann"]
        assert (await client.refresh(second["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_parameters_come_once_and_as_a_form(served: TestGateway, browser: Browser, client: Client) -> None:
    code = await client.code(browser)
    form = f"grant_type=authorization_code&code={code}&client_id=editor&code_verifier={client.pkce.verifier}"
    media_type = {"content-type": "application/x-www-form-urlencoded"}
    for body, headers in (
        (form + "&code=x", media_type),
        (form + "&client_id=", media_type),
        (json.dumps({"grant_type": "authorization_code", "code": code}), {"content-type": "application/json"}),
        (form + "&x=%ff", {"content-type": "text/plain"}),
    ):
        async with served.session.post("/token", data=body, headers=headers) as response:
            assert response.status == 400
            assert response.headers["cache-control"] == "no-store"
            assert (await response.json())["error"] == "invalid_request"
    assert (await client.redeem(code))[0] == 200


async def test_a_token_of_this_server_of_another_type_opens_nothing(
    served: TestGateway, browser: Browser, client: Client
) -> None:
    header, claims = claims_of((await client.tokens(browser))["access_token"])
    (path,) = (served.folder / "data").rglob("signing.pem")
    assert path.stat().st_mode & 0o777 == 0o600
    key = SigningKey(header["kid"], "ES256", ECKey.import_key(path.read_text()))

    assert (await client.call(assembled(header, claims, key)))[0] == 200
    for kind in ("JWT", "id+jwt", ""):
        assert (await client.call(assembled({**header, "typ": kind}, claims, key)))[0] == 401
    for changes in ({"grant": None}, {"grant": "x"}, {"client_id": "desk"}, {"sub": "bob"}):
        assert (await client.call(assembled(header, {**claims, **changes}, key)))[0] == 401
