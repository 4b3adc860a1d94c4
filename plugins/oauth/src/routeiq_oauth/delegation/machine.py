"""Tokens that need nobody's consent here: the gateway's own (client credentials), and those exchanged for the caller's
(RFC 8693; Identity Assertion Authorization Grant with RFC 7523).

People's own grants are in `people`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from routeiq_oauth.delegation.discovery import Discovery, Found, canonical
from routeiq_oauth.delegation.outside import Reach
from routeiq_oauth.delegation.remembered import Remembered
from routeiq_oauth.delegation.subject import ACCESS_TOKEN, Subject, is_same
from routeiq_oauth.delegation.token_endpoint import TokenEndpoint, Tokens, configured_client
from routeiq_oauth.delegation.trouble import Unfit
from routeiq_oauth.vault.grant import Client, Owner
from routeiq_sdk.values.delegation import Challenge, Delegate, OutboundAuth

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


class MachineTokens:
    """Fetches and remembers them."""

    def __init__(self, discovery: Discovery, endpoint: TokenEndpoint, remembered: Remembered) -> None:
        self._discovery = discovery
        self._endpoint = endpoint
        self._remembered = remembered

    async def own(
        self, delegate: Delegate, reach: Reach, refused: Challenge | None, instead_of: str | None = None
    ) -> Tokens:
        """The gateway's own token for an upstream."""

        async def fetch() -> Tokens:
            found = await self._discovery.find(delegate, reach, refused)
            client = _client(delegate.auth, found)
            return await self._credentials(client, delegate, found, reach)

        key = f"{delegate.id}\n{_digest(delegate, refused)}"
        return await self._remembered.get(key, fetch, instead_of=instead_of)

    async def exchanged(
        self,
        owner: Owner,
        subject: Subject,
        delegate: Delegate,
        reach: Reach,
        refused: Challenge | None,
        instead_of: str | None = None,
    ) -> Tokens:
        """A token of the caller for an upstream, which ends no later than the caller's own."""

        async def fetch() -> Tokens:
            found = await self._discovery.find(delegate, reach, refused)
            if delegate.auth.mode == "id_jag":
                tokens = await self._by_assertion(subject, delegate, found, reach)
            else:
                tokens = await self._exchange(subject, delegate, found, reach)
            ends = [end for end in (tokens.expires_at, subject.expires_at) if end is not None]
            return replace(tokens, expires_at=min(ends, default=None), refresh=None)

        key = f"{delegate.id}\n{_digest(delegate, refused)}\n{owner.tenant!r} {owner.user!r} {subject.digest}"
        return await self._remembered.get(key, fetch, instead_of=instead_of)

    def forget(self, delegate_id: str) -> None:
        """Drop the tokens for an upstream."""
        self._remembered.forget(f"{delegate_id}\n")

    async def _credentials(self, client: Client, delegate: Delegate, found: Found, reach: Reach) -> Tokens:
        form = {"grant_type": "client_credentials", **_target(delegate.auth, found), **_scope(delegate.auth, found)}
        return await self._endpoint.ask(found.server.token_endpoint, client, form, reach, issuer=found.server.issuer)

    async def _exchange(self, subject: Subject, delegate: Delegate, found: Found, reach: Reach) -> Tokens:
        client = _client(delegate.auth, found)
        form = {
            "grant_type": EXCHANGE,
            "subject_token": subject.token.reveal(),
            "subject_token_type": subject.type,
            "requested_token_type": ACCESS_TOKEN,
            **_target(delegate.auth, found),
            **_scope(delegate.auth, found),
        }
        if delegate.auth.actor:
            actor = await self._credentials(client, delegate, found, reach)
            form |= {"actor_token": actor.access.reveal(), "actor_token_type": ACCESS_TOKEN}
        tokens = await self._endpoint.ask(found.server.token_endpoint, client, form, reach, issuer=found.server.issuer)
        _refuse_the_same(tokens, subject)
        return tokens

    async def _by_assertion(self, subject: Subject, delegate: Delegate, found: Found, reach: Reach) -> Tokens:
        auth = delegate.auth
        assert auth.identity_provider is not None
        provider = await self._discovery.server(auth.identity_provider, reach)
        form = {
            "grant_type": EXCHANGE,
            "requested_token_type": ID_JAG,
            "subject_token": subject.token.reveal(),
            "subject_token_type": subject.type,
            "audience": auth.audience or found.server.issuer,
            "resource": found.resource,
            **_scope(auth, found),
        }
        client = _client_at_provider(auth, provider.auth_methods)
        assertion = await self._endpoint.ask(
            provider.token_endpoint, client, form, reach, issuer=provider.issuer, types=("n_a", "bearer")
        )
        if assertion.issued_type not in (None, ID_JAG):
            raise Unfit("the identity provider gave something else than an ID-JAG")
        _refuse_the_same(assertion, subject)
        form = {"grant_type": JWT_BEARER, "assertion": assertion.access.reveal(), "resource": found.resource}
        form |= _scope(auth, found)
        here = _client(auth, found)
        return await self._endpoint.ask(found.server.token_endpoint, here, form, reach, issuer=found.server.issuer)


def _client(auth: OutboundAuth, found: Found) -> Client:
    client = configured_client(auth, found.server.auth_methods)
    if client is None:
        raise Unfit("client_id is missing")
    return client


def _client_at_provider(auth: OutboundAuth, methods: tuple[str, ...] | None) -> Client:
    if auth.identity_provider_client_id is not None:
        secret = auth.identity_provider_client_secret
        auth = auth.model_copy(
            update={"client_id": auth.identity_provider_client_id, "client_secret": secret, "client_key": None}
            if secret is not None or auth.client_key is None
            else {"client_id": auth.identity_provider_client_id, "client_secret": None}
        )
    client = configured_client(auth, methods)
    if client is None:
        raise Unfit("client_id is missing")
    return client


def _target(auth: OutboundAuth, found: Found) -> dict[str, str]:
    """For whom a token is: the resource (RFC 8707), or the name by which the operator says that the server knows it."""
    return {"audience": auth.audience} if auth.audience is not None else {"resource": found.resource}


def _scope(auth: OutboundAuth, found: Found) -> dict[str, str]:
    scopes = tuple(dict.fromkeys((*auth.scopes, *(found.scopes or ())))) if auth.scopes else found.scopes
    return {"scope": " ".join(scopes)} if scopes else {}


def _refuse_the_same(tokens: Tokens, subject: Subject) -> None:
    """A server that hands the subject's token back would make us pass it on."""
    if is_same(tokens.access, subject.token):
        raise Unfit("the exchange gave the caller's own token back, which is never passed on")


def _digest(delegate: Delegate, refused: Challenge | None) -> str:
    """What a kept token depends on beside its owner: another client, resource or scope is another token."""
    auth = delegate.auth
    secret = auth.client_secret.get_secret_value() if auth.client_secret is not None else ""
    demanded = refused.authenticate if refused is not None and refused.status == 403 else ""
    parts = (canonical(delegate.url), auth.model_dump_json(), secret, demanded)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
