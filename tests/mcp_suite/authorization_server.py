"""A real authorization server (npm's oidc-provider) on loopback, and how a test drives it: sign-in, counts, trouble.

What it does stands in `authorization_server.mjs`; what the gateway makes of its tokens is the tests' business.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import jwt

from .node import NODE, beside_packages, packages, started

USERS = {"alice": "alice's password", "bob": "bob's password"}
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
_STARTING_SECONDS = 60.0
_ACTION = re.compile(r'action="([^"]+)"')


@dataclass(frozen=True)
class Exchange:
    """`client` may exchange tokens made for it, or for one of `subject_audiences`, into tokens for `audiences`."""

    client: str
    audiences: tuple[str, ...] = ()
    subject_audiences: tuple[str, ...] = ()


@dataclass(frozen=True)
class IdentityAssertions:
    """`client` may get ID-JAGs for the server `audience`, which knows it as `client_there`, with at most `scope`."""

    client: str
    audience: str
    client_there: str
    scope: str


@dataclass(frozen=True)
class Counts:
    """What was asked of the server: requests at three endpoints, and grants by name that succeeded or failed."""

    token: int
    registration: int
    authorization: int
    success: Mapping[str, int] = field(default_factory=dict)
    error: Mapping[str, int] = field(default_factory=dict)


class AuthorizationServer:
    """A running server; `url` is its issuer."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self.users = dict(USERS)
        self.token_endpoint = f"{url}/token"
        self._http = client

    async def counts(self) -> Counts:
        return Counts(**(await self._http.get(f"{self.url}/count")).json())

    async def reset_counts(self) -> None:
        await self.control(reset_counts=True)

    async def allow(self, *resources: str, scope: str = "mcp:read mcp:call") -> None:
        """Let tokens be made for `resources`; until then a resource is an `invalid_target`."""
        await self.control(resources={resource: {"scope": scope} for resource in resources})

    async def allow_exchange(self, *rules: Exchange | IdentityAssertions) -> None:
        exchanges = [vars(rule) for rule in rules if isinstance(rule, Exchange)]
        assertions = [vars(rule) for rule in rules if isinstance(rule, IdentityAssertions)]
        await self.control(exchange=exchanges, id_jag=assertions)

    async def trust(self, *issuers: str) -> None:
        """Accept ID-JAGs of these issuers."""
        await self.control(trusted_issuers=issuers)

    async def serve_client_documents(self, origin: str, base_url: str) -> None:
        """Where on loopback the https `origin` of a client id is really served."""
        await self.control(hosts={origin: base_url})

    async def fail(self, status: int = 503, *, times: int = 0) -> None:
        """Answer the next `times` token requests with `status`, all of them with 0, none any more with status 0."""
        await self.control(trouble={"status": status, "times": times})

    async def delay(self, seconds: float) -> None:
        """Take so long over each token request."""
        await self.control(trouble={"delay": int(seconds * 1000)})

    async def lifetimes(self, *, access_seconds: int) -> None:
        """How long tokens live that are made from now on."""
        await self.control(seconds={"access": access_seconds})

    async def revoke_user(self, user: str) -> None:
        """Take back all that `user` has granted: refresh tokens are dead from now on."""
        await self.control(revoke_user=user)

    async def register(self, **metadata: Any) -> dict[str, Any]:
        """Dynamic client registration; the registered metadata with `client_id` and perhaps `client_secret`."""
        answer = await self._http.post(f"{self.url}/reg", json=metadata)
        assert answer.status_code == 201, answer.text
        registered: dict[str, Any] = answer.json()
        return registered

    async def token(self, auth: tuple[str, str] | None = None, **form: Any) -> httpx.Response:
        """One request at the token endpoint, with client_secret_basic if `auth` is given."""
        given = httpx.USE_CLIENT_DEFAULT if auth is None else httpx.BasicAuth(*auth)
        return await self._http.post(self.token_endpoint, data=form, auth=given)

    async def claims(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a token of this server for `audience`, its signature, issuer and expiry checked."""
        keys = jwt.PyJWKSet.from_dict((await self._http.get(f"{self.url}/jwks")).json())
        key = keys[jwt.get_unverified_header(token)["kid"]]
        read: dict[str, Any] = jwt.decode(token, key, algorithms=["ES256"], audience=audience, issuer=self.url)
        return read

    async def control(self, **changes: Any) -> None:
        answer = await self._http.post(f"{self.url}/control", json=changes)
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def authorization_server(
    *,
    clients: Iterable[Mapping[str, Any]] = (),
    resources: Mapping[str, str] | None = None,
    scopes: Iterable[str] = ("mcp:read", "mcp:call", "mcp:admin"),
    access_seconds: int = 600,
    refresh_seconds: int = 86400,
    code_seconds: int = 60,
    assertion_seconds: int = 60,
    rotate: bool = True,
    registration: bool = True,
    cimd: bool = True,
    port: int = 0,
) -> AsyncIterator[AuthorizationServer]:
    """A server of its own for one test; `resources` maps an address to its scopes, `clients` is static metadata."""
    seconds = {
        "access": access_seconds,
        "refresh": refresh_seconds,
        "code": code_seconds,
        "assertion": assertion_seconds,
    }
    settings = {
        "clients": list(clients),
        "resources": {address: {"scope": scope} for address, scope in (resources or {}).items()},
        "scopes": list(scopes),
        "seconds": seconds,
        "rotate": rotate,
        "registration": registration,
        "cimd": cimd,
        "port": port,
        "users": USERS,
        "exchange": [],
        "id_jag": [],
        "trusted_issuers": [],
        "hosts": {},
    }
    await asyncio.to_thread(packages)
    beside_packages("exchanges.mjs")
    program = beside_packages("authorization_server.mjs")
    async with (
        started(str(NODE), "--no-warnings", str(program), stdin=True, quiet=True) as process,
        httpx.AsyncClient(timeout=30) as client,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        async with asyncio.timeout(_STARTING_SECONDS):
            said = b""
            while not said.startswith(b'{"issuer"'):
                said = await process.stdout.readline()
                assert said, "the authorization server did not start"
        yield AuthorizationServer(json.loads(said)["issuer"], client)


async def sign_in(
    url: str, user: str, *, allow: bool = True, browser: httpx.AsyncClient | None = None, stop_at: str = ""
) -> str:
    """Walk from an authorization URL through the form as `user` to the first address beyond the server, which is
    returned unvisited. With `browser` its cookies are kept, so that the second sign-in of one user needs no password.
    With `stop_at`, the beginning of the address to stop at, the walk may begin on a page of ours that leads there."""
    if browser is None:
        async with httpx.AsyncClient() as fresh:
            return await sign_in(url, user, allow=allow, browser=fresh, stop_at=stop_at)
    home = urlsplit(url)
    for _ in range(20):
        answer = await browser.get(url)
        form = _ACTION.search(answer.text) if answer.status_code == 200 else None
        if form is not None:
            said = {"decision": "allow" if allow else "deny"}
            if 'name="login"' in answer.text:
                said |= {"login": user, "password": USERS[user]}
            answer = await browser.post(urljoin(url, form[1]), data=said)
        assert answer.is_redirect, f"{answer.status_code} at {url}: {answer.text[:500]}"
        url = urljoin(str(answer.request.url), answer.headers["location"])
        if stop_at and url.startswith(stop_at):
            return url
        if not stop_at and urlsplit(url)[:2] != home[:2]:
            return url
    raise AssertionError(f"too many redirects, the last one to {url}")


def answered(redirect: str) -> dict[str, str]:
    """The parameters that an authorization server put into a redirect."""
    return {name: values[0] for name, values in parse_qs(urlsplit(redirect).query).items()}
