"""`/connections`: what a person is connected to, the question whether to connect, the way back, and the same as JSON.

Every page is bound to who is signed in: a question is shown to the person whom it asks, and to nobody else.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Any, Literal

from routeiq_oauth.delegation.consent import Refused, Strayed
from routeiq_oauth.delegation.outside import host_of
from routeiq_oauth.delegation.questions import Question
from routeiq_oauth.delegation.trouble import Away, Denied, Unfit, told
from routeiq_oauth.outbound import Outbound
from routeiq_oauth.pages.html import Markup, joined, leaving, markup, page, redirect
from routeiq_oauth.pages.login import Visitor, form_of
from routeiq_oauth.vault.grant import Owner
from routeiq_oauth.vault.store import Kept
from routeiq_sdk import RequestError, RouteIQError, StoreUnavailable
from routeiq_sdk.events import ConnectionV1, SignInV1
from routeiq_sdk.events.contract import moment
from routeiq_sdk.values.http import HttpRequest, HttpResponse

log = logging.getLogger(__name__)

HOME = "/connections"
_SOMEBODY_ELSE = "a consent page was opened by somebody else than the person it asks"
_QUESTION = """<p><strong>{title}</strong> at <code>{url}</code> is to be used in your name.</p>
<p>You will sign in at <code>{server}</code> and can take this back at any time.</p>
<p>Asked by: <code>{asker}</code>, for <code>{tenant}</code>. Signed in here as: <code>{who}</code>.</p>{scopes}
<p class="warning">Go on only if you yourself asked for this just now.</p>
<form method="post">{csrf}<button>Connect</button></form>"""


class Connections:
    """The handlers."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._gateway = outbound.gateway
        self._browsers = outbound.browsers

    async def home(self, request: HttpRequest) -> HttpResponse:
        """`GET /connections`: the list."""
        visitor = await self._browsers.visitor(request)
        if visitor is None:
            return self._browsers.ask(request, HOME)
        try:
            rows = await self._outbound.store.of_user(Owner.of(visitor.principal).user)
            open_questions = [one async for one in self._outbound.questions.of_user(Owner.of(visitor.principal).user)]
        except StoreUnavailable as error:
            raise told(error, "your connections") from None
        csrf = self._browsers.csrf(visitor)
        body = joined((_list(rows, open_questions, csrf, self._now()), _way_out(visitor, csrf)))
        return page("Connections", body, headers=self._browsers.cookie(visitor))

    async def disconnect(self, request: HttpRequest) -> HttpResponse:
        """`POST /connections/disconnect`: the list's form."""
        visitor, form = await self._submitted(request)
        if visitor is None:
            return self._browsers.ask(request, HOME, status=403)
        await self._end(visitor, form.get("upstream", ""))
        return redirect(HOME)

    async def sign_out(self, request: HttpRequest) -> HttpResponse:
        """`POST /connections/logout`."""
        visitor, _ = await self._submitted(request)
        if visitor is None:
            return self._browsers.ask(request, HOME, status=403)
        return await self._browsers.logout(request, visitor)

    async def question(self, request: HttpRequest) -> HttpResponse:
        """`GET /connections/consent/{id}`: whether to connect."""
        visitor = await self._browsers.visitor(request)
        if visitor is None:
            return self._browsers.ask(request, request.path)
        asked = await self._asked(request, visitor)
        if isinstance(asked, HttpResponse):
            return asked
        scopes = Markup("")
        if asked.scopes:
            items = joined(markup("<li><code>{scope}</code></li>", scope=scope) for scope in asked.scopes)
            scopes = markup("<p>It will be allowed:</p><ul>{items}</ul>", items=items)
        body = markup(
            _QUESTION,
            title=_title(asked),
            url=asked.delegate.url,
            server=host_of(asked.server.issuer),
            asker=asked.asker,
            tenant="yourself" if asked.owner.tenant == "-" else asked.owner.tenant,
            who=visitor.principal.alias or visitor.principal.user or visitor.principal.id[:12],
            scopes=scopes,
            csrf=self._browsers.csrf(visitor),
        )
        return page(f"Connect to {_title(asked)}?", body, headers=self._browsers.cookie(visitor))

    async def agree(self, request: HttpRequest) -> HttpResponse:
        """`POST /connections/consent/{id}`: off to the authorization server."""
        visitor, _ = await self._submitted(request)
        if visitor is None:
            return self._browsers.ask(request, request.path, "Please sign in and try again.", 403)
        asked = await self._asked(request, visitor)
        if isinstance(asked, HttpResponse):
            return asked
        base = self._outbound.address.base(request.headers)
        try:
            url = await self._outbound.consent.depart(asked, self._browsers.bound(visitor), base)
        except RouteIQError as error:
            return _trouble(error, _title(asked))
        return leaving(url, host_of(url))

    async def arrived(self, request: HttpRequest) -> HttpResponse:
        """`GET /connections/callback`: back from there."""
        visitor = await self._browsers.visitor(request)
        bound = self._browsers.bound(visitor) if visitor is not None and not visitor.new else None
        user = Owner.of(visitor.principal).user if visitor is not None else None
        try:
            if len(request.query) < len(request.queries):
                raise Strayed("this answer is malformed")
            answered = await self._outbound.consent.arrive(request.query, bound, user)
        except Strayed as error:
            await self._refuse(request, visitor, str(error))
            text = markup("<p>Not connected: {reason}. Begin again where you were asked.</p>", reason=error)
            return page("Not connected", text, status=400)
        except Refused as error:
            text = markup("<p>Not connected: {reason}.</p><p>You can begin again at any time.</p>", reason=error)
            return page("Not connected", text, status=400)
        except RouteIQError as error:
            return _trouble(error, "this upstream")
        self._tell("connected", answered.delegate.id, visitor)
        text = markup(
            '<p>You are connected to {title}. Go back to where you were asked, or see <a href="{home}">all '
            "connections</a>.</p>",
            title=_title(answered),
            home=HOME,
        )
        return page("Connected", text)

    async def document(self, request: HttpRequest) -> HttpResponse:
        """`GET /connections/client.json`: who this gateway is to authorization servers (CIMD)."""
        base = self._outbound.address.base(request.headers)
        return HttpResponse.json(self._outbound.clients.document(base), headers={"cache-control": "public, max-age=60"})

    async def listed(self, request: HttpRequest) -> HttpResponse:
        """`GET /v1/connections`."""
        user = Owner.of(_principal(request)).user
        try:
            rows = await self._outbound.store.of_user(user)
            asked = [one async for one in self._outbound.questions.of_user(user)]
        except StoreUnavailable as error:
            raise told(error, "your connections") from None
        now = self._now()
        base = self._outbound.address.base(request.headers)
        values = [_row(kept, now) for kept in rows]
        questions = [
            {"upstream": one.delegate.id, "title": _title(one), "url": f"{base}{HOME}/consent/{one.id}"}
            for one in asked
        ]
        return HttpResponse.json({"connections": values, "asked": questions}, headers={"cache-control": "no-store"})

    async def asked(self, request: HttpRequest) -> HttpResponse:
        """`POST /v1/connections/{upstream}`: a question to oneself."""
        principal, context = _principal(request), request.context
        delegate = self._outbound.delegation.known.get(request.path_params["upstream"])
        if delegate is None or context is None:
            raise RequestError(404, "There is no such upstream to connect to.", code="not_found")
        try:
            id = await self._outbound.people.ask(context, delegate, Owner.of(principal), None, had=())
        except RouteIQError as error:
            raise told(error, delegate.title or delegate.id) from None
        base = self._outbound.address.base(request.headers)
        return HttpResponse.json({"id": id, "upstream": delegate.id, "url": f"{base}{HOME}/consent/{id}"}, status=201)

    async def ended(self, request: HttpRequest) -> HttpResponse:
        """`DELETE /v1/connections/{upstream}`: forget and revoke."""
        visitor = Visitor(_principal(request), "", False)
        if not await self._end(visitor, request.path_params["upstream"]):
            raise RequestError(404, "You are not connected to this upstream.", code="not_found")
        return HttpResponse.json({"upstream": request.path_params["upstream"], "connected": False})

    async def _end(self, visitor: Visitor, upstream: str) -> int:
        try:
            rows = await self._outbound.store.of_user(Owner.of(visitor.principal).user)
            ended = await self._outbound.revoker.end([kept for kept in rows if kept.upstream == upstream])
        except StoreUnavailable as error:
            raise told(error, "your connections") from None
        if ended:
            self._tell("disconnected", upstream, visitor)
        return ended

    async def _submitted(self, request: HttpRequest) -> tuple[Visitor | None, dict[str, str]]:
        form = form_of(request)
        visitor = await self._browsers.visitor(request)
        if visitor is None or not self._browsers.is_genuine(visitor, form):
            return None, form
        return visitor, form

    async def _asked(self, request: HttpRequest, visitor: Visitor) -> Question | HttpResponse:
        """The question of a page, if it asks this visitor."""
        try:
            asked = await self._outbound.questions.get(request.path_params["id"])
        except StoreUnavailable as error:
            raise told(error, "this question") from None
        if asked is None:
            text = markup(
                '<p>This question was answered, or is too old. See <a href="{home}">your connections</a>, or begin '
                "again where you were asked.</p>",
                home=HOME,
            )
            return page("Nothing to answer", text, status=404)
        if not is_asked(visitor, asked):
            await self._refuse(request, visitor, _SOMEBODY_ELSE)
            text = markup(
                '<p class="warning">This page asks somebody else. If somebody sent you this link, they may have wanted '
                "to use your account: do not sign in anywhere because of it.</p>"
            )
            return page("Not for you", text, status=403)
        return asked

    async def _refuse(self, request: HttpRequest, visitor: Visitor | None, reason: str) -> None:
        """Have it written down before the browser hears of it."""
        now = self._now_ns()
        principal = visitor.principal if visitor is not None else None
        event = SignInV1(
            event_id=f"{request.request_id}-consent",
            timestamp_utc=moment(now),
            request_id=request.request_id,
            step="refused",
            principal=principal.id if principal is not None else None,
            user=principal.user if principal is not None else None,
            team=principal.team if principal is not None else None,
            client=request.client,
            reason=reason,
        )
        await self._gateway.commit(event.event(now))

    def _tell(self, what: Literal["connected", "disconnected"], upstream: str, visitor: Visitor | None) -> None:
        principal, now = visitor.principal if visitor is not None else None, self._now_ns()
        event = ConnectionV1(
            what=what,
            upstream=upstream,
            principal=principal.id if principal is not None else None,
            event_id=f"connection-{uuid.uuid4().hex}",
            timestamp_utc=moment(now),
            user=principal.user if principal is not None else None,
        )
        self._gateway.emit(event.event(now))

    def _now_ns(self) -> int:
        return self._gateway.clock.now_ns()

    def _now(self) -> int:
        return self._now_ns() // 10**9


def is_asked(visitor: Visitor, question: Question) -> bool:
    """Whether a question asks this visitor, and nobody else who has its link."""
    return Owner.of(visitor.principal).user == question.owner.user


def _list(rows: Sequence[Kept], asked: Sequence[Question], csrf: Markup, now: int) -> Markup:
    lines = [
        markup(
            "<tr><td>{upstream}</td><td>{status}</td><td><code>{scopes}</code></td><td>"
            '<form method="post" action="/connections/disconnect">{csrf}'
            '<input type="hidden" name="upstream" value="{upstream}"><button>Disconnect</button></form></td></tr>',
            upstream=kept.upstream,
            status=_status(kept, now),
            scopes=" ".join(kept.grant.scopes) if kept.grant is not None else "",
            csrf=csrf,
        )
        for kept in rows
    ]
    lines += [
        markup(
            "<tr><td>{title}</td><td>asks you</td><td></td>"
            '<td><a href="/connections/consent/{id}">Answer</a></td></tr>',
            title=_title(one),
            id=one.id,
        )
        for one in asked
    ]
    if not lines:
        return markup("<p>You are connected to nothing, and nothing asks you.</p>")
    head = markup("<tr><th>Upstream</th><th>State</th><th>Scopes</th><th></th></tr>")
    return markup("<table>{head}{lines}</table>", head=head, lines=joined(lines))


def _way_out(visitor: Visitor, csrf: Markup) -> Markup:
    if not visitor.by_key:
        return Markup("")
    return markup('<form method="post" action="/connections/logout">{csrf}<button>Sign out</button></form>', csrf=csrf)


def _row(kept: Kept, now: int) -> dict[str, Any]:
    return {
        "upstream": kept.upstream,
        "issuer": kept.issuer,
        "tenant": kept.owner.tenant,
        "status": _status(kept, now),
        "scopes": list(kept.grant.scopes) if kept.grant is not None else [],
        "expires_at": kept.grant.expires_at if kept.grant is not None else None,
        "connected_at": kept.created_at // 10**9,
    }


def _status(kept: Kept, now: int) -> str:
    grant = kept.grant
    if grant is None:
        return "unreadable"
    if grant.stale or (grant.refresh is None and grant.is_over(now)):
        return "ended"
    return "connected"


def _trouble(error: RouteIQError, title: str) -> HttpResponse:
    status = 503 if isinstance(error, Away | StoreUnavailable) else 502
    reason = error if isinstance(error, Away | Denied | Unfit) else "the gateway's store cannot be reached"
    text = markup("<p>Not connected to {title}: {reason}.</p>", title=title, reason=reason)
    return page("Not connected", text, status=status)


def _title(question: Question) -> str:
    delegate = question.delegate
    return delegate.title or delegate.id.partition(":")[2] or delegate.id


def _principal(request: HttpRequest) -> Any:
    if request.principal is None:
        raise RequestError(401, "Nobody is signed in.", type="auth_error")
    return request.principal
