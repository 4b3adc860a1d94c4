"""Exchanged tokens (RFC 8693, ID-JAG): each caller's own, for one upstream, as long as the caller's lasts."""

from __future__ import annotations

import asyncio
import time

import jwt
import pytest

from ..authorization_server import ACCESS_TOKEN, KEY, AuthorizationServer, Upstream
from ..calling import ALICE
from ..outbound import Open, call

ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
SECRET = "s3cret/with +odd: characters"
EXCHANGE = {"mode": "token_exchange", "client_id": "gateway", "client_secret": SECRET}


async def test_each_caller_gets_a_token_of_their_own_once(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": EXCHANGE}})
    tokens = {user: server.caller_token(user) for user in ("alice", "bob")}
    calls = [(user, call(running, "a", tokens[user], said=user)) for user in ("alice", "bob") * 20]
    answers = await asyncio.gather(*(work for _, work in calls))
    assert {answer.status_code for answer in answers} == {200}
    assert upstream.served
    assert all(said == served for said, served in upstream.served)
    assert server.grants["token-exchange"] == 2
    form = server.forms[-1]
    assert (form["subject_token_type"], form["resource"]) == (ACCESS_TOKEN, upstream.url)
    for token in tokens.values():
        assert token not in upstream.everything()


async def test_another_token_of_the_same_caller_is_exchanged_anew(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": EXCHANGE}})
    await call(running, "a", server.caller_token("alice"))
    await call(running, "a", server.caller_token("alice"))
    assert server.grants["token-exchange"] == 2


async def test_what_was_exchanged_ends_with_the_callers_own_token(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": EXCHANGE}})
    ending = server.caller_token("alice", exp=int(time.time()) + 10)
    assert (await call(running, "a", ending)).status_code == 200
    ended = server.caller_token("alice", exp=int(time.time()) - 5)
    refused = await call(running, "a", ended)
    assert refused.status_code == 502
    assert "invalid_grant" in refused.text


async def test_a_gateway_key_cannot_be_exchanged(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": EXCHANGE}})
    refused = await call(running, "a", ALICE)
    assert refused.status_code == 403
    assert "cannot be exchanged" in refused.text
    assert server.calls["token token-exchange"] == 0


async def test_the_gateway_names_itself_as_actor_where_that_is_configured(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    running = await open_gateway({"a": {"url": upstream.url, "auth": {**EXCHANGE, "actor": True}}})
    served = await call(running, "a", server.caller_token("alice"))
    assert (served.json()["user"], served.json()["actor"]) == ("alice", "client:gateway")


@pytest.mark.parametrize("mode", ["token_exchange", "id_jag"])
async def test_a_server_that_hands_the_callers_token_back_is_not_believed(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream, mode: str
) -> None:
    auth = {**EXCHANGE, "mode": mode, **({"identity_provider": server.url} if mode == "id_jag" else {})}
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    token = server.caller_token("alice")
    server.token_changes = {"access_token": token}
    refused = await call(running, "a", token)
    assert refused.status_code == 502
    assert "never passed on" in refused.text
    assert token not in upstream.everything()


async def test_an_identity_assertion_goes_from_the_provider_to_the_upstreams_server(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    auth = {
        **EXCHANGE,
        "mode": "id_jag",
        "identity_provider": server.url,
        "identity_provider_client_id": "at-the-provider",
        "identity_provider_client_secret": "another secret",
    }
    server.clients["at-the-provider"] = {"client_secret": "another secret"}
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    token = server.caller_token("bob")
    served = await call(running, "a", token)
    assert served.json()["user"] == "bob"
    assert (server.grants["token-exchange"], server.grants["jwt-bearer"]) == (1, 1)
    assert server.forms[0]["audience"] == server.url
    assert token not in upstream.everything()
    assert server.forms[1]["assertion"] not in upstream.everything()


async def test_a_token_made_for_the_gateways_own_client_is_an_id_token(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    auth = {**EXCHANGE, "mode": "id_jag", "identity_provider": server.url}
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    for audience in ("gateway", "https://gateway.example"):
        said = {"iss": server.url, "sub": "bob", "aud": audience, "exp": int(time.time()) + 600}
        await call(running, "a", jwt.encode(said, KEY, "HS256"))
    types = [form["subject_token_type"] for form in server.forms if "subject_token_type" in form]
    assert types == [ID_TOKEN, ACCESS_TOKEN]


async def test_a_name_for_the_upstream_takes_the_place_of_its_url(
    open_gateway: Open, server: AuthorizationServer, upstream: Upstream
) -> None:
    auth = {**EXCHANGE, "audience": "files"}
    running = await open_gateway({"a": {"url": upstream.url, "auth": auth}})
    await call(running, "a", server.caller_token("alice"))
    assert server.forms[0]["audience"] == "files"
    assert "resource" not in server.forms[0]
