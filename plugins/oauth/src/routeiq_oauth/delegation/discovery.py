"""Finding the authorization server of an upstream as MCP's clients must: RFC 9728, RFC 8414, OpenID Connect Discovery,
and the defaults of MCP 2025-03-26 for upstreams that know none of them.

Which client we are there, and what is asked, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from routeiq_oauth.delegation.challenge import Demand, demand_of, scopes_of
from routeiq_oauth.delegation.outside import Outside, Reach, host_of
from routeiq_oauth.delegation.trouble import Away, Unfit
from routeiq_oauth.urls import check_url, origin
from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.delegation import Challenge, Delegate

_FRESH_SECONDS = 600.0
_MOST_KNOWN = 1000


@dataclass(frozen=True, slots=True)
class Server:
    """An authorization server: endpoints, and what it says it can do."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str | None = None
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    auth_methods: tuple[str, ...] | None = None
    scopes: tuple[str, ...] = ()
    takes_metadata_documents: bool = False
    names_itself: bool = False
    """Its answers to authorization requests carry `iss` (RFC 9207)."""
    nameless: bool = False
    """The operator wrote its endpoints and no issuer, so `issuer` is its token endpoint."""

    def packed(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def unpacked(cls, value: Mapping[str, Any]) -> Server:
        """What `packed` made."""
        methods = value["auth_methods"]
        return cls(
            **{
                **value,
                "auth_methods": tuple(methods) if methods is not None else None,
                "scopes": tuple(value["scopes"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Where tokens for an upstream come from, and what to ask for: `scopes` of `None` when nobody said."""

    resource: str
    server: Server
    scopes: tuple[str, ...] | None = None
    issuers: tuple[str, ...] = ()


class Discovery:
    """Finds, and remembers for ten minutes."""

    def __init__(self, outside: Outside, clock: Clock) -> None:
        self._outside = outside
        self._clock = clock
        self._known: dict[str, tuple[float, Found]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(
        self, delegate: Delegate, reach: Reach, refused: Challenge | None = None, *, newer_than: float = _FRESH_SECONDS
    ) -> Found:
        """The authorization server of an upstream. Raises `Away` and `Unfit`."""
        demand = demand_of(refused)
        written = repr((delegate.url, delegate.auth.issuer, delegate.auth.token_url, delegate.auth.authorization_url))
        key = f"{delegate.id} {hashlib.sha256(f'{written} {demand.resource_metadata}'.encode()).hexdigest()}"
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._known.get(key)
            if known is None or self._clock.monotonic() - known[0] >= newer_than:
                found = await self._find(delegate, reach, demand)
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                    self._locks = {key: self._locks[key]}
                known = self._known[key] = (self._clock.monotonic(), found)
        found = known[1]
        if demand.scopes is not None:
            return Found(found.resource, found.server, demand.scopes, found.issuers)
        return found

    async def server(self, issuer: str, reach: Reach) -> Server:
        """The metadata of an issuer that the operator named. Raises `Away` and `Unfit`."""
        key = f"issuer {issuer}"
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._known.get(key)
            if known is None or self._clock.monotonic() - known[0] >= _FRESH_SECONDS:
                server = await self._metadata(issuer, reach, vouched=True)
                if server is None:
                    raise Unfit(f"no metadata is served for the issuer {issuer}; correct it")
                known = self._known[key] = (self._clock.monotonic(), Found("", server))
            return known[1].server

    async def _find(self, delegate: Delegate, reach: Reach, demand: Demand) -> Found:
        resource = canonical(delegate.url)
        auth = delegate.auth
        if auth.token_url is not None and (auth.authorization_url is not None or auth.mode != "authorization_code"):
            issuer = auth.issuer or auth.token_url
            server = Server(issuer, auth.token_url, auth.authorization_url, nameless=auth.issuer is None)
            return Found(resource, server, demand.scopes, (issuer,))
        if auth.issuer is not None:
            server = await self._configured(auth.issuer, delegate, reach)
            return Found(resource, server, demand.scopes, (server.issuer,))
        if demand.resource_metadata is None and demand.scopes is None:
            demand = demand_of(Challenge(401, await self._outside.probe(delegate.url, reach)))
        told = await self._resource(delegate.url, demand.resource_metadata, reach)
        if told is None:  # MCP 2025-03-26: the upstream's own origin is the authorization server
            base = origin(delegate.url)
            server_or_none = await self._metadata(base, reach, legacy=True)
            server = server_or_none or Server(base, f"{base}/token", f"{base}/authorize", f"{base}/register")
            return Found(resource, server, demand.scopes, (server.issuer,))
        issuers = tuple(issuer for issuer in told.get("authorization_servers") or () if isinstance(issuer, str))
        server_found = await self._metadata(issuers[0] if issuers else origin(delegate.url), reach)
        if server_found is None:
            raise Unfit(f"{host_of(delegate.url)} names an authorization server that serves no metadata")
        supported = told.get("scopes_supported")
        scopes = demand.scopes
        if scopes is None and isinstance(supported, list):
            scopes = scopes_of(" ".join(scope for scope in supported if isinstance(scope, str)))
        return Found(str(told["resource"]), server_found, scopes, issuers)

    async def _configured(self, issuer: str, delegate: Delegate, reach: Reach) -> Server:
        server = await self._metadata(issuer, reach, vouched=True)
        if server is None:
            raise Unfit(f"no metadata is served for the issuer {issuer}; correct it, or write token_url")
        return server

    async def _resource(self, url: str, told: str | None, reach: Reach) -> Mapping[str, Any] | None:
        """The protected resource's metadata; `None` when none is served. Raises `Unfit` when it is another's."""
        away: Away | None = None
        for place in resource_urls(told, url):
            try:
                answer = await self._outside.get(place, reach)
            except Away as error:
                away = error
                continue
            if answer.status >= 500 or answer.status == 429:
                away = Away(f"{host_of(place)} answered {answer.status}")
            if answer.status != 200 or answer.body is None:
                continue
            resource = answer.body.get("resource")
            if not isinstance(resource, str) or not covers(resource, url):
                raise Unfit(f"the metadata at {host_of(place)} describe another resource than {canonical(url)}")
            return answer.body
        if away is not None:
            raise away
        return None

    async def _metadata(
        self, issuer: str, reach: Reach, *, vouched: bool = False, legacy: bool = False
    ) -> Server | None:
        """An issuer's metadata; `None` when none is served. `vouched`: the operator wrote the issuer."""
        try:
            check_url(issuer)
        except ValueError as error:
            raise Unfit(f"the authorization server's issuer cannot be used: {error}") from None
        for place in server_urls(issuer, legacy=legacy):
            answer = await self._outside.get(place, reach)
            if answer.status >= 500 or answer.status == 429:
                raise Away(f"{host_of(place)} answered {answer.status}")
            if answer.status == 200 and answer.body is not None:
                return _server(answer.body, issuer, vouched=vouched or legacy)
        return None


def _server(body: Mapping[str, Any], issuer: str, *, vouched: bool) -> Server:
    said = body.get("issuer")
    if not isinstance(said, str) or not same_issuer(said, issuer):
        raise Unfit(f"the metadata at {host_of(issuer)} are those of another issuer")
    methods = body.get("code_challenge_methods_supported")
    if (isinstance(methods, list) and "S256" not in methods) or (methods is None and not vouched):
        raise Unfit(f"the authorization server at {host_of(issuer)} does not offer PKCE with S256")
    token_endpoint = _endpoint(body, "token_endpoint")
    if token_endpoint is None:
        raise Unfit(f"the metadata at {host_of(issuer)} name no token_endpoint")
    auth_methods = body.get("token_endpoint_auth_methods_supported")
    return Server(
        issuer=said,
        token_endpoint=token_endpoint,
        authorization_endpoint=_endpoint(body, "authorization_endpoint"),
        registration_endpoint=_endpoint(body, "registration_endpoint"),
        revocation_endpoint=_endpoint(body, "revocation_endpoint"),
        auth_methods=tuple(map(str, auth_methods)) if isinstance(auth_methods, list) else None,
        scopes=scopes_of(" ".join(filter(_is_text, body.get("scopes_supported") or ()))),
        takes_metadata_documents=body.get("client_id_metadata_document_supported") is True,
        names_itself=body.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        return check_url(value) if isinstance(value, str) else None
    except ValueError as error:
        raise Unfit(f"the authorization server's {name} cannot be used: {error}") from None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def resource_urls(told: str | None, url: str) -> Sequence[str]:
    """Where the metadata of a resource may be, in order: where it says, below its path, at the root."""
    base, path = origin(url), urlsplit(url).path
    places = [told] if told is not None else []
    if path not in ("", "/"):
        places.append(f"{base}/.well-known/oauth-protected-resource{path}")
    return [*places, f"{base}/.well-known/oauth-protected-resource"]


def server_urls(issuer: str, *, legacy: bool = False) -> Sequence[str]:
    """Where the metadata of an issuer may be, in order."""
    base, path = origin(issuer), urlsplit(issuer).path.rstrip("/")
    if legacy:
        return [f"{base}/.well-known/oauth-authorization-server"]
    if not path:
        return [f"{base}/.well-known/oauth-authorization-server", f"{base}/.well-known/openid-configuration"]
    return [
        f"{base}/.well-known/oauth-authorization-server{path}",
        f"{base}/.well-known/openid-configuration{path}",
        f"{base}{path}/.well-known/openid-configuration",
    ]


def canonical(url: str) -> str:
    """A resource's identifier (RFC 8707): its URL in one spelling, without query and fragment."""
    path = urlsplit(url).path
    return origin(url) + ("" if path == "/" else path)


def covers(resource: str, url: str) -> bool:
    """Whether `url` is `resource` or lies below it: the same origin, and whole segments of its path."""
    try:
        if origin(check_url(resource)) != origin(url):
            return False
    except ValueError:
        return False
    above, path = urlsplit(resource).path.rstrip("/"), urlsplit(url).path
    return path.rstrip("/") == above or path.startswith(above + "/")


def same_issuer(one: str, other: str) -> bool:
    """Whether two identifiers are equal; of an issuer without a path, the closing slash may be missing."""
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter + "/" and urlsplit(shorter).path == "" and not urlsplit(shorter).query
