"""The routes of browser sign-in, thin: cookies in, cookies and redirects out.

The flow itself and the sessions are in the modules beside this one.
"""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Literal

from routeiq_oidc.answers import away, refused, store_away
from routeiq_oidc.login.cookies import cookies, set_cookie
from routeiq_oidc.login.flow import ATTEMPT_SECONDS, Flow
from routeiq_oidc.login.session import Session, Sessions, is_forged
from routeiq_oidc.people.resolver import Resolver
from routeiq_oidc.tokens.refusal import Refused, Unavailable
from routeiq_sdk import Gateway, Principal, RequestError, StoreUnavailable
from routeiq_sdk.events import SignInV1
from routeiq_sdk.events.contract import moment
from routeiq_sdk.values.http import Headers, HttpRequest, HttpResponse

NO_STORE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign-in</title>
<p>{text}</p><p><a href="/sso/login">Sign in again</a></p></html>"""


Step = Literal["signed_in", "signed_out", "refused"]


class Browser:
    """Sign-in with a browser: three routes, and the session that `authenticate` accepts."""

    def __init__(self, flow: Flow, sessions: Sessions, people: Resolver, gateway: Gateway, *, secure: bool) -> None:
        self._gateway = gateway
        self._flow = flow
        self._sessions = sessions
        self._people = people
        self._secure = secure
        self._attempt_cookie = "__Secure-routeiq_login" if secure else "routeiq_login"

    async def login(self, request: HttpRequest) -> HttpResponse:
        """`GET /sso/login?return_to=/path`: off to the issuer."""
        try:
            departure = await self._flow.depart(request.query.get("return_to"))
        except Unavailable as error:
            raise away(error) from None
        cookie = set_cookie(
            self._attempt_cookie, departure.carried, seconds=ATTEMPT_SECONDS, path="/sso", secure=self._secure
        )
        return _redirect(departure.url, cookie)

    async def callback(self, request: HttpRequest) -> HttpResponse:
        """`GET /sso/callback`: back from the issuer, into a session."""
        carried = next(cookies(request.headers, self._attempt_cookie), None)
        try:
            arrival = await self._flow.arrive(_once(request), carried)
            principal = await self._people.principal(arrival.identity)
            # The team that counts now is enough, and keeps the cookie small.
            team = (principal.team,) if principal.team is not None else ()
            cookie = self._sessions.begin(replace(arrival.identity, teams=team))
            await self._tell(request, "signed_in", principal)
            return _redirect(arrival.return_to, cookie)
        except Refused as error:
            await self._tell(request, "refused", reason=error.reason)
            return _page(error.status, error.reason)
        except ValueError:
            return _page(403, "the identity provider says more about you than a session can hold")
        except Unavailable as error:
            raise away(error) from None
        except StoreUnavailable:
            raise store_away() from None

    async def logout(self, request: HttpRequest) -> HttpResponse:
        """`POST /sso/logout`: the end of a session."""
        session = await self._read(request.headers)
        if session is None:
            return HttpResponse.json(
                {"signed_out": False}, headers={**NO_STORE, "set-cookie": self._sessions.no_cookie}
            )
        if is_forged(session, request.method, request.headers):
            raise forged()
        await self._tell(request, "signed_out", await self.principal(session))
        try:
            await self._sessions.end(session)
        except StoreUnavailable:
            raise store_away() from None
        return HttpResponse.json({"signed_out": True}, headers={**NO_STORE, "set-cookie": self._sessions.no_cookie})

    async def session(self, request: HttpRequest) -> HttpResponse:
        """`GET /routeiq/v1/session`: who is signed in, and the token that changes need."""
        session = await self._read(request.headers)
        if session is None:
            raise RequestError(401, "Nobody is signed in. /sso/login signs in.", type="auth_error")
        principal = await self.principal(session)
        value = {
            "id": principal.id,
            "kind": principal.kind,
            "user": principal.user,
            "team": principal.team,
            "organization": principal.organization,
            **{name: principal.attributes.get(name) for name in ("email", "name", "roles")},
            "expires_at": session.ends,
            "csrf": session.csrf,
        }
        return HttpResponse.json(value, headers=NO_STORE)

    async def authenticate(self, headers: Headers, method: str) -> Principal | None:
        """The principal of a request's session; `None` without one. Raises `RequestError`."""
        session = await self._read(headers)
        if session is None:
            return None
        if is_forged(session, method, headers):
            raise forged()
        return await self.principal(session)

    async def principal(self, session: Session) -> Principal:
        """Who a session is now. Raises `RequestError`."""
        try:
            return await self._people.principal(session.identity)
        except Refused as error:
            raise refused(error) from None
        except StoreUnavailable:
            raise store_away() from None

    async def _tell(
        self, request: HttpRequest, step: Step, principal: Principal | None = None, reason: str | None = None
    ) -> None:
        """Have it written down before the browser hears of it. Raises `RequestError` when it cannot be."""
        now = self._gateway.clock.now_ns()
        event = SignInV1(
            event_id=f"{request.request_id}-sign-in",
            timestamp_utc=moment(now),
            request_id=request.request_id,
            step=step,
            principal=principal.id if principal is not None else None,
            user=principal.user if principal is not None else None,
            team=principal.team if principal is not None else None,
            client=request.client,
            reason=reason,
        )
        await self._gateway.commit(event.event(now))

    async def _read(self, headers: Headers) -> Session | None:
        try:
            return await self._sessions.read(headers)
        except StoreUnavailable:
            raise store_away() from None


def forged() -> RequestError:
    """Another site may have sent this."""
    return RequestError(
        403,
        "A session changes things only with its token in the header x-routeiq-csrf; GET /routeiq/v1/session tells it.",
        type="auth_error",
        code="csrf_token_missing",
    )


def _once(request: HttpRequest) -> dict[str, str]:
    """The query, in which nothing may be said twice."""
    query = dict(request.query)
    if len(query) < len(request.queries):
        raise Refused("this answer is malformed: begin again", status=400)
    return query


def _redirect(url: str, cookie: str) -> HttpResponse:
    return HttpResponse(302, b"", {**NO_STORE, "location": url, "set-cookie": cookie}, "text/plain")


def _page(status: int, reason: str) -> HttpResponse:
    text = html.escape(reason[:1].upper() + reason[1:] + ".")
    headers = {**NO_STORE, "content-security-policy": "default-src 'none'", "x-content-type-options": "nosniff"}
    return HttpResponse(status, _PAGE.format(text=text).encode(), headers, "text/html; charset=utf-8")
