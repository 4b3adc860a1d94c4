"""Browser sessions: an identity sealed in a cookie, with an end, a token against forged requests, and a list of those
ended before.

How one comes to a session is `flow`'s business.
"""

from __future__ import annotations

import dataclasses
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_oidc.login.cookies import cookies, set_cookie
from routeiq_oidc.login.sealing import Sealer
from routeiq_oidc.people.identity import Identity
from routeiq_sdk import Gateway, Secret
from routeiq_sdk.values.http import Headers

CSRF_HEADER = "x-routeiq-csrf"
SAFE_METHODS = frozenset({"GET", "HEAD"})
_ENDED = "oidc.sessions.ended"
_LONGEST_COOKIE = 3800


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in, until `ends` (Unix seconds)."""

    id: str
    identity: Identity
    ends: int
    csrf: str


class Sessions:
    """Makes, reads and ends sessions. A cookie's prefix `__Host-` (RFC 6265bis) keeps other hosts from setting it."""

    def __init__(self, secret: Secret, *, minutes: int, secure: bool, gateway: Gateway) -> None:
        self._sealer = Sealer(secret, "session")
        self._seconds = minutes * 60
        self._secure = secure
        self._gateway = gateway
        self.cookie_name = "__Host-routeiq_session" if secure else "routeiq_session"

    def begin(self, identity: Identity) -> str:
        """The `Set-Cookie` of a new session. Raises `ValueError` when the identity is too large for a cookie."""
        value = dataclasses.asdict(identity) | {"roles": sorted(identity.roles)}
        sealed = self._sealer.seal({"id": secrets.token_urlsafe(16), "ends": self._now() + self._seconds, "who": value})
        if len(sealed) > _LONGEST_COOKIE:
            raise ValueError("too large for a cookie")
        return set_cookie(self.cookie_name, sealed, seconds=self._seconds, path="/", secure=self._secure)

    async def read(self, headers: Headers) -> Session | None:
        """The session of a request. Raises `StoreUnavailable` when nobody can tell whether it was ended."""
        for value in cookies(headers, self.cookie_name):
            found = self._session(self._sealer.open(value))
            if found is not None and await self._gateway.state.get(_ENDED, found.id) is None:
                return found
        return None

    async def end(self, session: Session) -> None:
        """The session's cookie counts no more, wherever a copy of it is."""
        left = max(1, session.ends - self._now())
        await self._gateway.state.put(_ENDED, session.id, b"1", ttl_seconds=float(left))

    @property
    def no_cookie(self) -> str:
        """The `Set-Cookie` that deletes the cookie."""
        return set_cookie(self.cookie_name, "", seconds=0, path="/", secure=self._secure)

    def _session(self, value: Mapping[str, Any] | None) -> Session | None:
        if value is None:
            return None
        try:
            id, ends, who = str(value["id"]), int(value["ends"]), dict(value["who"])
            identity = Identity(**{**who, "teams": tuple(who["teams"]), "roles": frozenset(who["roles"])})
        except (KeyError, TypeError, ValueError):
            return None  # an older release sealed it
        return Session(id, identity, ends, self._sealer.sign(id)) if self._now() < ends else None

    def _now(self) -> int:
        return self._gateway.clock.now_ns() // 10**9


def is_forged(session: Session, method: str, headers: Headers) -> bool:
    """Whether another site may have sent this request: it changes something and does not know the session's token."""
    if method in SAFE_METHODS:
        return False
    told = headers.get(CSRF_HEADER) or ""
    return not hmac.compare_digest(told.encode("latin-1", "replace"), session.csrf.encode())
