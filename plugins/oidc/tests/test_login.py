"""Signing in with a browser: out to the issuer, back into a session, what the session may do, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from routeiq_oidc.login.flow import is_local
from routeiq_oidc.login.sealing import Sealer, session_secret
from routeiq_sdk import Secret
from routeiq_sdk.values.directory import DirectoryUser
from routeiq_testkit.gateway import TestGateway

from .conftest import Open
from .directory import MemoryDirectory
from .issuer import CLIENT, CLIENT_SECRET, Issuer

PUBLIC = "http://127.0.0.1:4000"  # as the browser would see it; the tests go to the real port themselves
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "Hello!"}]}


class Browser:
    """Follows redirects one by one, keeps cookies."""

    def __init__(self, running: TestGateway, http: httpx.AsyncClient) -> None:
        self.running = running
        self.http = http

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.get(self.running.url + path, **more)

    async def post(self, path: str, **more: Any) -> httpx.Response:
        return await self.http.post(self.running.url + path, **more)

    async def to_the_callback(self, path: str = "/sso/login") -> str:
        """Sign in at the issuer; the path that it sends the browser back to."""
        out = await self.get(path)
        assert out.status_code == 302, out.text
        back = await self.http.get(out.headers["location"])
        assert back.status_code == 302, back.text
        return back.headers["location"].removeprefix(PUBLIC)

    async def sign_in(self, path: str = "/sso/login") -> httpx.Response:
        return await self.get(await self.to_the_callback(path))

    async def session(self) -> dict[str, Any]:
        answer = await self.get("/routeiq/v1/session")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


@asynccontextmanager
async def browser_at(running: TestGateway) -> AsyncIterator[Browser]:
    async with httpx.AsyncClient() as http:
        yield Browser(running, http)


@pytest.fixture
def login(open_gateway: Open, issuer: Issuer) -> Any:
    """A function that starts a gateway where one can sign in."""

    async def start(row: dict[str, Any] | None = None, **more: Any) -> TestGateway:
        block = {"client_id": CLIENT, "client_secret": CLIENT_SECRET, "public_url": PUBLIC, **more}
        return await open_gateway(issuers=[issuer.configured(**(row or {}))], login=block)

    return start


async def test_a_person_signs_in_and_calls_models(login: Any, issuer: Issuer, directory: MemoryDirectory) -> None:
    directory.add(DirectoryUser("ann", organization="acme"))
    issuer.user |= {"roles": ["boss"]}
    running = await login({"role_map": {"boss": "team_admin"}})
    async with browser_at(running) as browser:
        landed = await browser.sign_in("/sso/login?return_to=/ui/models")
        assert (landed.status_code, landed.headers["location"]) == (302, "/ui/models")
        cookie = landed.headers["set-cookie"]
        for flag in ("HttpOnly", "SameSite=Lax", "Path=/"):
            assert flag in cookie
        assert "ann" not in cookie
        assert landed.headers["cache-control"] == "no-store"
        me = await browser.session()
        assert (me["id"], me["user"], me["organization"], me["roles"]) == ("oidc:ann", "ann", "acme", ["team_admin"])
        assert (await browser.get("/v1/models")).status_code == 200
        assert (await browser.post("/v1/chat/completions", json=CHAT)).status_code == 403
        headers = {"x-routeiq-csrf": me["csrf"]}
        assert (await browser.post("/v1/chat/completions", json=CHAT, headers=headers)).status_code == 200
        (record,) = (await running.recorded(2))[:1]
        assert (record.principal, record.user) == ("oidc:ann", "ann")


async def test_a_request_that_another_site_forged_changes_nothing(login: Any, issuer: Issuer) -> None:
    running = await login()
    async with browser_at(running) as one, browser_at(running) as other:
        await one.sign_in()
        issuer.user = {"sub": "eve"}
        await other.sign_in()
        foreign = (await other.session())["csrf"]
        for headers in ({}, {"x-routeiq-csrf": ""}, {"x-routeiq-csrf": "0" * 64}, {"x-routeiq-csrf": foreign}):
            for path in ("/v1/chat/completions", "/sso/logout"):
                answer = await one.post(path, json=CHAT, headers=headers)
                assert answer.status_code == 403, (path, headers)
                assert answer.json()["error"]["type"] == "auth_error"
        assert (await one.session())["id"] == "oidc:ann"


async def test_signing_out_ends_the_session_and_every_copy_of_its_cookie(login: Any) -> None:
    running = await login()
    async with browser_at(running) as browser, browser_at(running) as thief:
        await browser.sign_in()
        thief.http.cookies = httpx.Cookies(browser.http.cookies)
        headers = {"x-routeiq-csrf": (await browser.session())["csrf"]}
        assert (await browser.post("/sso/logout", headers=headers)).json() == {"signed_out": True}
        assert not [name for name in browser.http.cookies if "session" in name]
        for each in (browser, thief):
            assert (await each.get("/routeiq/v1/session")).status_code == 401
            assert (await each.get("/v1/models")).status_code == 401


async def test_whoever_is_deactivated_has_no_session(login: Any, directory: MemoryDirectory) -> None:
    directory.add(DirectoryUser("ann"))
    running = await login()
    async with browser_at(running) as browser:
        directory.deactivate("ann")
        assert (await browser.sign_in()).status_code == 401
        assert (await browser.get("/v1/models")).status_code == 401


async def test_an_answer_of_another_sign_in_is_refused(login: Any) -> None:
    running = await login()
    async with browser_at(running) as browser, browser_at(running) as other:
        path = await browser.to_the_callback()
        foreign = await other.to_the_callback()
        query = parse_qs(urlsplit(path).query)
        for bad in (
            foreign,
            path.replace(query["state"][0], "x"),
            path + "&state=again",
            path + "&iss=https://evil.example",
            "/sso/callback",
            f"/sso/callback?state={query['state'][0]}&error=access_denied",
        ):
            answer = await browser.get(bad)
            assert answer.status_code in (400, 401), bad
            assert "set-cookie" not in answer.headers
        async with browser_at(running) as stranger:
            assert (await stranger.get(path)).status_code == 400, "a code is of use in the browser that asked for it"
        assert (await browser.get(path)).status_code == 302
        assert (await browser.get(path)).status_code == 400, "and once"


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"azp": "another-client"},
    ],
)
async def test_an_identity_that_is_not_for_this_sign_in_is_refused(
    login: Any, issuer: Issuer, lie: dict[str, Any]
) -> None:
    issuer.id_token_changes = lie
    running = await login()
    async with browser_at(running) as browser:
        answer = await browser.sign_in()
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


async def test_an_issuer_that_takes_another_secret_signs_nobody_in(login: Any) -> None:
    running = await login(client_secret="another secret")
    async with browser_at(running) as browser:
        assert (await browser.sign_in()).status_code == 401


async def test_an_issuer_out_of_reach_is_an_outage(login: Any, issuer: Issuer) -> None:
    running = await login()
    async with browser_at(running) as browser:
        path = await browser.to_the_callback()
        issuer.down = True
        answer = await browser.get(path)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "auth_provider_unavailable")


async def test_a_session_outlives_a_restart_and_ends_in_its_time(login: Any, tmp_path: Any) -> None:
    secret = "a secret for the sessions of two replicas"
    first, second = await login(session_secret=secret), await login(session_secret=secret)
    stranger = await login()
    async with browser_at(first) as browser:
        await browser.sign_in()
        browser.running = second
        assert (await browser.session())["user"] is None
        browser.running = stranger
        assert (await browser.get("/routeiq/v1/session")).status_code == 401


async def test_a_login_cookie_is_no_session_and_a_session_no_login_cookie(login: Any) -> None:
    running = await login()
    async with browser_at(running) as browser:
        path = await browser.to_the_callback()
        carried = browser.http.cookies["routeiq_login"]
        answer = await browser.get("/v1/models", headers={"cookie": f"routeiq_session={carried}"})
        assert answer.status_code == 401
        await browser.get(path)
        session = browser.http.cookies["routeiq_session"]
        answer = await browser.get(path, headers={"cookie": f"routeiq_login={session}"})
        assert answer.status_code == 400


def test_what_is_sealed_opens_only_unchanged_and_for_its_purpose() -> None:
    sealer = Sealer(Secret("a secret"), "session")
    sealed = sealer.seal({"who": "ann"})
    assert sealer.open(sealed) == {"who": "ann"}
    assert Sealer(Secret("a secret"), "login").open(sealed) is None
    assert Sealer(Secret("another"), "session").open(sealed) is None
    for place in range(len(sealed)):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        assert sealer.open(changed) is None or place == len(sealed) - 1  # its last bits may be unused
    for nonsense in ("", "x", "é", "A" * 5000, "=" * 20):
        assert sealer.open(nonsense) is None


def test_the_kept_secret_is_the_same_for_all_and_nobody_elses_to_read(tmp_path: Any) -> None:
    first = session_secret(tmp_path)
    assert len(first.reveal()) == 64
    assert session_secret(tmp_path) == first
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/ui", True),
        ("/ui?a=b#c", True),
        (None, False),
        ("", False),
        ("ui", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("/\tevil", False),
        ("/a\r\nset-cookie: b", False),
        ("https://evil.example", False),
        ("/" + "a" * 2000, False),
    ],
)
def test_only_paths_of_the_gateway_are_returned_to(path: str | None, local: bool) -> None:
    assert is_local(path) is local
