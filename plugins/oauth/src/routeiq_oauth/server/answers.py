"""OAuth's errors (RFC 6749, sections 4.1.2.1 and 5.2): as JSON for clients, as a redirect, as a page for people.

When each is due is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from routeiq_oauth.pages.html import markup, page
from routeiq_sdk.values.http import HttpResponse

NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


class OAuthError(Exception):
    """An error that a client is told. `status` is that of a JSON answer; texts hold nothing secret."""

    def __init__(self, code: str, description: str, status: int = 400, *, headers: Mapping[str, str] = {}) -> None:
        self.code = code
        self.description = description
        self.status = status
        self.headers = dict(headers)
        super().__init__(f"{code}: {description}")


class Unaskable(Exception):
    """A request whose client or redirect URI cannot be trusted: the person is told, nobody is redirected."""

    def __init__(self, reason: str, status: int = 400) -> None:
        self.reason = reason
        self.status = status
        super().__init__(reason)


def as_json(error: OAuthError) -> HttpResponse:
    """The error of a back channel."""
    body = {"error": error.code, "error_description": error.description}
    return HttpResponse.json(body, error.status, {**NO_STORE, **error.headers})


def as_page(error: Unaskable) -> HttpResponse:
    """The error of a request that may not be sent back."""
    return page(
        "This request cannot be answered",
        markup("<p>{reason}</p><p>Nothing was granted. You may close this page.</p>", reason=error.reason),
        status=error.status,
    )


def with_query(uri: str, parameters: Mapping[str, str | None]) -> str:
    """A redirect URI with parameters added to the query that it has."""
    told = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{uri}{'&' if urlsplit(uri).query else '?'}{told}"
