"""Routes whose handlers answer 503 while the database is away, in the one place where it is said.

What a handler does is its own business.
"""

from __future__ import annotations

from functools import wraps

from routeiq_governance.identity.refusals import away
from routeiq_sdk import StoreUnavailable
from routeiq_sdk.values.http import Handler, HttpRequest, HttpResponse, Routes


class Reachable:
    """The gateway's routes, to which handlers are added that may raise `StoreUnavailable`."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    def add(
        self, method: str, path: str, handler: Handler, *, access: str, summary: str, action: str | None = None
    ) -> None:
        """Serve `handler`; a store that cannot be reached is 503 with `retry-after`."""

        @wraps(handler)
        async def serve(request: HttpRequest) -> HttpResponse:
            try:
                return await handler(request)
            except StoreUnavailable:
                raise away() from None

        self._routes.add(method, path, serve, access=access, summary=summary, action=action)
