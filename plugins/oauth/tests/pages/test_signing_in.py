"""The sign-in page of browsers, and what pages are sent with."""

from __future__ import annotations

import re

import pytest

from routeiq_oauth.pages.html import markup, page, security_headers
from routeiq_oauth.pages.login import is_local

from ..authorization_server import Upstream
from ..calling import ALICE, BOB, PEOPLE
from ..outbound import Browser, Open, call, connect

PER_USER = {"mode": "authorization_code"}


async def test_a_key_signs_in_and_stays_out_of_the_cookie(open_gateway: Open) -> None:
    running = await open_gateway({})
    async with Browser(running) as browser:
        before = await browser.get("/connections")
        assert "Gateway key" in before.text
        home = await browser.sign_in(ALICE)
        assert "You are connected to nothing" in home.text
        for cookie in browser.http.cookies.jar:
            assert ALICE not in str(cookie.value)
        set_cookie = before.headers["set-cookie"]
        assert "HttpOnly" in set_cookie
        assert "SameSite=Lax" in set_cookie


async def test_signing_in_changes_the_browsers_cookie(open_gateway: Open) -> None:
    running = await open_gateway({})
    async with Browser(running) as browser:
        await browser.get("/connections")
        planted = dict(browser.http.cookies)
        await browser.sign_in(ALICE)
        assert dict(browser.http.cookies) != planted
    async with Browser(running) as other:
        other.http.cookies.update(planted)
        assert "Gateway key" in (await other.get("/connections")).text


async def test_a_key_that_was_revoked_signs_nobody_in(open_gateway: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await open_gateway({})
    async with Browser(running) as browser:
        await browser.sign_in(ALICE)
        monkeypatch.delitem(PEOPLE, ALICE)
        assert "Gateway key" in (await browser.get("/connections")).text


async def test_a_wrong_key_is_told_and_not_shown(open_gateway: Open) -> None:
    running = await open_gateway({})
    async with Browser(running) as browser:
        answer = await browser.sign_in("sk-wrong-0123456789abcdef")
        assert answer.status_code == 401
        assert "not known here" in answer.text
        assert "sk-wrong" not in answer.text


async def test_a_form_of_another_site_does_nothing(open_gateway: Open, upstream: Upstream) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    async with Browser(running) as browser:
        await browser.sign_in(ALICE)
        for path in ("/connections/disconnect", "/connections/logout"):
            forged = await browser.http.post(running.url + path, data={"upstream": "a", "csrf": "0" * 64})
            assert forged.status_code == 403
        forged = await browser.http.post(f"{running.url}/connections/login", data={"key": BOB, "csrf": "0" * 64})
        assert forged.status_code == 403
    assert (await call(running, "a", ALICE)).status_code == 200


async def test_signing_out_forgets_the_key(open_gateway: Open) -> None:
    running = await open_gateway({})
    async with Browser(running) as browser:
        home = await browser.sign_in(ALICE)
        kept = dict(browser.http.cookies)
        csrf = re.search(r'name="csrf" value="([^"]+)"', home.text)
        assert csrf is not None
        out = await browser.http.post(f"{running.url}/connections/logout", data={"csrf": csrf[1]})
        assert out.status_code == 303
    async with Browser(running) as other:
        other.http.cookies.update(kept)
        assert "Gateway key" in (await other.get("/connections")).text


async def test_another_way_to_sign_in_is_offered_where_it_is_configured(open_gateway: Open) -> None:
    running = await open_gateway({}, sign_in={"login_url": "/sso/login"})
    async with Browser(running) as browser:
        assert 'href="/sso/login?return_to=%2Fconnections"' in (await browser.get("/connections")).text


@pytest.mark.parametrize(
    ("path", "does"),
    [
        ("/connections", True),
        ("/oauth/authorize?client_id=a&x=%20", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example", False),
        ("/a\r\nset-cookie: b", False),
        ("", False),
    ],
)
def test_one_returns_to_this_gateway_alone(path: str, does: bool) -> None:
    assert is_local(path) is does


def test_pages_run_nothing_are_framed_by_nobody_and_escape_values() -> None:
    answer = page("<b>", markup('<p title="{value}">{value}</p>', value="\"><script>alert('1')</script>"))
    assert isinstance(answer.body, bytes)
    text = answer.body.decode()
    assert "<script" not in text
    assert "<b>" not in text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


def test_a_form_may_lead_to_the_named_origins_alone() -> None:
    policy = security_headers(["https://as.example/authorize?x=1", "myapp:/callback"])["content-security-policy"]
    assert "form-action 'self' https://as.example myapp:;" in policy
    with pytest.raises(ValueError, match="no policy"):
        security_headers(["https://a.example;script-src *"])
