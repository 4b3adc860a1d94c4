"""How what goes wrong with a token or a session is told to a client.

Pages for people are `login`'s, SCIM's errors `scim`'s.
"""

from __future__ import annotations

import logging
import math

from routeiq_oidc.tokens.refusal import Refused, Unavailable
from routeiq_sdk import RequestError

log = logging.getLogger(__name__)


def refused(error: Refused) -> RequestError:
    """A credential that does not count."""
    headers = {"www-authenticate": 'Bearer error="invalid_token"'} if error.status == 401 else {}
    return RequestError(
        error.status,
        f"Authentication Error, {error.reason}.",
        type="auth_error",
        code=str(error.status),
        headers=headers,
    )


def away(error: Unavailable) -> RequestError:
    """The issuer cannot be asked: nobody's credential is at fault."""
    log.debug("a token cannot be judged now: %s", error.reason)
    return RequestError(
        503,
        "The identity provider cannot be reached, so nobody can tell whether this token is valid. Try again.",
        type="auth_provider_unavailable",
        headers={"retry-after": str(max(1, math.ceil(error.retry_after)))},
    )


def store_away() -> RequestError:
    """The shared store or the directory cannot be asked."""
    return RequestError(
        503, "Users cannot be looked up now. Try again.", type="no_db_connection", headers={"retry-after": "1"}
    )
