"""What the directory knows of callers' users, kept for a moment.

Who calls is decided by authentication.
"""

from __future__ import annotations

from routeiq_policy_cedar.question import Subject, subject_of
from routeiq_sdk import Gateway, Principal
from routeiq_sdk.values.directory import DirectoryUser

_MOST = 20_000


class People:
    """Callers as Cedar's entities."""

    def __init__(self, gateway: Gateway, seconds: float) -> None:
        self._gateway = gateway
        self._seconds = seconds
        self._users: dict[str, tuple[float, DirectoryUser | None]] = {}
        self._subjects: dict[int, tuple[Principal, DirectoryUser | None, Subject]] = {}

    async def subject(self, principal: Principal) -> Subject:
        """The caller. Raises what the directory raises when it cannot be asked."""
        user = await self._user(principal.user) if principal.user is not None else None
        known = self._subjects.get(id(principal))
        if known is not None and known[0] is principal and known[1] == user:
            return known[2]
        subject = subject_of(principal, user)
        if len(self._subjects) >= _MOST:
            self._subjects.clear()
        self._subjects[id(principal)] = (principal, user, subject)
        return subject

    async def _user(self, id: str) -> DirectoryUser | None:
        directory = self._gateway.directory
        if directory is None:
            return None
        now = self._gateway.clock.monotonic()
        known = self._users.get(id)
        if known is not None and known[0] > now:
            return known[1]
        user = await directory.user(id)
        if len(self._users) >= _MOST:
            self._users.clear()
        self._users[id] = (now + self._seconds, user)
        return user
