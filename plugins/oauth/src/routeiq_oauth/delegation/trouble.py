"""What goes wrong with an authorization server, and how a client is told. No message holds anything secret.

Retrying is decided by those who call.
"""

from __future__ import annotations

import re

from routeiq_sdk import RequestError, RouteIQError, StoreUnavailable

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class Away(RouteIQError):
    """It cannot be reached, or cannot answer now. Nothing is lost: try again."""


class Unfit(RouteIQError):
    """What it says of itself cannot be used. Trying again does not help; the message says what to mend."""


class Denied(RouteIQError):
    """It answered with an OAuth error: `code`, and nothing else of its text."""

    def __init__(self, code: object, host: str) -> None:
        self.code = code if isinstance(code, str) and _CODE.fullmatch(code) else "unknown_error"
        super().__init__(f"the authorization server at {host} answered {self.code}")


def told(error: RouteIQError, upstream: str) -> RequestError:
    """The same as an answer to the client that called the upstream."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, StoreUnavailable):
        return RequestError(
            503,
            f"Tokens for {upstream} cannot be read now. Try again.",
            type="no_db_connection",
            headers={"retry-after": "1"},
        )
    if isinstance(error, Away):
        return RequestError(
            503,
            f"No token for {upstream} now: {error}. Try again.",
            type="auth_provider_unavailable",
            headers={"retry-after": "5"},
        )
    if isinstance(error, Denied):
        return RequestError(502, f"No token for {upstream}: {error}.", type="upstream_auth_error", code=error.code)
    return RequestError(502, f"No token for {upstream}: {error}.", type="upstream_auth_error")
