"""What `/v1/skills` is served by, and how it says no.

Where the skills are is the homes' business.
"""

from __future__ import annotations

from typing import Protocol

from routeiq_sdk import Principal
from routeiq_sdk.values.http import HttpRequest, HttpResponse


class Home(Protocol):
    """Keeps skills that callers bring. Its methods raise `Refused`, `BadSkill` and `RequestError`."""

    async def create(self, request: HttpRequest) -> HttpResponse:
        """A new skill with its first version."""

    async def list_skills(self, request: HttpRequest) -> HttpResponse:
        """A page of the caller's skills."""

    async def get(self, request: HttpRequest) -> HttpResponse:
        """One skill."""

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a skill and its versions."""

    async def create_version(self, request: HttpRequest) -> HttpResponse:
        """A new version of a skill."""

    async def list_versions(self, request: HttpRequest) -> HttpResponse:
        """A page of a skill's versions, newest first."""

    async def get_version(self, request: HttpRequest) -> HttpResponse:
        """One version."""

    async def delete_version(self, request: HttpRequest) -> HttpResponse:
        """Delete a version."""

    async def content(self, request: HttpRequest) -> HttpResponse:
        """A version's files as one archive."""


class Refused(Exception):
    """A request that cannot be served. The message reaches the client."""

    def __init__(self, status: int, type: str, message: str) -> None:
        self.status = status
        self.type = type
        self.message = message
        super().__init__(message)


def nothing(what: str) -> Refused:
    """What is not there, and what is another's, look the same."""
    return Refused(404, "not_found_error", f"There is no such {what}.")


def wrong(message: str) -> Refused:
    """A request that its sender can mend."""
    return Refused(400, "invalid_request_error", message)


def tenant_of(principal: Principal | None) -> str:
    """To whom the caller's skills belong: the team, else the user, else the key."""
    if principal is None:
        raise Refused(401, "authentication_error", "Nobody is signed in.")
    if principal.team is not None:
        return f"team:{principal.team}"
    if principal.user is not None:
        return f"user:{principal.user}"
    return f"{principal.kind}:{principal.id}"
