"""The way to a person's grant: out to the authorization server with PKCE, `state` and the resource, and back.

Each departure is bound to one question, one browser and one client, and arrives once. Pages are told elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from routeiq_oauth.delegation.challenge import union
from routeiq_oauth.delegation.clients import CALLBACK, Clients
from routeiq_oauth.delegation.discovery import Server
from routeiq_oauth.delegation.outside import Reach, host_of
from routeiq_oauth.delegation.questions import Question, Questions
from routeiq_oauth.delegation.token_endpoint import TokenEndpoint
from routeiq_oauth.delegation.trouble import Denied, Unfit
from routeiq_oauth.vault.grant import Client, Grant
from routeiq_oauth.vault.keyring import Keyring, Unsealable
from routeiq_oauth.vault.revoking import Revoker
from routeiq_oauth.vault.store import Store
from routeiq_sdk import Gateway, RouteIQError

_FLOWS = "oauth.flows"
_FLOW_SECONDS = 600.0
OFFLINE = "offline_access"


class Strayed(RouteIQError):
    """An answer that belongs to nothing this browser began. Nothing in it is used."""


class Refused(RouteIQError):
    """The person, or the server for them, said no. `code` is OAuth's."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"the authorization server answered {code}")


@dataclass(frozen=True, slots=True)
class _Flow:
    question: Question
    verifier: str
    bound: str
    client: Client
    redirect_uri: str


class Consent:
    """Departures and arrivals."""

    def __init__(
        self,
        gateway: Gateway,
        keyring: Keyring,
        questions: Questions,
        clients: Clients,
        endpoint: TokenEndpoint,
        store: Store,
        revoker: Revoker,
    ) -> None:
        self._gateway = gateway
        self._keyring = keyring
        self._questions = questions
        self._clients = clients
        self._endpoint = endpoint
        self._store = store
        self._revoker = revoker

    async def depart(self, question: Question, bound: str, base: str) -> str:
        """The URL to send the browser `bound` to. Raises `Away`, `Denied`, `Unfit`, `StoreUnavailable`."""
        server = question.server
        if server.authorization_endpoint is None:
            raise Unfit(f"the authorization server at {host_of(server.issuer)} has no authorization_endpoint")
        reach = Reach.of(question.delegate, question.tenants)
        client = await self._clients.client(question.delegate, server, base, question.scopes, reach)
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        flow = _Flow(question, verifier, bound, client, base + CALLBACK)
        name = _hashed(state)
        sealed = self._keyring.seal(_packed(flow), "flow", name)
        await self._gateway.state.put(_FLOWS, name, sealed, ttl_seconds=_FLOW_SECONDS)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        params = {
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": flow.redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": question.resource,
        }
        if question.scopes:
            params["scope"] = " ".join(question.scopes)
        if OFFLINE in question.scopes:
            params["prompt"] = "consent"  # OpenID Connect gives refresh tokens only so
        return _with_params(server.authorization_endpoint, params)

    async def arrive(self, answer: Mapping[str, str], bound: str | None, user: str | None) -> Question:
        """Keep the grant that an answer to an authorization request brings; the question that it answers.

        `bound` and `user` are the browser's. Raises `Strayed`, `Refused`, and what token endpoints raise.
        """
        flow = await self._take(answer.get("state", ""))
        if flow is None or not began(flow, bound, user):
            raise Strayed("this answer belongs to nothing that was begun in this browser, or came twice")
        server = flow.question.server
        told = answer.get("iss")
        differs = told is not None and told != server.issuer and not server.nameless
        if differs or (told is None and server.names_itself):
            raise Strayed("this answer comes from another authorization server than the question went to")
        if "error" in answer:
            raise Refused(Denied(answer["error"], "").code)
        code = answer.get("code", "")
        if not code:
            raise Strayed("this answer brings no code")
        await self._keep(flow, code)
        await self._questions.close(flow.question)
        return flow.question

    async def _keep(self, flow: _Flow, code: str) -> None:
        question, server = flow.question, flow.question.server
        reach = Reach.of(question.delegate, question.tenants)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.redirect_uri,
            "code_verifier": flow.verifier,
            "resource": question.resource,
        }
        try:
            tokens = await self._endpoint.ask(server.token_endpoint, flow.client, form, reach, issuer=server.issuer)
        except Denied as error:
            if error.code == "invalid_client" and flow.client.registered:
                await self._clients.forget(server.issuer, flow.redirect_uri.removesuffix(CALLBACK))
            raise
        grant = Grant(
            issuer=server.issuer,
            resource=question.resource,
            token_endpoint=server.token_endpoint,
            revocation_endpoint=server.revocation_endpoint,
            client=flow.client,
            access=tokens.access,
            obtained_at=tokens.obtained_at,
            expires_at=tokens.expires_at,
            refresh=tokens.refresh,
            scopes=tokens.scopes if tokens.scopes is not None else question.scopes,
            asked=question.scopes,
            redirect_uri=flow.redirect_uri,
            operator=tuple(sorted(reach.operator)),
        )
        for before in await self._store.add(question.owner, question.delegate.id, grant):
            # At one issuer a revoked token may take the new one of the same person along.
            if before.issuer != grant.issuer:
                await self._revoker.revoke(before)

    async def _take(self, state: str) -> _Flow | None:
        """The flow of a `state`, once."""
        if not 40 <= len(state) <= 64:
            return None
        name = _hashed(state)
        sealed = await self._gateway.state.get(_FLOWS, name)
        if sealed is None or not await self._gateway.state.delete(_FLOWS, name):
            return None
        try:
            return _unpacked(self._keyring.open(sealed, "flow", name))
        except Unsealable:
            return None


def began(flow: _Flow, bound: str | None, user: str | None) -> bool:
    """Whether a flow was begun in this browser, by this user."""
    return bound is not None and flow.bound == bound and flow.question.owner.user == user


def scopes_to_ask(
    configured: Sequence[str], demanded: Sequence[str] | None, had: Sequence[str], server: Server
) -> tuple[str, ...]:
    """What to ask for: what is configured and what the upstream demands, on top of what one had; `offline_access`
    where the server has it, so that the grant lasts (SEP-2207)."""
    scopes = union(union(tuple(had), tuple(configured)), tuple(demanded or ()))
    if scopes and OFFLINE in server.scopes:
        return union(scopes, (OFFLINE,))
    return scopes


def _with_params(url: str, params: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in params]
    return urlunsplit(parts._replace(query=urlencode([*kept, *params.items()])))


def _packed(flow: _Flow) -> bytes:
    value = {
        "id": flow.question.id,
        "question": flow.question.packed().decode(),
        "verifier": flow.verifier,
        "bound": flow.bound,
        "client": flow.client.packed(),
        "redirect_uri": flow.redirect_uri,
    }
    return json.dumps(value).encode()


def _unpacked(raw: bytes) -> _Flow:
    value = json.loads(raw)
    question = Question.unpacked(value["id"], value["question"].encode())
    return _Flow(question, value["verifier"], value["bound"], Client.unpacked(value["client"]), value["redirect_uri"])


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
