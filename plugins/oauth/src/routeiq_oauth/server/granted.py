"""What people granted to clients, for them to see and to take back: a page, and the same as JSON.

What a grant is worth is told in `tokens`.
"""

from __future__ import annotations

import datetime

from routeiq_oauth.pages.html import joined, markup, page, redirect
from routeiq_oauth.pages.login import Browsers, form_of
from routeiq_oauth.server.consent import Consents
from routeiq_oauth.server.paths import CLIENTS_PATH
from routeiq_oauth.server.records import Grant, Records
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_ROW = """<tr><td><strong>{name}</strong><br><code>{client}</code></td><td><code>{resource}</code><br>{scopes}</td>
<td>{day}</td><td><form method="post" action="{path}">{csrf}<input type="hidden" name="grant" value="{id}">
<button>Take back</button></form></td></tr>"""
_TABLE = "<table><tr><th>Client</th><th>May use</th><th>Since</th><th></th></tr>{rows}</table>"


class Granted:
    """The handlers."""

    def __init__(self, records: Records, consents: Consents, browsers: Browsers) -> None:
        self._records = records
        self._consents = consents
        self._browsers = browsers

    async def page(self, request: HttpRequest) -> HttpResponse:
        """`GET /authorize/clients`."""
        visitor = await self._browsers.visitor(request)
        if visitor is None or visitor.principal.user is None:
            return self._browsers.ask(request, CLIENTS_PATH)
        csrf = self._browsers.csrf(visitor)
        rows = joined(
            markup(
                _ROW,
                name=grant.client_name,
                client=grant.client_id,
                resource=grant.resource,
                scopes=" ".join(grant.scopes),
                day=_day(grant),
                path=CLIENTS_PATH,
                csrf=csrf,
                id=id,
            )
            for id, grant in await self._records.granted_by(visitor.principal.user)
        )
        body = markup(_TABLE, rows=rows) if rows else markup("<p>No client may act for you.</p>")
        return page("Clients that act for you", body, headers=self._browsers.cookie(visitor))

    async def end_from_page(self, request: HttpRequest) -> HttpResponse:
        """`POST /authorize/clients`: a button of the page."""
        form = form_of(request)
        visitor = await self._browsers.visitor(request)
        if visitor is None or visitor.principal.user is None or not self._browsers.is_genuine(visitor, form):
            return self._browsers.ask(request, CLIENTS_PATH, "This page was too old. Sign in and try again.", 403)
        await self._end(visitor.principal.user, form.get("grant", ""))
        return redirect(CLIENTS_PATH)

    async def listed(self, request: HttpRequest) -> HttpResponse:
        """`GET /v1/oauth/grants`."""
        rows = [
            {
                "id": id,
                "client_id": grant.client_id,
                "client_name": grant.client_name,
                "resource": grant.resource,
                "scopes": list(grant.scopes),
                "granted_at": grant.at,
                "refreshes": grant.refresh is not None,
            }
            for id, grant in await self._records.granted_by(_user(request))
        ]
        return HttpResponse.json({"data": rows})

    async def ended(self, request: HttpRequest) -> HttpResponse:
        """`DELETE /v1/oauth/grants/{id}`."""
        if not await self._end(_user(request), request.path_params["id"]):
            raise RequestError(404, "You have granted no such thing.", param="id")
        return HttpResponse.json({"ended": 1})

    async def all_ended(self, request: HttpRequest) -> HttpResponse:
        """`DELETE /v1/oauth/users/{user}/grants`."""
        return HttpResponse.json({"ended": await self.forget(request.path_params["user"])})

    async def forget(self, user: str) -> int:
        """End all that a person granted; how many grants it were."""
        grants = await self._records.granted_by(user)
        for id, grant in grants:
            await self._records.revoke(id)
            await self._consents.forget(user, grant.client_id)
        return len(grants)

    async def _end(self, user: str, id: str) -> bool:
        grant = await self._records.grant(id)
        if grant is None or grant.person.user != user:
            return False
        await self._consents.forget(user, grant.client_id)
        return await self._records.revoke(id)


def _user(request: HttpRequest) -> str:
    if request.principal is None or request.principal.user is None:
        raise RequestError(403, "This key belongs to no person.", type="auth_error")
    return request.principal.user


def _day(grant: Grant) -> str:
    return datetime.datetime.fromtimestamp(grant.at, datetime.UTC).strftime("%Y-%m-%d")
