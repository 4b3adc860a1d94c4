"""The authorization endpoint: who is there, do they agree, and the code that goes back (RFC 6749, 9207).

Requests are read in `asking`, the page is made in `consent`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from routeiq_oauth.address import Address
from routeiq_oauth.pages.html import redirect
from routeiq_oauth.pages.login import Browsers, Visitor, form_of
from routeiq_oauth.server.answers import OAuthError, Unaskable, as_page, with_query
from routeiq_oauth.server.asking import Asked, Wrong, read_request
from routeiq_oauth.server.clients import Clients
from routeiq_oauth.server.consent import Consents, consent_page
from routeiq_oauth.server.records import CODE_SECONDS, Code, Person, Records
from routeiq_oauth.server.resources import Resources
from routeiq_oauth.vault.keyring import Keyring, Unsealable
from routeiq_sdk import Gateway, RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

AUTHORIZE_PATH = "/authorize"
_TICKET_SECONDS = 600
_LONGEST_QUERY = 4096


class Authorize:
    """`/authorize` and the answer to its page."""

    def __init__(
        self,
        gateway: Gateway,
        address: Address,
        keyring: Keyring,
        browsers: Browsers,
        clients: Clients,
        resources: Resources,
        consents: Consents,
        records: Records,
    ) -> None:
        self._gateway = gateway
        self._address = address
        self._keyring = keyring
        self._browsers = browsers
        self._clients = clients
        self._resources = resources
        self._consents = consents
        self._records = records

    async def ask(self, request: HttpRequest) -> HttpResponse:
        """`GET /authorize`: a client sent somebody's browser."""
        return await self._guarded(request, list(request.queries))

    async def posted(self, request: HttpRequest) -> HttpResponse:
        """`POST /authorize`: the same, as a form. It becomes a GET, so that a sign-in can come back to it."""
        try:
            parameters = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
        except ValueError:
            return as_page(Unaskable("This form cannot be read."))
        query = urlencode(parameters)
        if len(query) > _LONGEST_QUERY:
            return as_page(Unaskable("This request is too long for a browser's address."))
        return redirect(f"{AUTHORIZE_PATH}?{query}")

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """`POST /authorize/answer`: the person pressed a button."""
        form = form_of(request)
        visitor = await self._browsers.visitor(request)
        parameters = self._open(form.get("ticket", ""), visitor) if visitor is not None else None
        if visitor is None or parameters is None or not self._browsers.is_genuine(visitor, form):
            return as_page(
                Unaskable("This page is too old, or was made for somebody else. Begin again in the client.", 403)
            )
        try:
            asked = await read_request(parameters, request.headers, self._clients, self._resources)
        except Unaskable as error:
            return as_page(error)
        if isinstance(asked, Wrong):
            return self._back(request, asked.redirect_uri, _told(asked.error, asked.state))
        if form.get("answer") != "allow":
            denied = OAuthError("access_denied", "the person said no")
            return self._back(request, asked.redirect_uri, _told(denied, asked.state))
        await self._consents.remember(_user(visitor), asked)
        return await self._granted(request, asked, visitor)

    async def _guarded(self, request: HttpRequest, parameters: Sequence[tuple[str, str]]) -> HttpResponse:
        try:
            asked = await read_request(parameters, request.headers, self._clients, self._resources)
        except Unaskable as error:
            return as_page(error)
        if isinstance(asked, Wrong):
            return self._back(request, asked.redirect_uri, _told(asked.error, asked.state))
        visitor = await self._browsers.visitor(request)
        if visitor is None or visitor.principal.user is None:
            if "none" in asked.prompts:
                nobody = OAuthError("login_required", "nobody is signed in")
                return self._back(request, asked.redirect_uri, _told(nobody, asked.state))
            return self._sign_in(request, parameters, visitor)
        if not asked.prompts & {"consent", "login", "select_account"} and await self._consents.covers(
            _user(visitor), asked
        ):
            return await self._granted(request, asked, visitor)
        if "none" in asked.prompts:
            undecided = OAuthError("consent_required", "the person has to be asked")
            return self._back(request, asked.redirect_uri, _told(undecided, asked.state))
        ticket = self._seal(parameters, visitor)
        shown = consent_page(asked, _user(visitor), self._browsers.csrf(visitor), ticket)
        return replace(shown, headers={**shown.headers, **self._browsers.cookie(visitor)})

    def _sign_in(
        self, request: HttpRequest, parameters: Sequence[tuple[str, str]], visitor: Visitor | None
    ) -> HttpResponse:
        reason = "Sign in to go on: a client wants to use this gateway in your name."
        if visitor is not None:
            reason = "You are signed in with a key that belongs to no person. Sign in with a key of your own."
        # Whoever comes from a form is shown the page: browsers hold a form's policy against where it leads in the end.
        again = [*((name, value) for name, value in parameters if name != "prompt"), ("prompt", "consent")]
        return self._browsers.ask(request, f"{AUTHORIZE_PATH}?{urlencode(again)}", reason)

    async def _granted(self, request: HttpRequest, asked: Asked, visitor: Visitor) -> HttpResponse:
        principal, directory = visitor.principal, self._gateway.directory
        user = await directory.user(_user(visitor)) if directory is not None else None
        if user is not None and not user.active:
            denied = OAuthError("access_denied", "the person may not use this gateway")
            return self._back(request, asked.redirect_uri, _told(denied, asked.state))
        code = Code(
            client_id=asked.client.id,
            client_name=asked.client.name,
            redirect_uri=asked.redirect_uri,
            challenge=asked.challenge,
            scopes=asked.scopes,
            resource=asked.target.url,
            person=Person.of(principal, listed=user is not None),
            refresh=asked.refresh,
            ends=self._now() + CODE_SECONDS,
        )
        text = await self._records.keep_code(code)
        await self._clients.used(asked.client)
        return self._back(request, asked.redirect_uri, {"code": text, "state": asked.state})

    def _back(self, request: HttpRequest, uri: str, told: Mapping[str, str | None]) -> HttpResponse:
        """To the client, which is told whose answer it is (RFC 9207)."""
        return redirect(with_query(uri, {**told, "iss": self._address.base(request.headers)}))

    def _seal(self, parameters: Sequence[tuple[str, str]], visitor: Visitor) -> str:
        value = {"asked": list(parameters), "ends": self._now() + _TICKET_SECONDS}
        sealed = self._keyring.seal(json.dumps(value).encode(), *self._place(visitor))
        return base64.urlsafe_b64encode(sealed).decode()

    def _open(self, ticket: str, visitor: Visitor) -> list[tuple[str, str]] | None:
        """What was asked on the page that this very visitor was shown."""
        try:
            sealed = base64.b64decode(ticket.encode("ascii"), altchars=b"-_", validate=True)
            value = json.loads(self._keyring.open(sealed, *self._place(visitor)))
        except (binascii.Error, UnicodeError, Unsealable):
            return None
        return [(name, told) for name, told in value["asked"]] if self._now() < value["ends"] else None

    def _place(self, visitor: Visitor) -> tuple[str, ...]:
        return "authorize", self._browsers.bound(visitor), visitor.principal.id, _user(visitor)

    def _now(self) -> int:
        return self._gateway.clock.now_ns() // 10**9


def _told(error: OAuthError, state: str | None) -> dict[str, str | None]:
    return {"error": error.code, "error_description": error.description, "state": state}


def _user(visitor: Visitor) -> str:
    if visitor.principal.user is None:
        raise RequestError(403, "This key belongs to no person.", type="auth_error")
    return visitor.principal.user
