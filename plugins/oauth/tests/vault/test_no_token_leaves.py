"""No token, code, verifier or secret appears where people look: logs, pages, errors, events, files, reprs."""

from __future__ import annotations

import gc
import logging

import pytest

from routeiq_oauth.delegation.questions import Question
from routeiq_oauth.vault.grant import Client, Grant
from routeiq_oauth.vault.store import Kept

from ..authorization_server import AuthorizationServer, Upstream
from ..calling import ALICE, BOB
from ..outbound import Browser, Open, call, connect

SECRET = "s3cret/with +odd: characters"


async def test_everything_that_can_be_read_is_free_of_secrets(
    open_gateway: Open,
    server: AuthorizationServer,
    upstream: Upstream,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    configured = {"mode": "authorization_code", "client_id": "gateway", "client_secret": SECRET, "issuer": server.url}
    exchange = {"mode": "token_exchange", "client_id": "gateway", "client_secret": SECRET}
    running = await open_gateway(
        {
            "a": {"url": upstream.url, "auth": {"mode": "authorization_code"}},
            "b": {"url": upstream.url, "auth": configured},
            "c": {"url": upstream.url, "auth": exchange},
        }
    )
    seen: list[str] = []
    inbound = server.caller_token("alice")
    for user, key in (("alice", ALICE), ("bob", BOB)):
        server.user = user
        for id in ("a", "b"):
            await connect(running, id, key)
            seen.append((await call(running, id, key)).text)
    seen.append((await call(running, "c", inbound)).text)
    server.end_all()
    seen += [(await call(running, id, ALICE)).text for id in ("a", "b")]
    server.trouble.down = True
    server.end_all()
    seen += [(await call(running, id, ALICE)).text for id in ("a", "b")]
    seen.append((await call(running, "c", inbound)).text)
    server.trouble.down = False
    async with Browser(running) as browser:
        seen.append((await browser.sign_in(ALICE)).text)
        stray = await browser.get("/connections/callback?code=the-stray-code-0123456789&state=nothing")
        seen.append(stray.text)
    kinds = (Grant, Client, Kept, Question)
    seen += [repr(one) for one in gc.get_objects() if isinstance(one, kinds)]
    out, err = capfd.readouterr()
    # The browser and the servers of this test log their own addresses; the gateway's part is everybody else's.
    own = ("httpx", "httpcore", "aiohttp.access")
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith(own)]
    seen += [*logged, out, err]
    for path in running.folder.rglob("*"):
        if path.is_file() and path != running.path and path.name != "vault.key":
            seen.append(path.read_bytes().decode("latin-1"))
    everything = "\n".join(seen)
    secrets = [*server.issued, *server.refreshes, SECRET, inbound, ALICE, BOB, "the-stray-code-0123456789"]
    secrets += [form[name] for form in server.forms for name in ("code", "code_verifier") if name in form]
    secrets += [str(client["client_secret"]) for client in server.clients.values() if "client_secret" in client]
    secrets += [query["state"] for query in server.authorizations]
    assert len(secrets) > 25
    assert [secret for secret in secrets if secret in everything] == []
