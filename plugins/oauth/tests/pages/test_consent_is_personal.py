"""A consent page asks one person, in one browser, once: whoever else comes gets nothing, and it is written down."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from routeiq_sdk import Event, Plugin, PluginConfig, hookimpl
from routeiq_testkit.installed import PluginFolder

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE, ALICE_AT_ACME, BOB
from ..outbound import INSTALLED, Browser, Open, call, connect

PER_USER = {"mode": "authorization_code"}
HEARD: list[Event] = []


class HearingPlugin(Plugin[PluginConfig]):
    """Keeps what is committed."""

    @hookimpl
    async def commit(self, event: Event) -> None:
        HEARD.append(event)


@pytest.fixture
def heard(plugin_folder: PluginFolder) -> list[Event]:
    """Events that were made durable."""
    INSTALLED["test-hearing"] = HearingPlugin
    source = f"import sys\nFixture = sys.modules[{Browser.__module__!r}].INSTALLED['test-hearing']\n"
    plugin_folder.install("test-hearing", source)
    HEARD.clear()
    return HEARD


async def test_a_link_that_asks_somebody_else_is_refused_and_told(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream, heard: list[Event]
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}}, more_plugins={"test-hearing": {}})
    asked = await call(running, "a", ALICE)  # Alice sends her link to Bob
    async with Browser(running) as bob:
        page = await bob.sign_in(BOB, asked.json()["consent"])
        assert page.status_code == 403
        assert "This page asks somebody else" in page.text
        assert "<form" not in page.text
        url = asked.json()["consent"]
        forced = await bob.http.post(url, data={"csrf": "0" * 64})
        assert forced.status_code == 403
    assert server.calls["authorize"] == server.calls["register"] == 0
    refusals = [event.payload for event in heard if event.name == "routeiq.sign_in.v1"]
    assert [(one["step"], one["user"]) for one in refusals] == [("refused", "bob")]
    assert (await call(running, "a", BOB)).status_code == 412


async def test_an_answer_in_another_browser_is_refused(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    asked = await call(running, "a", ALICE)
    async with Browser(running) as alice, Browser(running) as bob, Browser(running) as alice_elsewhere:
        back = await alice.back(await alice.leave(await alice.sign_in(ALICE, asked.json()["consent"])))
        await bob.sign_in(BOB)
        stolen = await bob.get(back)
        assert (stolen.status_code, "You are connected" in stolen.text) == (400, False)
        late = await alice.get(back)
        assert late.status_code == 400, "a state that was tried elsewhere is spent"
        again = await call(running, "a", ALICE)
        question = await alice.get(again.json()["consent"])
        back = await alice.back(await alice.leave(question))
        await alice_elsewhere.sign_in(ALICE)
        assert (await alice_elsewhere.get(back)).status_code == 400
    assert server.grants["authorization_code"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iss": "https://evil.example"}, "another authorization server"),
        ({"iss": None}, "another authorization server"),
        ({"state": "x" * 43}, "nothing that was begun"),
        ({"state": None}, "nothing that was begun"),
        ({"code": None}, "brings no code"),
        ({"code": None, "error": "access_denied", "error_description": "<script>alert(1)</script>"}, "access_denied"),
        ({"error": "<script>alert(1)</script>"}, "unknown_error"),
        ({"error": "access_denied", "iss": "https://evil.example"}, "another authorization server"),
    ],
)
async def test_answers_that_do_not_fit_give_nothing(
    open_gateway: Open,
    server: AuthorizationServer,
    upstream: Upstream,
    changes: dict[str, Any],
    said: str,
) -> None:
    server.authorize_changes = changes
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    asked = await call(running, "a", ALICE)
    async with Browser(running) as browser:
        page = await browser.consent(asked.json()["consent"], ALICE)
    assert page.status_code == 400
    assert said in page.text
    assert "<script" not in page.text
    assert server.calls["token authorization_code"] == 0
    assert (await call(running, "a", ALICE)).status_code == 412


async def test_an_answer_counts_once_and_a_doubled_parameter_never(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    asked = await call(running, "a", ALICE)
    async with Browser(running) as browser:
        back = await browser.back(await browser.leave(await browser.sign_in(ALICE, asked.json()["consent"])))
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        doubled = await browser.get(f"/connections/callback?{urlencode(query)}&state=again")
        assert doubled.status_code == 400
        assert (await browser.get(back)).status_code == 200
        assert (await browser.get(back)).status_code == 400
        gone = await browser.get(asked.json()["consent"])
        assert gone.status_code == 404
    assert server.grants["authorization_code"] == 1


async def test_the_asker_hears_when_the_question_is_answered_and_nobody_else(
    open_gateway: Open, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    asked = await call(running, "a", ALICE)

    async def answered(key: str) -> bool:
        async with Browser(running) as browser:
            url = f"{running.url}/test/answered/{asked.json()['id']}"
            told = await browser.http.get(url, headers={"authorization": f"Bearer {key}"})
            return bool(told.json()["answered"])

    assert not await answered(ALICE)
    async with Browser(running) as browser:
        await browser.consent(asked.json()["consent"], ALICE)
    assert await answered(ALICE)
    assert not await answered(BOB)


async def test_a_person_in_two_organizations_has_two_grants(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": PER_USER}})
    await connect(running, "a", ALICE)
    assert (await call(running, "a", ALICE_AT_ACME)).status_code == 412
    await connect(running, "a", ALICE_AT_ACME)
    assert (await call(running, "a", ALICE)).status_code == 200
    assert server.grants["authorization_code"] == 2
