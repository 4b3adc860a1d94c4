"""An authorization request (RFC 6749, section 4.1.1) and whether it may be answered, and where.

Who agrees to it is told in `authorize`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from routeiq_oauth.server.answers import OAuthError, Unaskable
from routeiq_oauth.server.clients import Client, Clients
from routeiq_oauth.server.redirects import is_registered
from routeiq_oauth.server.resources import OFFLINE, Resources, Target
from routeiq_sdk.values.http import Headers

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_STATE = 2048
_LONGEST = 8192
PROMPTS = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a client may make. `state` goes back as it came."""

    client: Client
    redirect_uri: str
    target: Target
    scopes: tuple[str, ...]
    challenge: str
    state: str | None
    refresh: bool
    prompts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A request with an error, of a client whose redirect URI is known: the error goes back there."""

    redirect_uri: str
    state: str | None
    error: OAuthError


async def read_request(
    parameters: Sequence[tuple[str, str]], headers: Headers, clients: Clients, resources: Resources
) -> Asked | Wrong:
    """Read a request. Raises `Unaskable` when nobody may be redirected."""
    told = _once(parameters)
    client = await _client(told.get("client_id"), clients)
    redirect_uri = told.get("redirect_uri")
    if redirect_uri is None:
        if len(client.redirect_uris) != 1:
            raise Unaskable("The request names no redirect_uri.")
        redirect_uri = client.redirect_uris[0]
    elif not is_registered(redirect_uri, client.redirect_uris):
        raise Unaskable(
            "The address to which the answer would go is not one of this client's. Somebody may be trying to trick you."
        )
    state = told.get("state")
    try:
        return _checked(told, parameters, headers, resources, client, redirect_uri)
    except OAuthError as error:
        return Wrong(redirect_uri, state if state is not None and len(state) <= _LONGEST_STATE else None, error)


def _checked(
    told: dict[str, str],
    parameters: Sequence[tuple[str, str]],
    headers: Headers,
    resources: Resources,
    client: Client,
    redirect_uri: str,
) -> Asked:
    if told.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type: this server knows only code")
    if told.get("response_mode", "query") != "query" or "request" in told or "request_uri" in told:
        raise OAuthError("invalid_request", "this server answers in the query, to plain parameters")
    state = told.get("state")
    if state is not None and len(state) > _LONGEST_STATE:
        raise OAuthError("invalid_request", f"state: at most {_LONGEST_STATE} characters")
    challenge = told.get("code_challenge", "")
    if told.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "PKCE is required: code_challenge with code_challenge_method S256")
    prompts = frozenset(told.get("prompt", "").split())
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise OAuthError("invalid_request", "prompt: none, login, consent, select_account")
    target = resources.find([value for name, value in parameters if name == "resource"], headers)
    scopes = resources.scopes(told.get("scope"), target)
    refresh = client.refreshes or OFFLINE in told.get("scope", "").split()
    return Asked(client, redirect_uri, target, scopes, challenge, state, refresh, prompts)


async def _client(id: str | None, clients: Clients) -> Client:
    if id is None:
        raise Unaskable("The request names no client_id.")
    try:
        client = await clients.find(id)
    except OAuthError as error:
        raise Unaskable(f"{error.description[:1].upper()}{error.description[1:]}.") from None
    if client is None:
        raise Unaskable("This client is not known here. It may have to register again.")
    return client


def _once(parameters: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The parameters, none of which may come twice but `resource`. Empty ones count as absent."""
    if sum(len(name) + len(value) for name, value in parameters) > _LONGEST:
        raise Unaskable("The request is too long.")
    told: dict[str, str] = {}
    for name, value in parameters:
        if name in told and name != "resource":
            raise Unaskable(f"The request names {name[:40]} twice.")
        if value:
            told[name] = value
    return told
