"""The routes of the pages and their API. Pages are public: they ask themselves who is there.

What they do is told beside this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from routeiq_sdk.values.http import Handler, HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_oauth.outbound import Outbound

_PAGES = (
    ("GET", "/connections", "home", "The upstreams that one is connected to, as a page"),
    ("POST", "/connections/disconnect", "disconnect", "End a connection, from the page"),
    ("POST", "/connections/logout", "sign_out", "Forget the key that was typed into the sign-in page"),
    ("GET", "/connections/consent/{id}", "question", "Ask whether an upstream may be used in one's name"),
    ("POST", "/connections/consent/{id}", "agree", "Go on to the upstream's authorization server"),
    ("GET", "/connections/callback", "arrived", "Where authorization servers send the browser back"),
    ("GET", "/connections/client.json", "document", "The gateway's client metadata document"),
)
_API = (
    ("GET", "/v1/connections", "listed", "connection:list", "The caller's connections to upstreams"),
    ("POST", "/v1/connections/{upstream}", "asked", "connection:create", "A link by which the caller connects"),
    ("DELETE", "/v1/connections/{upstream}", "ended", "connection:delete", "Forget and revoke a connection"),
)


def register(routes: Routes, outbound: Callable[[], Outbound]) -> None:
    """Add them. `outbound` gives the parts once the plugin is set up."""
    for method, path, name, summary in _PAGES:
        routes.add(method, path, _handler(outbound, name), access="public", summary=summary)
    for method, path, name, action, summary in _API:
        routes.add(method, path, _handler(outbound, name), access="key", summary=summary, action=action)

    async def login(request: HttpRequest) -> HttpResponse:
        return await outbound().browsers.login(request)

    routes.add("POST", "/connections/login", login, access="public", summary="Sign in to the pages with a key")


def _handler(outbound: Callable[[], Outbound], name: str) -> Handler:
    async def handle(request: HttpRequest) -> HttpResponse:
        from routeiq_oauth.pages.connections import Connections

        handler: Handler = getattr(Connections(outbound()), name)
        return await handler(request)

    return handle
