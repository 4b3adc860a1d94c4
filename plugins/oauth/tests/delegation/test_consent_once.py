"""A person agrees once, and their calls carry their own token from then on."""

from __future__ import annotations

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE
from ..outbound import Browser, Open, call

PER_USER = {"mode": "authorization_code"}


async def test_who_never_agreed_is_asked_and_whoever_agreed_is_served(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"mcp:files": {"url": upstream.url, "auth": PER_USER}})
    asked = await call(running, "mcp:files", ALICE)
    assert asked.status_code == 412
    told = asked.json()
    assert told["consent"] == f"{running.url}/connections/consent/{told['id']}"
    async with Browser(running) as browser:
        done = await browser.consent(told["consent"], ALICE)
    assert "You are connected to files" in done.text
    served = await call(running, "mcp:files", ALICE)
    assert (served.status_code, served.json()["user"]) == (200, "alice")
    assert server.authorizations[0]["resource"] == upstream.url
    assert [form["resource"] for form in server.forms] == [upstream.url]
