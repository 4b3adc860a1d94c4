"""The token endpoint and revocation (RFC 6749, 7009, 7636): a code for tokens, a refresh token for its successor.

Codes are given out in `authorize`, what tokens say is told in `issuing`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from routeiq_oauth.address import Address
from routeiq_oauth.resource import strict
from routeiq_oauth.resource.jwk import signer_of
from routeiq_oauth.resource.refusal import Refused
from routeiq_oauth.server.answers import NO_STORE, OAuthError, as_json
from routeiq_oauth.server.clients import Client, Clients, authenticate
from routeiq_oauth.server.issuing import Issuing
from routeiq_oauth.server.keys import SigningKeys
from routeiq_oauth.server.records import Code, Grant, Records, RefreshToken, hashed
from routeiq_sdk import Gateway
from routeiq_sdk.values.http import Headers, HttpRequest, HttpResponse

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_FORM = "application/x-www-form-urlencoded"
_LONGEST = 32 * 1024


class Tokens:
    """`/token` and `/revoke`."""

    def __init__(
        self,
        gateway: Gateway,
        address: Address,
        clients: Clients,
        records: Records,
        issuing: Issuing,
        keys: SigningKeys,
        refresh_days: int,
    ) -> None:
        self._gateway = gateway
        self._address = address
        self._clients = clients
        self._records = records
        self._issuing = issuing
        self._keys = keys
        self._refresh_seconds = refresh_days * 86_400.0

    async def token(self, request: HttpRequest) -> HttpResponse:
        """`POST /token`."""
        try:
            form = _form(request)
            client = await self._client(form, request.headers)
            kind = form.get("grant_type")
            if kind == "authorization_code":
                return await self._redeem(form, client, self._address.base(request.headers))
            if kind == "refresh_token":
                return await self._refresh(form, client, self._address.base(request.headers))
            raise OAuthError("unsupported_grant_type", "grant_type: authorization_code or refresh_token")
        except OAuthError as error:
            return as_json(error)

    async def revoke(self, request: HttpRequest) -> HttpResponse:
        """`POST /revoke`: a token of the client's ends, and with it all tokens of the grant. An unknown one is no
        error."""
        try:
            form = _form(request)
            client = await self._client(form, request.headers)
            text = form.get("token")
            if text is None:
                raise OAuthError("invalid_request", "token is missing")
            id = self._grant_of(text)
            grant = await self._records.grant(id) if id is not None else None
            if id is not None and grant is not None and grant.client_id == client.id:
                await self._records.revoke(id)
        except OAuthError as error:
            return as_json(error)
        return HttpResponse(200, b"", NO_STORE)

    async def _redeem(self, form: Mapping[str, str], client: Client, issuer: str) -> HttpResponse:
        text = form.get("code", "")
        code = await self._records.code(text) if text else None
        if code is None or code.client_id != client.id:
            raise OAuthError("invalid_grant", "the code is not known, or is another client's")
        if code.grant is not None:
            await self._records.revoke(code.grant)  # somebody has a copy: what the first use gave ends
            raise OAuthError("invalid_grant", "the code was used before")
        self._check(form, code)
        family = RefreshToken.family()
        id = hashed(family)
        refresh, seconds = None, float(self._issuing.seconds + 60)
        secret: str | None = None
        if code.refresh and self._refresh_seconds:
            refresh, secret = RefreshToken.text(family)
            seconds = self._refresh_seconds
        now = self._gateway.clock.now_ns() // 10**9
        grant = Grant(code.client_id, code.client_name, code.scopes, code.resource, code.person, secret, now)
        await self._records.keep_grant(id, grant, seconds)  # first, so that a second use finds what to revoke
        if not await self._records.use_code(text, code, id):
            await self._records.revoke(id)
            first = await self._records.code(text)
            if first is not None and first.grant is not None:
                await self._records.revoke(first.grant)
            raise OAuthError("invalid_grant", "the code was used before")
        return self._answer(issuer, id, grant, grant.scopes, refresh)

    def _check(self, form: Mapping[str, str], code: Code) -> None:
        if self._gateway.clock.now_ns() // 10**9 >= code.ends:
            raise OAuthError("invalid_grant", "the code has expired")
        if form.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri is not that of the request")
        verifier = form.get("code_verifier", "")
        if not _VERIFIER.fullmatch(verifier):
            raise OAuthError("invalid_grant", "code_verifier is missing or malformed")
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
        if not hmac.compare_digest(made, code.challenge.encode()):
            raise OAuthError("invalid_grant", "code_verifier does not fit the code_challenge")
        _same_resource(form, code.resource)

    async def _refresh(self, form: Mapping[str, str], client: Client, issuer: str) -> HttpResponse:
        text = form.get("refresh_token", "")
        family = RefreshToken.family_of(text)
        id = hashed(family) if family is not None else ""
        grant = await self._records.grant(id) if family is not None else None
        if family is None or grant is None or grant.client_id != client.id or grant.refresh is None:
            raise OAuthError("invalid_grant", "the refresh token is not known, has ended or is another client's")
        if not hmac.compare_digest(hashed(text), grant.refresh):
            await self._records.revoke(id)  # an old one: it or its successor was stolen
            raise OAuthError("invalid_grant", "the refresh token was used before")
        _same_resource(form, grant.resource)
        scopes = grant.scopes
        if "scope" in form:
            scopes = tuple(dict.fromkeys(form["scope"].split()))
            if not set(grant.scopes).issuperset(scope for scope in scopes if scope != "offline_access"):
                raise OAuthError("invalid_scope", "more than what was granted")
            scopes = tuple(scope for scope in scopes if scope != "offline_access")
        if not await self._may_go_on(grant):
            await self._records.revoke(id)
            raise OAuthError("invalid_grant", "the person may not use this gateway any more")
        successor, secret = RefreshToken.text(family)
        if not await self._records.rotate(id, grant, secret):
            await self._records.revoke(id)
            raise OAuthError("invalid_grant", "the refresh token was used twice at once")
        await self._clients.used(client)
        return self._answer(issuer, id, grant, scopes, successor)

    async def _may_go_on(self, grant: Grant) -> bool:
        directory = self._gateway.directory
        if directory is None:
            return True
        user = await directory.user(grant.person.user)
        return user.active if user is not None else not grant.person.listed

    def _answer(self, issuer: str, id: str, grant: Grant, scopes: tuple[str, ...], refresh: str | None) -> HttpResponse:
        told = {
            "access_token": self._issuing.access_token(issuer, id, grant, scopes),
            "token_type": "Bearer",
            "expires_in": self._issuing.seconds,
            "scope": " ".join(scopes),
        }
        if refresh is not None:
            told["refresh_token"] = refresh
        return HttpResponse.json(told, headers=NO_STORE)

    async def _client(self, form: Mapping[str, str], headers: Headers) -> Client:
        """Who asks. Raises `OAuthError`."""
        id, secret = form.get("client_id"), form.get("client_secret")
        basic = _basic(headers)
        if basic is not None:
            if secret is not None or (id is not None and id != basic[0]):
                raise OAuthError("invalid_request", "the client says who it is in two ways")
            id, secret = basic
        if id is None:
            raise OAuthError("invalid_client", "client_id is missing", 401)
        challenge = {"www-authenticate": 'Basic realm="token"'} if basic is not None else {}
        client = await self._clients.find(id)
        if client is None:
            raise OAuthError("invalid_client", "this client is not known", 401, headers=challenge)
        try:
            authenticate(client, secret)
        except OAuthError as error:
            error.headers.update(challenge)
            raise
        return client

    def _grant_of(self, text: str) -> str | None:
        family = RefreshToken.family_of(text)
        if family is not None:
            return hashed(family)
        try:
            token = strict.read(text)
        except Refused:
            return None
        id = token.claims.get("grant")
        return id if isinstance(id, str) and signer_of(token, self._keys.verifying) is not None else None


def _same_resource(form: Mapping[str, str], resource: str) -> None:
    if form.get("resource", resource) != resource:
        raise OAuthError("invalid_target", "the resource is not the one that was granted")


def _form(request: HttpRequest) -> dict[str, str]:
    """The parameters, none of them twice. Raises `OAuthError`."""
    media_type = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if media_type != _FORM or len(request.body) > _LONGEST:
        raise OAuthError("invalid_request", f"parameters come as {_FORM}")
    try:
        pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:
        raise OAuthError("invalid_request", "the parameters cannot be read") from None
    form = {name: value for name, value in pairs if value}
    if len({name for name, _ in pairs}) < len(pairs):
        raise OAuthError("invalid_request", "a parameter comes twice")
    return form


def _basic(headers: Headers) -> tuple[str, str] | None:
    """Client id and secret in `Authorization: Basic`, each form-encoded (RFC 6749, 2.3.1)."""
    kind, _, told = (headers.get("authorization") or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        id, colon, secret = base64.b64decode(told.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeError):
        raise OAuthError("invalid_client", "Authorization cannot be read", 401) from None
    return (unquote_plus(id), unquote_plus(secret)) if colon else None
