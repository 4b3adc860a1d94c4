"""From an identity to the principal of a request: the directory's user and team behind it, created if wanted.

Asked again after two seconds, so that whoever is deactivated is out at once. What a principal may do is not told here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from routeiq_oidc.people.identity import Identity
from routeiq_oidc.people.remembered import Remembered
from routeiq_oidc.people.removed import Removed
from routeiq_oidc.tokens.refusal import Refused
from routeiq_oidc.tokens.trust import Trust
from routeiq_sdk import Gateway, Principal
from routeiq_sdk.gateway import Directory
from routeiq_sdk.values.directory import DirectoryGroup, DirectoryUser

log = logging.getLogger(__name__)

FRESH_SECONDS = 2.0
_MOST = 10_000
_MOST_TOLD = 1_000


class Resolver:
    """Finds, and creates, the people of identities."""

    def __init__(self, trusts: Mapping[str | None, Trust], gateway: Gateway, removed: Removed) -> None:
        self._trusts = trusts
        self._gateway = gateway
        self._removed = removed
        self._known: Remembered[Principal] = Remembered(FRESH_SECONDS, _MOST, gateway.clock.monotonic)
        self._told: set[str] = set()

    async def principal(self, identity: Identity) -> Principal:
        """Who that is here. Raises `Refused` for somebody inactive, removed or unknown where only known ones count;
        `StoreUnavailable` when the directory is away."""
        return await self._known.get(identity, lambda: self._resolve(identity))

    def forget(self) -> None:
        """Something in the directory changed: ask again."""
        self._known.clear()

    async def close(self) -> None:
        """End what is under way."""
        await self._known.close()

    async def _resolve(self, identity: Identity) -> Principal:
        trust = self._trusts.get(identity.issuer)
        if trust is None:
            raise Refused("the token's issuer is not known")
        directory = self._gateway.directory
        if directory is None:
            return _principal(identity, trust, identity.user, identity.organization, _first(identity.teams))
        user = None
        if not identity.service:
            user = await self._user(identity, trust, directory)
            if user is None and trust.require_user:
                raise Refused("this user is not known here")
            if user is not None and not user.active:
                raise Refused("this user is deactivated")
        team = await self._team(identity, trust, directory)
        organization = (user.organization if user is not None else None) or (
            team.organization if team is not None else None
        )
        return _principal(
            identity,
            trust,
            user.id if user is not None else None,
            organization or identity.organization,
            team.id if team is not None else None,
        )

    async def _user(self, identity: Identity, trust: Trust, directory: Directory) -> DirectoryUser | None:
        for how in trust.match:
            found = await _found(identity, how, directory)
            if found is not None and trust.organization in (None, found.organization):
                return found
        if not trust.upsert:
            return None
        id = identity.directory_id
        if await self._removed.holds(id, identity.user):
            raise Refused("this user was removed")
        taken = await directory.user(id)  # whoever has the id already is not overwritten by a stranger with its name
        if taken is not None:
            raise Refused("this user's id is taken by somebody else")
        log.info("user %r of %s is created at sign-in", id, trust.label)
        new = DirectoryUser(
            id=id,
            email=identity.email if identity.verified else None,
            name=identity.name,
            external_id=identity.user if identity.issuer is None else None,
            organization=identity.organization,
        )
        return await directory.save_user(new)

    async def _team(self, identity: Identity, trust: Trust, directory: Directory) -> DirectoryGroup | None:
        for value in identity.teams:
            found = await _group(value, directory)
            if found is not None and trust.organization in (None, found.organization):
                return found
            self._tell(value, trust)
        return await _group(trust.default_team, directory) if trust.default_team is not None else None

    def _tell(self, value: str, trust: Trust) -> None:
        if value not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(value)
            log.warning("tokens of %s name the team %r, which is none of theirs here: ignored", trust.label, value)


async def _found(identity: Identity, how: str, directory: Directory) -> DirectoryUser | None:
    if how == "id":
        return await directory.user(identity.directory_id)
    if how == "external_id":
        several = await directory.find_users(external_id=identity.user, most=2)
    elif identity.email is not None and identity.verified:
        several = await directory.find_users(email=identity.email, most=2)
    else:
        return None
    return several[0] if len(several) == 1 else None


async def _group(value: str, directory: Directory) -> DirectoryGroup | None:
    """By id, else by the issuer's own id, else by a name that only one group has."""
    found = await directory.group(value)
    if found is not None:
        return found
    for several in (
        await directory.find_groups(external_id=value, most=2),
        await directory.find_groups(name=value, most=2),
    ):
        if len(several) == 1:
            return several[0]
    return None


def _principal(
    identity: Identity, trust: Trust, user: str | None, organization: str | None, team: str | None
) -> Principal:
    attributes = {
        "roles": sorted(identity.roles),
        "email": identity.email,
        "name": identity.name,
        "issuer": trust.issuer,
    }
    return Principal(
        id=identity.id,
        kind="service" if identity.service else "user",
        alias=identity.email or identity.name,
        user=None if identity.service else user,
        team=team,
        organization=organization,
        attributes=attributes,
    )


def _first(values: tuple[str, ...]) -> str | None:
    return values[0] if values else None
