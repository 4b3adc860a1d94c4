"""The authorization endpoint: nobody is redirected to an address that was not checked, and nothing is granted that the
person at the browser did not see."""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from routeiq_sdk.values.directory import DirectoryUser
from routeiq_testkit.gateway import TestGateway

from .behind import Behind
from .browser import Browser
from .client import Client
from .conftest import CLIENTS, REDIRECT, Open

OpenBrowser = Callable[[TestGateway], Awaitable[Browser]]


async def test_a_person_signs_in_sees_who_asks_and_agrees(
    served: TestGateway, browser: Browser, client: Client
) -> None:
    page = await client.ask(browser)

    assert page.status == 200
    for shown in ("Editor", "editor.example", "GitHub", client.resource, "read", "ann"):
        assert shown in page.text
    back = await browser.press(page, answer="allow")
    assert back.elsewhere is not None
    assert back.elsewhere.startswith(REDIRECT + "?")
    assert (back.told["state"], back.told["iss"]) == ("st-1", served.url)
    assert back.told["code"]


async def test_a_person_may_say_no(served: TestGateway, browser: Browser, client: Client) -> None:
    page = await client.ask(browser)

    told = (await browser.press(page, answer="deny")).told
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "st-1", served.url)
    assert "code" not in told


async def test_any_other_answer_is_a_no(browser: Browser, client: Client) -> None:
    assert (await browser.press(await client.ask(browser))).told["error"] == "access_denied"


@pytest.mark.parametrize(
    "uri",
    [
        "https://editor.example/callback/",
        "https://editor.example/callback?x=1",
        "https://editor.example/callback/../other",
        "https://editor.example/Callback",
        "https://editor.example:444/callback",
        "https://editor.example:443/callback",
        "http://editor.example/callback",
        "https://editor.example.evil.example/callback",
        "https://editor.example@evil.example/callback",
        "https://evil.example/callback",
        "https://evil.example\\@editor.example/callback",
        "https://editor.example%2f@evil.example/callback",
        "https://editor.example/callback#frag",
        "//editor.example/callback",
        "javascript:alert(1)//https://editor.example/callback",
        "https://editor.example/callback\r\nset-cookie: a=b",
        " https://editor.example/callback",
        "https://EDITOR.example/callback",
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_the_clients(browser: Browser, client: Client, uri: str) -> None:
    page = await browser.get("/authorize", **client.question(redirect_uri=uri))

    assert page.status == 400
    assert page.elsewhere is None
    assert "trick you" in page.text


@pytest.mark.parametrize("uri", ["http://127.0.0.1:49152/cb", "http://127.0.0.1/cb", "com.example.desk:/cb"])
async def test_a_program_on_this_machine_may_use_any_port(served: TestGateway, browser: Browser, uri: str) -> None:
    async with Client(served.url, "desk", uri) as client:
        page = await client.ask(browser)
        assert "on your computer" in page.text
        assert str((await browser.press(page, answer="allow")).elsewhere).startswith(uri + "?code=")


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:49152/other",
        "https://127.0.0.1:49152/cb",
        "http://127.0.0.2/cb",
        "http://localhost:49152/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1:49152@evil.example/cb",
        "com.example.desk:/cb2",
        "com.example.desk://evil.example/cb",
    ],
)
async def test_only_the_port_may_differ_on_this_machine(served: TestGateway, browser: Browser, uri: str) -> None:
    async with Client(served.url, "desk", uri) as client:
        page = await browser.get("/authorize", **client.question())
        assert (page.status, page.elsewhere) == (400, None)


@pytest.mark.parametrize("id", [None, "", "nobody", "dcr-unknown", "https://", "http://evil.example/client"])
async def test_an_unknown_client_gets_a_page_and_no_redirect(browser: Browser, client: Client, id: str | None) -> None:
    page = await browser.get("/authorize", **client.question(client_id=id))

    assert (page.status, page.elsewhere) == (400, None)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request_uri": "https://evil.example/r"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "x" * 44}, "invalid_request"),
        ({"resource": None}, "invalid_target"),
        ({"resource": "https://elsewhere.example/github/mcp"}, "invalid_target"),
        ({"resource": "github/mcp"}, "invalid_target"),
        ({"scope": "read admin"}, "invalid_scope"),
        ({"scope": 'read "'}, "invalid_scope"),
        ({"prompt": "none consent"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_a_bad_request_goes_back_as_an_error(
    served: TestGateway, browser: Browser, client: Client, changes: dict[str, str | None], error: str
) -> None:
    page = await browser.get("/authorize", **client.question(**changes))

    assert page.elsewhere is not None
    assert page.elsewhere.startswith(REDIRECT + "?")
    assert (page.told["error"], page.told["state"], page.told["iss"]) == (error, "st-1", served.url)


@pytest.mark.parametrize("path", ["/plain", "/", "", "/github/mcp/", "/github/mcp?x=1", "/github/mcp#x", "/GITHUB/mcp"])
async def test_only_resources_of_this_gateway_can_be_asked_for(
    served: TestGateway, browser: Browser, client: Client, path: str
) -> None:
    page = await browser.get("/authorize", **client.question(resource=served.url + path))

    assert page.told["error"] == "invalid_target"


async def test_two_resources_are_one_too_many(served: TestGateway, browser: Browser, client: Client) -> None:
    resources = f"&resource={served.url}/files/mcp"
    query = "&".join(f"{name}={value}" for name, value in client.question().items())

    assert (await browser.get(f"/authorize?{query}{resources}")).told["error"] == "invalid_target"


async def test_a_parameter_twice_is_refused(browser: Browser, client: Client) -> None:
    query = "&".join(f"{name}={value}" for name, value in client.question().items())

    page = await browser.get(f"/authorize?{query}&redirect_uri=https://evil.example/")
    assert (page.status, page.elsewhere) == (400, None)


async def test_a_request_by_form_is_asked_for_like_any(browser: Browser, client: Client) -> None:
    page = await browser._follow("POST", f"{browser.origin}/authorize", data=client.question())

    assert 'name="key"' in page.text


async def test_a_key_without_a_person_grants_nothing(browser: Browser, client: Client) -> None:
    page = await client.ask(browser, key="sk-robot")

    assert "belongs to no person" in page.text
    assert page.elsewhere is None


async def test_the_master_key_is_nobody_in_particular(served: TestGateway, browser: Browser, client: Client) -> None:
    page = await client.ask(browser, key=served.key)

    assert "belongs to no person" in page.text


async def test_a_wrong_key_signs_nobody_in(browser: Browser, client: Client) -> None:
    page = await client.ask(browser, key="sk-wrong")

    assert page.status == 401
    assert 'name="key"' in page.text
    assert "sk-wrong" not in page.text


async def test_wrong_keys_cannot_be_tried_for_ever(open_gateway: Open, open_browser: OpenBrowser) -> None:
    gateway = await open_gateway(authorization_server={"enabled": True, "clients": CLIENTS}, sign_in={"attempts": 3})
    browser = await open_browser(gateway)
    async with Client(gateway.url, "editor", REDIRECT) as client:
        seen = [(await client.ask(browser, key=f"sk-wrong-{number}")).status for number in range(4)]
        late = await client.ask(browser, key="sk-ann")

    assert seen == [401, 401, 401, 429]
    assert late.status == 429


async def test_an_inactive_person_grants_nothing(
    open_gateway: Open, open_browser: OpenBrowser, behind: type[Behind]
) -> None:
    behind.people["ann"] = DirectoryUser("ann", active=False)
    gateway = await open_gateway(authorization_server={"enabled": True, "clients": CLIENTS})
    async with Client(gateway.url, "editor", REDIRECT) as client:
        browser = await open_browser(gateway)
        page = await client.ask(browser)
        assert (await browser.press(page, answer="allow")).told["error"] == "access_denied"


async def test_pages_cannot_be_framed_and_run_no_script(browser: Browser, client: Client) -> None:
    asked = await browser.get("/authorize", **client.question())
    consent = await browser.sign_in(asked, "sk-ann")
    wrong = await browser.get("/authorize")

    for page in (asked, consent, wrong):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert "<script" not in page.text
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
    assert "form-action 'self' https://editor.example;" in consent.headers["content-security-policy"]


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser, client: Client) -> None:
    page = await browser.get("/authorize", **client.question())

    cookie = page.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("what", ["csrf", "ticket"])
async def test_an_answer_without_the_pages_own_token_is_nothing(browser: Browser, client: Client, what: str) -> None:
    page = await client.ask(browser)

    for changed in ("", "x", page.fields[what][:-2] + "AA"):
        outcome = await browser.press(page, answer="allow", **{what: changed})
        assert (outcome.status, outcome.elsewhere) == (403, None)


async def test_an_answer_without_a_cookie_is_nothing(
    served: TestGateway, browser: Browser, client: Client, open_browser: OpenBrowser
) -> None:
    page = await client.ask(browser)
    stranger = await open_browser(served)

    assert (await stranger.press(page, answer="allow")).status == 403


async def test_the_page_of_one_person_is_no_answer_of_another(
    served: TestGateway, browser: Browser, client: Client, open_browser: OpenBrowser
) -> None:
    """A page that ann was shown, sent by bob's browser, with bob's own token against forgery."""
    of_ann = await client.ask(browser)
    bobs = await open_browser(served)
    of_bob = await client.ask(bobs, key="sk-bob")

    for fields in (of_ann.fields, {**of_bob.fields, "ticket": of_ann.fields["ticket"]}):
        outcome = await bobs.press(of_bob, answer="allow", **{"csrf": of_bob.fields["csrf"], **fields})
        assert (outcome.status, outcome.elsewhere) == (403, None)


async def test_a_page_does_not_outlive_a_change_of_person(browser: Browser, client: Client) -> None:
    of_ann = await client.ask(browser)
    browser.cookies.clear()
    await client.ask(browser, key="sk-bob")

    assert (await browser.press(of_ann, answer="allow")).status == 403


async def test_a_consent_is_remembered_for_this_person_client_and_scope(
    served: TestGateway, browser: Browser, client: Client, open_browser: OpenBrowser
) -> None:
    await client.code(browser)

    assert (await client.ask(browser)).elsewhere is not None
    assert (await client.ask(browser, prompt="none")).told["code"]
    assert (await client.ask(browser, prompt="consent")).elsewhere is None
    assert (await client.ask(browser, scope="read write")).elsewhere is None
    assert (await client.ask(browser, resource=served.url + "/mcp")).elsewhere is None
    assert (await client.ask(browser, resource=served.url + "/mcp", prompt="none")).told["error"] == "consent_required"
    async with Client(served.url, "vault", REDIRECT) as other:
        assert (await other.ask(browser)).elsewhere is None
    bobs = await open_browser(served)
    assert (await client.ask(bobs, key="sk-bob")).elsewhere is None


async def test_a_no_is_not_remembered_as_a_yes(browser: Browser, client: Client) -> None:
    await browser.press(await client.ask(browser), answer="deny")

    assert (await client.ask(browser)).elsewhere is None


async def test_programs_on_this_machine_are_asked_for_each_time(served: TestGateway, browser: Browser) -> None:
    """Any program can listen on a port: a remembered consent would be anybody's."""
    async with Client(served.url, "desk", "http://127.0.0.1:5000/cb") as client:
        await client.code(browser)
        assert (await client.ask(browser)).elsewhere is None


async def test_what_a_client_says_of_itself_is_only_text(served: TestGateway, browser: Browser) -> None:
    name = "<script>alert(1)</script>\u202egnp.\n\x00"
    async with served.session.post(
        "/register", json={"client_name": name, "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
    ) as response:
        registered = await response.json()
    async with Client(served.url, registered["client_id"], REDIRECT) as client:
        page = await client.ask(browser, state='"><script>alert(2)</script>')

    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "\u202e" not in page.text
    assert "nobody checked it" in page.text


async def test_state_comes_back_as_it_went(browser: Browser, client: Client) -> None:
    state = "a b+c%20&d=é\"'<>"
    page = await client.ask(browser, state=state)

    assert (await browser.press(page, answer="allow")).told["state"] == state
    assert "state" not in (await client.ask(browser, state=None)).told
    assert (await client.ask(browser, state="x" * 3000)).told["error"] == "invalid_request"


async def test_a_redirect_keeps_the_query_that_it_has(open_gateway: Open, open_browser: OpenBrowser) -> None:
    uri = "https://editor.example/cb?tenant=7"
    gateway = await open_gateway(
        authorization_server={"enabled": True, "clients": {"editor": {"name": "E", "redirect_uris": [uri]}}}
    )
    async with Client(gateway.url, "editor", uri) as client:
        browser = await open_browser(gateway)
        page = await browser.press(await client.ask(browser), answer="allow")

    assert urlsplit(str(page.elsewhere)).query.startswith("tenant=7&code=")


async def test_whoever_has_a_session_is_known(browser: Browser, client: Client) -> None:
    browser.has_session()
    page = await client.ask(browser)
    assert "bob" in page.text

    _, told = await client.redeem((await browser.press(page, answer="allow")).told["code"])
    seen = (await client.call(told["access_token"]))[1]
    assert (seen["id"], seen["user"]) == ("session:bob", "bob")
    assert "roles" not in seen["attributes"], "a client never has the roles of its person"


async def test_a_session_alone_answers_no_page(browser: Browser, client: Client, open_browser: OpenBrowser) -> None:
    browser.has_session()
    page = await client.ask(browser)

    for changed in ({"csrf": ""}, {"ticket": ""}, {"csrf": "", "ticket": ""}):
        assert (await browser.press(page, answer="allow", **changed)).status == 403


async def test_another_sign_in_can_be_offered(open_gateway: Open, open_browser: OpenBrowser) -> None:
    gateway = await open_gateway(
        authorization_server={"enabled": True, "clients": CLIENTS}, sign_in={"login_url": "/sso/login"}
    )
    async with Client(gateway.url, "editor", REDIRECT) as client:
        page = await (await open_browser(gateway)).get("/authorize", **client.question())

    link = re.search(r'href="(/sso/login[?]return_to=([^"]+))"', page.text)
    assert link is not None
    returns = unquote(html.unescape(link[2]))
    assert returns.startswith("/authorize?")
    assert dict(parse_qsl(urlsplit(returns).query)) == {**client.question(), "prompt": "consent"}
