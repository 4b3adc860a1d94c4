"""A call that needs more scopes than were agreed to: the person is asked once, for all of them together."""

from __future__ import annotations

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE
from ..outbound import Open, call, connect


async def test_more_scopes_are_asked_for_on_top_of_those_one_had(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": {"mode": "authorization_code"}}})
    await connect(running, "a", ALICE)
    upstream.needs = {"write"}
    await connect(running, "a", ALICE)
    assert [query["scope"] for query in server.authorizations] == ["read", "read write"]
    assert (await call(running, "a", ALICE)).json()["scope"] == "read write"


async def test_what_was_asked_for_already_is_not_asked_for_again(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": {"mode": "authorization_code"}}})
    await connect(running, "a", ALICE)
    upstream.needs = {"write"}
    server.token_changes = {"scope": "read"}
    for one in server.issued.values():
        one.scope = "read"
    await connect(running, "a", ALICE)
    for one in server.issued.values():
        one.scope = "read"
    refused = await call(running, "a", ALICE)
    assert refused.status_code == 403
    assert "what you agreed to does not allow it" in refused.text


async def test_while_the_question_is_open_other_calls_go_on(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": {"mode": "authorization_code"}}})
    await connect(running, "a", ALICE)
    upstream.needs = {"write"}
    first, second = await call(running, "a", ALICE), await call(running, "a", ALICE)
    assert (first.status_code, first.json()["id"]) == (412, second.json()["id"])
    upstream.needs = set()
    assert (await call(running, "a", ALICE)).status_code == 200
