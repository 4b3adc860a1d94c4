"""An authorization server over HTTP on loopback, of the tests' own: every grant that delegation uses, refresh tokens
that rotate and die when used twice, counts of what it was asked, and trouble on demand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlencode

import jwt
from aiohttp import web

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
KEY = "the test server signs with this and only it knows it"


@dataclass
class Issued:
    """An access token that the server gave."""

    user: str
    client: str
    resource: str
    scope: str
    ends: float
    family: str
    actor: str | None = None
    dead: bool = False


@dataclass
class Trouble:
    """What goes wrong while it is set."""

    down: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)


class AuthorizationServer:
    """`async with AuthorizationServer() as server:` serves one. Whoever comes to /authorize is `user`."""

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.user = "alice"
        self.calls: Counter[str] = Counter()
        self.grants: Counter[str] = Counter()
        self.trouble = Trouble()
        self.trouble.gate.set()
        self.asked = asyncio.Event()
        self.issued: dict[str, Issued] = {}
        self.refreshes: dict[str, Issued] = {}
        self.used: set[str] = set()
        self.clients: dict[str, dict[str, Any]] = {"gateway": {"client_secret": "s3cret/with +odd: characters"}}
        self.revoked: list[str] = []
        self.life = 3600
        self.changes: dict[str, Any] = {}
        self.authorize_changes: dict[str, str | None] = {}
        self.token_changes: dict[str, Any] = {}
        self.forms: list[Mapping[str, str]] = []
        self.authorizations: list[Mapping[str, str]] = []
        self.origin = ""
        self._codes: dict[str, Mapping[str, str]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> AuthorizationServer:
        app = web.Application()
        for place in (
            f"/.well-known/oauth-authorization-server{self.path}",
            f"/.well-known/openid-configuration{self.path}",
        ):
            app.router.add_get(place, self._metadata)
        app.router.add_get(f"{self.path}/authorize", self._authorize)
        app.router.add_post(f"{self.path}/token", self._token)
        app.router.add_post(f"{self.path}/register", self._register)
        app.router.add_post(f"{self.path}/revoke", self._revoke)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Its issuer."""
        return self.origin + self.path

    def metadata(self) -> dict[str, Any]:
        """What it says of itself, with the test's `changes`; a change of `None` takes a field away."""
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "revocation_endpoint": f"{self.url}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            **self.changes,
        }
        return {name: value for name, value in told.items() if value is not None}

    def caller_token(self, user: str, **claims: Any) -> str:
        """A JWT of this issuer for the gateway, such as a client of the gateway presents."""
        said = {
            "iss": self.url,
            "sub": user,
            "aud": "gateway",
            "exp": int(time.time()) + 3600,
            "scope": "all",
            **claims,
        }
        return jwt.encode({**said, "jti": secrets.token_hex(8)}, KEY, "HS256", headers={"typ": "at+jwt"})

    def end_all(self) -> None:
        """Every access token ends now; refresh tokens live."""
        for one in self.issued.values():
            one.dead = True

    async def _metadata(self, request: web.Request) -> web.Response:
        await self._called("metadata")
        return web.json_response(self.metadata())

    async def _register(self, request: web.Request) -> web.Response:
        await self._called("register")
        asked = await request.json()
        id, secret = f"dcr-{secrets.token_hex(6)}", secrets.token_hex(16)
        told = {**asked, "client_id": id}
        if asked.get("token_endpoint_auth_method") != "none":
            told["client_secret"] = secret
        self.clients[id] = told
        return web.json_response(told, status=201)

    async def _authorize(self, request: web.Request) -> web.Response:
        await self._called("authorize")
        query = dict(request.query)
        self.authorizations.append(query)
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        known = self.clients.get(query["client_id"])
        assert known is not None or query["client_id"].startswith("https://"), "an unknown client"
        assert known is None or query["redirect_uri"] in known.get("redirect_uris", [query["redirect_uri"]])
        code = secrets.token_urlsafe(16)
        self._codes[code] = {**query, "user": self.user}
        answer: dict[str, str | None] = {"code": code, "state": query["state"], "iss": self.url}
        answer |= self.authorize_changes
        said = {name: value for name, value in answer.items() if value is not None}
        raise web.HTTPFound(f"{query['redirect_uri']}?{urlencode(said)}")

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        grant = form["grant_type"]
        await self._called(f"token {grant.rpartition(':')[2]}")
        client = self._client(request, form)
        if client is None:
            return web.json_response({"error": "invalid_client"}, status=401)
        answers = {
            "authorization_code": self._by_code,
            "refresh_token": self._by_refresh,
            "client_credentials": self._by_client,
            EXCHANGE: self._by_exchange,
            JWT_BEARER: self._by_assertion,
        }
        told = answers[grant](client, form)
        if "error" in told:
            return web.json_response(told, status=400)
        self.grants[grant.rpartition(":")[2]] += 1
        return web.json_response({**told, **self.token_changes})

    async def _revoke(self, request: web.Request) -> web.Response:
        await self._called("revoke")
        token = str((await request.post())["token"])
        self.revoked.append(token)
        found = self.refreshes.get(token) or self.issued.get(token)
        if found is not None:
            self._kill(found.family)
        return web.Response()

    def _client(self, request: web.Request, form: Mapping[str, str]) -> str | None:
        basic = request.headers.get("authorization", "").partition("Basic ")[2]
        if basic:
            id, secret = (unquote_plus(part) for part in base64.b64decode(basic).decode().split(":"))
        elif "client_assertion" in form:
            claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
            key = self.clients.get(claims["sub"], {}).get("public_key")
            if key is None:
                return None
            jwt.decode(form["client_assertion"], key, ["ES256"], audience=self.url, issuer=claims["sub"])
            return str(claims["sub"])
        else:
            id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if id.startswith("https://"):
            return id
        known = self.clients.get(id)
        return id if known is not None and known.get("client_secret", "") == secret else None

    def _by_code(self, client: str, form: Mapping[str, str]) -> dict[str, Any]:
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["client_id"] != client
            or challenge != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
            or form.get("resource") != asked.get("resource")
        ):
            return {"error": "invalid_grant"}
        return self._give(asked["user"], client, form.get("resource", ""), asked.get("scope", ""), refresh=True)

    def _by_refresh(self, client: str, form: Mapping[str, str]) -> dict[str, Any]:
        token = form["refresh_token"]
        known = self.refreshes.get(token)
        if known is None or known.client != client or known.dead:
            return {"error": "invalid_grant"}
        if token in self.used:
            self._kill(known.family)
            return {"error": "invalid_grant"}
        self.used.add(token)
        return self._give(known.user, client, known.resource, known.scope, refresh=True, family=known.family)

    def _by_client(self, client: str, form: Mapping[str, str]) -> dict[str, Any]:
        return self._give(f"client:{client}", client, form.get("resource", ""), form.get("scope", ""))

    def _by_exchange(self, client: str, form: Mapping[str, str]) -> dict[str, Any]:
        try:
            claims = jwt.decode(form["subject_token"], KEY, ["HS256"], audience="gateway", issuer=self.url)
        except jwt.PyJWTError:
            return {"error": "invalid_grant"}
        if form.get("requested_token_type") == ID_JAG:
            said = {"iss": self.url, "sub": claims["sub"], "aud": form["audience"], "client_id": client}
            said |= {"resource": form["resource"], "exp": int(time.time()) + 60}
            token = jwt.encode(said, KEY, "HS256", headers={"typ": "oauth-id-jag+jwt"})
            return {"access_token": token, "token_type": "N_A", "issued_token_type": ID_JAG, "expires_in": 60}
        actor = self.issued[form["actor_token"]].user if "actor_token" in form else None
        target = form.get("resource") or form["audience"]
        told = self._give(claims["sub"], client, target, form.get("scope", ""), actor=actor)
        return {**told, "issued_token_type": ACCESS_TOKEN}

    def _by_assertion(self, client: str, form: Mapping[str, str]) -> dict[str, Any]:
        claims = jwt.decode(form["assertion"], KEY, ["HS256"], audience=self.url)
        return self._give(claims["sub"], client, claims["resource"], form.get("scope", ""))

    def _give(
        self,
        user: str,
        client: str,
        resource: str,
        scope: str,
        *,
        refresh: bool = False,
        family: str | None = None,
        actor: str | None = None,
    ) -> dict[str, Any]:
        family = family or secrets.token_hex(8)
        access = f"at-{user.replace(':', '-')}-{secrets.token_hex(12)}"
        one = Issued(user, client, resource, scope, time.time() + self.life, family, actor)
        self.issued[access] = one
        told = {"access_token": access, "token_type": "Bearer", "expires_in": self.life, "scope": scope}
        if refresh:
            token = f"rt-{user}-{secrets.token_hex(12)}"
            self.refreshes[token] = Issued(user, client, resource, scope, 0, family)
            told["refresh_token"] = token
        return told

    def _kill(self, family: str) -> None:
        for one in (*self.issued.values(), *self.refreshes.values()):
            if one.family == family:
                one.dead = True

    async def _called(self, what: str) -> None:
        self.calls[what] += 1
        self.asked.set()
        await self.trouble.gate.wait()
        if self.trouble.down:
            raise web.HTTPServiceUnavailable


@dataclass(frozen=True)
class Seen:
    """A request as the upstream got it: everything."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def bearer(self) -> str:
        """The token that it carried."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class Upstream:
    """A protected resource at /mcp that keeps all it was sent, and lets in whom its authorization server knows."""

    def __init__(self, server: AuthorizationServer, name: str = "upstream") -> None:
        self.server = server
        self.name = name
        self.seen: list[Seen] = []
        self.served: list[tuple[str, str]] = []
        """Pairs of who the caller said it is, and whose token it carried."""
        self.scope = "read"
        self.needs: set[str] = set()
        self.refuses_all = False
        self.metadata: dict[str, Any] | None = {}
        self.origin = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Upstream:
        app = web.Application()
        app.router.add_get("/.well-known/oauth-protected-resource/mcp", self._metadata)
        app.router.add_route("*", "/mcp", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Its resource."""
        return f"{self.origin}/mcp"

    def everything(self) -> str:
        """All that it ever got, as one text."""
        return "\n".join(f"{one.method} {one.path} {dict(one.headers)} {one.body!r}" for one in self.seen)

    async def _metadata(self, request: web.Request) -> web.Response:
        if self.metadata is None:
            raise web.HTTPNotFound
        told = {"resource": self.url, "authorization_servers": [self.server.url], "scopes_supported": ["read", "write"]}
        return web.json_response({**told, **self.metadata})

    async def _serve(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path_qs, headers, await request.read())
        self.seen.append(seen)
        token = self.server.issued.get(seen.bearer)
        where = f'resource_metadata="{self.origin}/.well-known/oauth-protected-resource/mcp"'
        if token is None or token.dead or token.ends < time.time() or token.resource != self.url or self.refuses_all:
            challenge = f'Bearer error="invalid_token", {where}, scope="{self.scope}"'
            return web.Response(status=401, headers={"www-authenticate": challenge})
        if self.needs - set(token.scope.split()):
            needs = " ".join(sorted(self.needs))
            challenge = f'Bearer error="insufficient_scope", scope="{needs}", {where}'
            return web.Response(status=403, headers={"www-authenticate": challenge})
        said = json.loads(seen.body or b"{}").get("said", "")
        self.served.append((said, token.user))
        return web.json_response({"user": token.user, "scope": token.scope, "actor": token.actor})
