"""Promise: two people and two upstreams of a certified authorization server, by consent and by exchange: everybody's
calls carry their own token, through expiry, refresh, an absent server and revocation."""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import re
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
import pytest_asyncio
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from routeiq_sdk import Context, Gateway, Plugin, PluginConfig, Principal, Reject, hookimpl
from routeiq_sdk.values.delegation import Challenge, ConsentNeeded, Delegate, OutboundAuth
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .authorization_server import AuthorizationServer, Exchange, authorization_server, sign_in
from .resource_server import ResourceServer
from .serving import serving

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them
KEYS = {"alice": "sk-alice-0123456789abcdef", "bob": "sk-bob-0123456789abcdef00"}
EXCHANGER = {"client_id": "exchanger", "client_secret": "a secret of the exchanger"}
GATEWAY = "https://gateway.example"
"""What tokens that callers present are made for."""
FIXTURES: dict[str, type[Any]] = {}
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_ACTION = re.compile(r'<form method="post"(?: action="([^"]*)")?>')
_GO_ON = re.compile(r'<a href="([^"]+)" rel="noreferrer">Go on</a>')


class Callers(Plugin[PluginConfig]):
    """Knows two keys, and takes any JWT's word for its subject."""

    @hookimpl
    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        text = ctx.credential.reveal() if ctx.credential is not None else ""
        for user, key in KEYS.items():
            if text == key:
                return Principal(hashlib.sha256(text.encode()).hexdigest(), user=user)
        if text.count(".") == 2:
            claims = jwt.decode(text, options={"verify_signature": False})
            return Principal("oidc:" + claims["sub"], "user", user=claims["sub"], attributes={"issuer": claims["iss"]})
        return None


class CallingConfig(PluginConfig):
    """The upstreams."""

    upstreams: dict[str, dict[str, Any]] = Field({}, description="By id: url and auth.")


class Calling(Plugin[CallingConfig]):
    """`POST /test/call/{id}` calls an upstream for the caller, as an adapter does."""

    gateway: Gateway

    @property
    def origins(self) -> list[str]:
        return [row["url"] for row in self.config.upstreams.values()]

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        routes.add("POST", "/test/call/{id}", self.call, access="key", summary="Call", action="test:call")

    async def call(self, request: HttpRequest) -> HttpResponse:
        row, delegation = self.config.upstreams[request.path_params["id"]], self.gateway.delegation
        delegate = Delegate(request.path_params["id"], row["url"], OutboundAuth.model_validate(row["auth"]))
        assert request.context is not None
        assert delegation is not None
        refused: Challenge | None = None
        for _ in range(3):
            try:
                headers = await delegation.headers(request.context, delegate, refused=refused)
            except ConsentNeeded as needed:
                return HttpResponse.json({"consent": needed.url}, 412)
            async with self.gateway.egress.call("POST", row["url"], headers=headers, body=request.body) as answer:
                raw = await answer.read()
                refused = Challenge(answer.status, answer.headers.get("WWW-Authenticate", ""))
            if refused.status not in (401, 403):
                return HttpResponse(refused.status, raw)
        return HttpResponse.json({"refused": refused.status if refused else 0}, 502)


class Recorder:
    """An upstream that wants tokens of the server, and keeps every request it got."""

    def __init__(self) -> None:
        self.rules: ResourceServer
        self.seen: list[str] = []
        self.served: list[tuple[str, str]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._serve, methods=["GET", "POST"])])

    @property
    def bearer(self) -> str:
        """The token that the last request carried."""
        found = re.search(r"'authorization': 'Bearer ([^']+)'", self.seen[-1])
        assert found is not None
        return found[1]

    async def _serve(self, request: Request) -> Response:
        body = await request.body()
        self.seen.append(f"{request.method} {request.url} {dict(request.headers)} {body!r}")
        document = self.rules.document(request.url.path)
        if document is not None:
            return document
        claims = await self.rules.check(request.headers.get("authorization"))
        if isinstance(claims, Response):
            return claims
        self.served.append((json.loads(body)["said"], claims["sub"]))
        return JSONResponse({"sub": claims["sub"], "client": claims["client_id"]})


class World:
    """The server, its upstreams, the gateway, and what people do."""

    def __init__(self, server: AuthorizationServer, upstreams: dict[str, Recorder], running: TestGateway) -> None:
        self.server = server
        self.upstreams = upstreams
        self.running = running

    async def call(self, upstream: str, user: str, token: str | None = None) -> httpx.Response:
        """A call of `user`, with a key unless a token is given."""
        async with httpx.AsyncClient(timeout=60) as http:
            headers = {"authorization": f"Bearer {token or KEYS[user]}"}
            url = f"{self.running.url}/test/call/{upstream}"
            return await http.post(url, json={"said": user}, headers=headers)

    async def agree(self, upstream: str, user: str, *, at_server: str | None = None) -> httpx.Response:
        """The whole way of a person through a browser; the last page."""
        asked = await self.call(upstream, user)
        assert asked.status_code == 412, asked.text
        async with httpx.AsyncClient(timeout=60) as http:
            login = await http.get(self._here(asked.json()["consent"]))
            back = await self._submit(http, login, key=KEYS[user])
            question = await http.get(self._here(back.headers["location"]))
            going = _GO_ON.search((await self._submit(http, question)).text)
            assert going is not None
            redirect = await sign_in(html.unescape(going[1]), at_server or user)
            return await http.get(self._here(redirect))

    async def inbound(self, user: str) -> str:
        """A token of the server for the gateway, as a client of the gateway has it."""
        client = await self.server.register(
            redirect_uris=["http://127.0.0.1:9/back"], application_type="native", token_endpoint_auth_method="none"
        )
        verifier = "v" * 43
        challenge = jwt.utils.base64url_encode(hashlib.sha256(verifier.encode()).digest()).decode()
        url = httpx.URL(
            f"{self.server.url}/auth",
            params={
                "client_id": client["client_id"],
                "response_type": "code",
                "redirect_uri": "http://127.0.0.1:9/back",
                "scope": "mcp:read",
                "resource": GATEWAY,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            },
        )
        back = httpx.URL(await sign_in(str(url), user))
        answer = await self.server.token(
            grant_type="authorization_code",
            code=back.params["code"],
            redirect_uri="http://127.0.0.1:9/back",
            code_verifier=verifier,
            client_id=client["client_id"],
            resource=GATEWAY,
        )
        return str(answer.json()["access_token"])

    def _here(self, url: str) -> str:
        parts = urlsplit(url)
        return self.running.url + parts.path + (f"?{parts.query}" if parts.query else "")

    async def _submit(self, http: httpx.AsyncClient, page: httpx.Response, **fields: str) -> httpx.Response:
        action = _ACTION.search(page.text)
        assert action is not None, page.text
        hidden = {name: html.unescape(value) for name, value in _FIELD.findall(page.text)}
        return await http.post(self._here(action[1] or str(page.url)), data={**hidden, **fields})


@pytest_asyncio.fixture
async def world(gateway: StartGateway, plugin_folder: PluginFolder) -> AsyncIterator[World]:
    FIXTURES.update({"e2e-callers": Callers, "e2e-calling": Calling})
    for name, kind in (("e2e-callers", "auth"), ("e2e-calling", "plugin")):
        module = sys.modules[__name__].__name__
        plugin_folder.install(name, f"import sys\nFixture = sys.modules[{module!r}].FIXTURES[{name!r}]\n", kind=kind)
    files, mail = Recorder(), Recorder()
    static = {**EXCHANGER, "grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"], "redirect_uris": []}
    async with (
        authorization_server(clients=[{**static, "response_types": []}]) as server,
        serving(files.app) as files_url,
        serving(mail.app) as mail_url,
    ):
        urls = {"files": f"{files_url}/mcp", "mail": f"{mail_url}/mcp"}
        await server.allow(*urls.values(), GATEWAY)
        await server.allow_exchange(Exchange("exchanger", tuple(urls.values()), (GATEWAY,)))
        exchange = {"mode": "token_exchange", **EXCHANGER, "issuer": server.url, "scopes": ["mcp:read"]}
        rows: dict[str, Any] = {}
        for name, recorder in (("files", files), ("mail", mail)):
            recorder.rules = ResourceServer(urls[name], server.url, ("mcp:read",))
            rows[name] = {"url": urls[name], "auth": {"mode": "authorization_code"}}
            rows[f"{name}-exchanged"] = {"url": urls[name], "auth": exchange}
        plugins = {"oauth": {}, "e2e-callers": {}, "e2e-calling": {"upstreams": rows}}
        egress = {"allow": ["127.0.0.0/8"]}
        running = await gateway({"model_list": [], "routeiq": {"egress": egress, "plugins": plugins}})
        yield World(server, {"files": files, "mail": mail}, running)


async def test_two_people_at_two_upstreams_by_consent_and_by_exchange(world: World) -> None:
    inbound = {user: await world.inbound(user) for user in KEYS}
    for user in KEYS:
        for upstream in world.upstreams:
            done = await world.agree(upstream, user)
            assert "You are connected" in done.text, done.text
    calls = [
        work
        for _ in range(12)
        for user in KEYS
        for upstream in world.upstreams
        for work in (world.call(upstream, user), world.call(f"{upstream}-exchanged", user, inbound[user]))
    ]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {200}
    for upstream in world.upstreams.values():
        assert len(upstream.served) == 48
        assert all(said == subject for said, subject in upstream.served)
        everything = "\n".join(upstream.seen)
        assert not any(secret in everything for secret in (*inbound.values(), *KEYS.values()))
    assert (await world.server.counts()).success["token_exchange"] == 4


async def test_tokens_that_ended_are_refreshed_once_for_fifty_calls(world: World) -> None:
    await world.server.lifetimes(access_seconds=1)
    await world.agree("files", "alice")
    await world.server.lifetimes(access_seconds=600)
    await asyncio.sleep(1.2)  # the server's clock is its own
    await world.server.reset_counts()
    answers = await asyncio.gather(*(world.call("files", "alice") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await world.server.counts()).success == {"refresh_token": 1}


async def test_a_server_that_is_away_is_waited_for_and_a_revoked_grant_is_asked_for_again(world: World) -> None:
    await world.server.lifetimes(access_seconds=1)
    await world.agree("files", "alice")
    await world.server.lifetimes(access_seconds=600)
    await world.agree("files", "bob")
    await asyncio.sleep(1.2)  # the server's clock is its own
    await world.server.fail()
    assert (await world.call("files", "alice")).status_code == 503
    await world.server.fail(0)
    assert (await world.call("files", "alice")).status_code == 200
    await world.server.revoke_user("alice")
    files = world.upstreams["files"]
    files.rules.refused.add(files.bearer)
    assert (await world.call("files", "alice")).status_code == 412
    assert (await world.call("files", "bob")).status_code == 200
    await world.agree("files", "alice")
    assert (await world.call("files", "alice")).status_code == 200


async def test_whoever_disconnects_is_asked_again(world: World) -> None:
    await world.agree("files", "alice")
    async with httpx.AsyncClient() as http:
        headers = {"authorization": f"Bearer {KEYS['alice']}"}
        ended = await http.delete(f"{world.running.url}/v1/connections/files", headers=headers)
    assert ended.status_code == 200
    assert (await world.call("files", "alice")).status_code == 412
