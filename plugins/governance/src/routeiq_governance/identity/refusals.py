"""Why a credential is not accepted, in the words and statuses of the compatibility profile."""

from __future__ import annotations

from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Key
from routeiq_sdk import Reject, RequestError

OLD = "1.80"


def away() -> RequestError:
    """The database cannot be asked: nobody's fault but ours, so never 401."""
    return RequestError(
        503,
        "The database of keys cannot be reached. Try again.",
        type="no_db_connection",
        code="503",
        headers={"retry-after": "1"},
    )


def unknown() -> RequestError:
    """A key that was there a moment ago is gone."""
    return RequestError(
        401, "Authentication Error, Invalid API key provided.", type="token_not_found_in_db", param="key"
    )


def of(key: Key, caller: Caller, now: int, profile: str) -> Reject | None:
    """Why a known key may not be used now, if so."""
    if key.expires_at is not None and key.expires_at <= now:
        return Reject(400 if profile == OLD else 401, "Authentication Error - Expired Key.", "expired_key", "key")
    if key.blocked:
        told = "Key is blocked." if profile == OLD else "Key is blocked. Update via `/key/unblock` if you're an admin."
        return Reject(401, told, "auth_error", "key")
    for entity in caller.entities:
        if entity.blocked and entity.scope in ("user", "team", "organization"):
            return Reject(401, f"{entity.scope.capitalize()}={entity.id} is blocked.", "auth_error")
    return None
