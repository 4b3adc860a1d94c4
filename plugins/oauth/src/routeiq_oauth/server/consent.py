"""Consent: the page that asks for it, and the memory of it, one for each person and client.

What follows from it is told in `authorize`.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from routeiq_oauth.pages.html import Markup, joined, markup, page
from routeiq_oauth.server.asking import Asked
from routeiq_oauth.server.records import hashed
from routeiq_oauth.server.redirects import host_of
from routeiq_oauth.urls import is_loopback
from routeiq_sdk import Gateway
from routeiq_sdk.values.http import HttpResponse

ANSWER_PATH = "/authorize/answer"
_TABLE = "oauth.consents"
_BODY = """<p><strong>{client}</strong> wants to use <strong>{resource}</strong> in your name,
<strong>{user}</strong>.</p>
<table><tr><th>Client</th><td><code>{client_id}</code></td></tr>
<tr><th>The answer goes to</th><td><strong>{host}</strong></td></tr>
<tr><th>Resource</th><td><code>{resource_url}</code></td></tr>
<tr><th>It may</th><td>{scopes}</td></tr></table>{warnings}
<form method="post" action="{action}">{csrf}<input type="hidden" name="ticket" value="{ticket}">
<p><button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button></p></form>"""
_WARNING = '<p class="warning">{text}</p>'


class Consents:
    """Remembers what people agreed to."""

    def __init__(self, gateway: Gateway, days: int) -> None:
        self._state = gateway.state
        self._seconds = days * 86_400.0

    async def covers(self, user: str, asked: Asked) -> bool:
        """Whether the person agreed to all of this before, and the answer can reach nobody but the client.

        A program on the person's own machine cannot be told from another one (RFC 8252, 8.6): it is asked for again.
        """
        if not self._seconds or urlsplit(asked.redirect_uri).scheme != "https":
            return False
        known = await self._known(user, asked.client.id)
        granted = known.get(asked.target.url, {})
        return asked.redirect_uri in granted.get("redirects", ()) and set(asked.scopes) <= set(
            granted.get("scopes", ())
        )

    async def remember(self, user: str, asked: Asked) -> None:
        """The person agreed."""
        if not self._seconds:
            return
        known = await self._known(user, asked.client.id)
        granted = known.get(asked.target.url, {})
        known[asked.target.url] = {
            "scopes": sorted({*granted.get("scopes", ()), *asked.scopes}),
            "redirects": sorted({*granted.get("redirects", ()), asked.redirect_uri})[:20],
        }
        await self._state.put(
            _TABLE, _place(user, asked.client.id), json.dumps(known).encode(), ttl_seconds=self._seconds
        )

    async def forget(self, user: str, client_id: str) -> None:
        """The person wants to be asked again."""
        await self._state.delete(_TABLE, _place(user, client_id))

    async def _known(self, user: str, client_id: str) -> dict[str, dict[str, list[str]]]:
        raw = await self._state.get(_TABLE, _place(user, client_id))
        found = json.loads(raw) if raw is not None else {}
        return found if isinstance(found, dict) else {}


def consent_page(asked: Asked, user: str, csrf: Markup, ticket: str) -> HttpResponse:
    """The page that asks. Everything on it that the client said is escaped and marked as its own words."""
    client, uri = asked.client, asked.redirect_uri
    warnings = []
    if client.kind != "configured":
        warnings.append("The client chose this name itself; nobody checked it. Look at the addresses.")
    parts = urlsplit(uri)
    if parts.scheme != "https":
        where = "a program" if is_loopback(parts.hostname) else f"whatever program opens {parts.scheme}: links"
        warnings.append(f"The answer goes to {where} on your computer. Allow it only if you have just started this.")
    if asked.refresh:
        warnings.append("It may go on without you until you or an administrator take it back.")
    scopes = joined(markup("<div><code>{scope}</code></div>", scope=scope) for scope in asked.scopes)
    body = markup(
        _BODY,
        client=client.name,
        client_id=client.id,
        host=host_of(uri),
        resource=asked.target.name,
        resource_url=asked.target.url,
        user=user,
        scopes=scopes or "use it; there are no finer scopes",
        warnings=joined(markup(_WARNING, text=text) for text in warnings),
        action=ANSWER_PATH,
        csrf=csrf,
        ticket=ticket,
    )
    return page("Allow access?", body, leads_to=(uri,))


def _place(user: str, client_id: str) -> str:
    return hashed(json.dumps([user, client_id]))
